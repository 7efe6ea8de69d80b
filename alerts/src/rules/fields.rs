//! What a condition can ask about an incident. `docs/rules.md` lists the same table for users.
//!
//! The names are those of the API's JSON. An unknown text is `""`; an unknown number is left out, so `has()` tells whether
//! it is there.

use std::collections::HashMap;

use cel::Value;
use domain::{Fired, Incident, IncidentState, Layer, Millis, Outcome};

use crate::nearest::nearest;

/// One field: its path below `incident`, and how it is read.
#[derive(Debug)]
pub(super) struct Field {
    /// `diagnosis.limit.value_ms`.
    pub path: &'static str,
    read: Read,
}

#[derive(Debug)]
enum Read {
    Text(fn(&Incident) -> Option<&str>),
    Count(fn(&Incident) -> Option<i64>),
    Duration(fn(&Incident) -> Option<Millis>),
}

/// Every field, in the order of the documentation.
pub(super) static FIELDS: [Field; 24] = [
    text("id", |i| Some(i.id.as_str())),
    text("problem", |i| Some(i.problem.as_str())),
    text("request_id", |i| i.request_id.as_ref().map(domain::RequestId::as_str)),
    Field { path: "attempt", read: Read::Count(|i| Some(i64::from(i.attempt))) },
    text("trace_id", |i| i.trace_id.as_ref().map(domain::TraceId::as_str)),
    text("stack", |i| Some(i.stack.as_str())),
    text("function", |i| i.function.as_ref().map(domain::FunctionName::as_str)),
    text("platform", |i| i.platform.as_ref().map(domain::Product::as_str)),
    text("instance", |i| i.instance.as_ref().map(domain::Instance::as_str)),
    Field { path: "pid", read: Read::Count(|i| i.pid.map(i64::from)) },
    text("outcome", |i| Some(i.outcome.as_str())),
    text("state", |i| Some(i.state.as_str())),
    Field { path: "elapsed_ms", read: Read::Duration(|i| i.elapsed_ms) },
    text("summary", |i| Some(&i.summary)),
    text("diagnosis.layer", |i| i.diagnosis.layer.map(Layer::as_str)),
    text("diagnosis.product", |i| i.diagnosis.product.as_ref().map(domain::Product::as_str)),
    text("diagnosis.confidence", |i| Some(i.diagnosis.confidence.as_str())),
    text("diagnosis.limit.setting", |i| limit(i).map(|limit| limit.setting.as_str())),
    Field { path: "diagnosis.limit.value_ms", read: Read::Duration(|i| limit(i)?.value_ms) },
    text("diagnosis.limit.known_from", |i| limit(i).map(|limit| limit.known_from.as_str())),
    text("diagnosis.cause.id", |i| Some(&i.diagnosis.cause.id)),
    text("diagnosis.cause.operation", |i| i.diagnosis.cause.operation.as_deref()),
    text("diagnosis.cause.target", |i| i.diagnosis.cause.operation.as_deref().and_then(target)),
    Field { path: "diagnosis.cause.waited_ms", read: Read::Duration(|i| i.diagnosis.cause.waited_ms) },
];

const fn text(path: &'static str, read: fn(&Incident) -> Option<&str>) -> Field {
    Field { path, read: Read::Text(read) }
}

fn limit(incident: &Incident) -> Option<&Fired> {
    incident.diagnosis.limit.as_ref()
}

/// Whom an operation calls: `payments.internal:8443` of `POST https://payments.internal:8443/charge?x=1`; `None` where it is
/// not told by its form.
fn target(operation: &str) -> Option<&str> {
    let mut words = operation.split_whitespace();
    let (verb, address) = match (words.next()?, words.next(), words.next()) {
        (address, None, _) if address.contains("://") => ("", address),
        (verb, Some(address), None) => (verb, address),
        _ => return None,
    };
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = address.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c)) && host.chars().any(char::is_alphanumeric);
    (is_host && verb.chars().all(|c| c.is_ascii_alphabetic())).then_some(host)
}

impl Field {
    /// The text of the field; `None` when it is not known or is a number.
    pub(super) fn as_text<'a>(&self, incident: &'a Incident) -> Option<&'a str> {
        match self.read {
            Read::Text(read) => read(incident),
            _ => None,
        }
    }
}

/// The paths of the fields that are texts.
pub(super) fn text_paths() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().filter(|field| matches!(field.read, Read::Text(_))).map(|field| field.path)
}

/// The text field at this path.
pub(super) fn text_field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path && matches!(field.read, Read::Text(_)))
}

