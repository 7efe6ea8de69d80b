//! The input of a request, as its watchdog sent it: whether it is there, and whether it is all there.

use std::fmt;

use domain::{Incident, Value};

/// What watchdogs and the collector write in place of what they took out.
const REDACTED: &str = "[redacted]";

/// From here on, a double no longer holds every whole number, so digits may have been lost on the way.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// No watchdog sent it.
    Unknown,
    /// Only size and digest of it were sent.
    TooLarge,
    /// Something of it was taken out by whoever sent it, or by the collector.
    Redacted(String),
    /// A number of it has more digits than were kept.
    Inexact(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("its original event is not known: a watchdog in the function would send it"),
            Self::TooLarge => f.write_str("its original event was too large to be sent; only its digest is known"),
            Self::Redacted(path) => write!(f, "its original event was redacted at `{path}`"),
            Self::Inexact(path) => write!(f, "a number of its original event has more digits than are kept, at `{path}`"),
        }
    }
}

/// The event, if any of it is there.
pub(crate) fn known(incident: &Incident) -> Result<&Value, Lack> {
    let event = incident.original_event.as_ref().filter(|event| **event != Value::Null).ok_or(Lack::Unknown)?;
    if is_digest(event) { Err(Lack::TooLarge) } else { Ok(event) }
}

/// The event, if it is whole: what runs again must be what ran.
pub(crate) fn whole(incident: &Incident) -> Result<&Value, Lack> {
    let event = known(incident)?;
    check(event, &mut String::new())?;
    Ok(event)
}

/// Whether something was taken out of a text.
pub(crate) fn is_redacted(text: &str) -> bool {
    text.contains(REDACTED)
}

/// What watchdogs send of an event that is too large: `{"bytes": 70000, "digest": "sha256:…"}`.
fn is_digest(event: &Value) -> bool {
    let Value::Map(fields) = event else { return false };
    let digest = fields.get("digest").and_then(Value::as_text).is_some_and(|digest| digest.contains(':'));
    digest && fields.len() == 2 && fields.contains_key("bytes")
}

fn check(value: &Value, path: &mut String) -> Result<(), Lack> {
    let named = |path: &str| if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    match value {
        Value::Text(text) if is_redacted(text) => Err(Lack::Redacted(named(path))),
        Value::Number(number) if number.as_f64().abs() >= EXACT_MAX => Err(Lack::Inexact(named(path))),
        Value::Map(fields) => fields.iter().try_for_each(|(name, value)| below(value, path, name)),
        Value::List(items) => items.iter().enumerate().try_for_each(|(place, value)| below(value, path, &place.to_string())),
        _ => Ok(()),
    }
}

/// Checks what is one step down; the path is a JSON pointer.
fn below(value: &Value, path: &mut String, step: &str) -> Result<(), Lack> {
    let before = path.len();
    path.push('/');
    path.push_str(step);
    check(value, path)?;
    path.truncate(before);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn check(event: serde_json::Value, expected: Option<Lack>) {
        let mut incident = testing::incident();
        incident.original_event = Some(Value::from(event));
        assert_eq!(whole(&incident).map(|_| ()), expected.map_or(Ok(()), Err));
    }

    #[test]
    fn an_event_that_is_not_whole_is_not_run_again() {
        check(json!({ "order": 7, "items": ["a"] }), None);
        check(json!("text"), None);
        check(json!(null), Some(Lack::Unknown));
        check(json!({ "headers": { "cookie": "[redacted]" } }), Some(Lack::Redacted("/headers/cookie".to_owned())));
        check(json!({ "items": ["a", "card [redacted]"] }), Some(Lack::Redacted("/items/1".to_owned())));
        check(json!("[redacted]"), Some(Lack::Redacted("/".to_owned())));
        check(json!({ "bytes": 70_000, "digest": "sha256:00" }), Some(Lack::TooLarge));
        check(json!({ "bytes": 70_000, "digest": "sha256:00", "order": 1 }), None);
        check(json!({ "id": 9_007_199_254_740_993_i64 }), Some(Lack::Inexact("/id".to_owned())));
        assert_eq!(whole(&testing::incident()).err(), Some(Lack::Unknown));
    }
}