/// An incident as conditions see it.
pub(super) fn of(incident: &Incident) -> Value {
    build(|field| match field.read {
        Read::Text(read) => Some(read(incident).unwrap_or_default().into()),
        Read::Count(read) => read(incident).map(Value::Int),
        Read::Duration(read) => read(incident).map(|duration| Value::Float(duration.as_ms_f64())),
    })
}

/// Two made-up incidents, one of which everything is known and one of which nothing is: a condition that fails on neither
/// of them mixes no types.
pub(super) fn samples() -> [Value; 2] {
    let known = build(|field| match field.read {
        Read::Text(_) => Some("x".into()),
        Read::Count(_) => Some(Value::Int(1)),
        Read::Duration(_) => Some(Value::Float(1.5)),
    });
    let unknown = build(|field| matches!(field.read, Read::Text(_)).then(|| "".into()));
    [known, unknown]
}

fn build(value: impl Fn(&Field) -> Option<Value>) -> Value {
    let found = FIELDS.iter().filter_map(|field| Some((field.path, value(field)?)));
    nest(found.collect())
}

/// Turns dotted paths into maps within maps.
fn nest(leaves: Vec<(&str, Value)>) -> Value {
    let mut values = HashMap::new();
    let mut below: HashMap<&str, Vec<(&str, Value)>> = HashMap::new();
    for (path, value) in leaves {
        match path.split_once('.') {
            None => drop(values.insert(path, value)),
            Some((head, rest)) => below.entry(head).or_default().push((rest, value)),
        }
    }
    values.extend(below.into_iter().map(|(head, leaves)| (head, nest(leaves))));
    values.into()
}

/// The words that the text at this path can be, where these are few; it can also be `""`, which is not known.
pub(super) fn words(path: &str) -> Option<Vec<&'static str>> {
    match path {
        "outcome" => Some(Outcome::ALL.map(Outcome::as_str).to_vec()),
        "state" => Some(IncidentState::ALL.map(IncidentState::as_str).to_vec()),
        "diagnosis.layer" => Some(Layer::ALL.map(Layer::as_str).to_vec()),
        _ => None,
    }
}

/// The path of the field that somebody means who leaves out what it lies below.
pub(super) fn meant_by(name: &str) -> Option<&'static str> {
    FIELDS.iter().map(|field| field.path).find(|path| path.split('.').any(|part| part == name))
}

/// Whether `path` is a field, or leads to some.
pub(super) fn is_known(path: &str) -> bool {
    FIELDS.iter().any(|field| field.path == path || field.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// What may stand where the last name of `path` stands, and which of these is nearest to it.
pub(super) fn alternatives(path: &str) -> (Vec<&'static str>, Option<&'static str>) {
    let (above, name) = path.rsplit_once('.').map_or(("", path), |(above, name)| (above, name));
    let mut names: Vec<&'static str> = Vec::new();
    for field in &FIELDS {
        let rest = if above.is_empty() { Some(field.path) } else { field.path.strip_prefix(above).and_then(|rest| rest.strip_prefix('.')) };
        let next = rest.map(|rest| rest.split('.').next().unwrap_or(rest));
        names.extend(next.filter(|next| names.last() != Some(next)));
    }
    (names.clone(), nearest(name, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_field_and_no_other() {
        let doc = include_str!("../../../docs/rules.md");
        let listed: Vec<_> = doc.lines().filter_map(|line| line.strip_prefix("| `incident.")?.split('`').next()).collect();
        assert_eq!(listed, FIELDS.iter().map(|field| field.path).collect::<Vec<_>>());
    }

    #[test]
    fn a_call_names_whom_it_calls_where_its_form_tells() {
        for (operation, expected) in [
            ("POST payments.internal/charge", Some("payments.internal")),
            ("GET https://payments.internal:8443/users?page=2", Some("payments.internal:8443")),
            ("connect [2001:db8::1]:5432", Some("[2001:db8::1]:5432")),
            ("https://payments.internal", Some("payments.internal")),
            ("GET /users", None),
            ("SELECT * FROM orders", None),
            ("charge (/srv/payments.py:88)", None),
            ("BEGIN", None),
            ("", None),
        ] {
            assert_eq!(target(operation), expected, "{operation}");
        }
    }

    #[test]
    fn a_path_is_known_when_something_lies_at_it_or_below() {
        for path in ["state", "diagnosis", "diagnosis.limit", "diagnosis.limit.value_ms"] {
            assert!(is_known(path), "{path}");
        }
        for path in ["", "stat", "diag", "diagnosis.limit.value", "state.x"] {
            assert!(!is_known(path), "{path}");
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        assert_eq!(alternatives("funktion").1, Some("function"));
        assert_eq!(alternatives("diagnosis.limit.value"), (vec!["setting", "value_ms", "known_from"], Some("value_ms")));
        assert_eq!(alternatives("zzz").1, None);
    }
}
