//! Looking things up among the attributes of a span or log record and its resource's, and keeping a bounded, redacted copy
//! of them.

use std::collections::BTreeMap;

use domain::Value;

use super::value::{Any, Pair, items, pairs, text};
use crate::parse::{cut, redact};

/// How many attributes of a span are kept; SDKs allow 128 by default, instrumentations set about 20.
pub const COUNT_MAX: usize = 64;
/// How much of one text is kept: enough for a URL or a statement to be recognised.
pub const TEXT_BYTES_MAX: usize = 1024;
/// How many items of a list or map are kept.
const ITEMS_MAX: usize = 32;
/// How deep lists and maps are followed.
const DEPTH_MAX: u8 = 4;

/// What describes the resource well enough to be kept with each of its spans.
const RESOURCE_NAMES: [&str; 8] = [
    "service.name",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
    "host.name",
    "k8s.pod.name",
    "faas.version",
    "cloud.region",
];

/// The attributes of a span or log record, and of the resource it came from.
#[derive(Clone, Copy)]
pub struct Attributes<'a, 'l> {
    own: &'l [Pair<'a>],
    resource: &'l [Pair<'a>],
}

impl<'a, 'l> Attributes<'a, 'l> {
    pub fn new(own: &'l [Pair<'a>], resource: &'l [Pair<'a>]) -> Self {
        Self { own, resource }
    }

    /// The first of these names that has a text, on the span before the resource.
    pub fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| text_of(self.own, name).or_else(|| text_of(self.resource, name)))
    }

    /// The first of these names that has a text on the span itself.
    pub fn own_text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| text_of(self.own, name))
    }

    /// The first text of a list, or the text that stands in its place.
    pub fn first_text(&self, name: &str) -> Option<&'a str> {
        let first = |list| match value_of(list, name)? {
            Any::List(list) => items(list).find_map(said),
            other => said(other),
        };
        first(self.own).or_else(|| first(self.resource))
    }

    /// An integer, also where it was sent as text.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let number = |list| match value_of(list, name)? {
            Any::Int(number) => Some(number),
            Any::Text(digits) => text(digits).parse().ok(),
            _ => None,
        };
        number(self.own).or_else(|| number(self.resource))
    }

    /// Whether the span itself has the attribute.
    pub fn has(&self, name: &str) -> bool {
        value_of(self.own, name).is_some()
    }

    /// Adds what is kept to a claim's attributes.
    pub fn keep(&self, kept: &mut BTreeMap<String, Value>) {
        for name in RESOURCE_NAMES {
            if let Some(value) = value_of(self.resource, name) {
                kept.insert(name.to_owned(), bounded(name, value, DEPTH_MAX));
            }
        }
        for pair in self.own.iter().take(COUNT_MAX).filter(|pair| pair.value != Any::Unset) {
            let key = text(pair.key);
            kept.insert(cut(key, 256).to_owned(), bounded(key, pair.value, DEPTH_MAX));
        }
        if let Some(dropped) = self.own.len().checked_sub(COUNT_MAX).filter(|dropped| *dropped > 0) {
            kept.insert("attributes_dropped".to_owned(), Value::from(u32::try_from(dropped).unwrap_or(u32::MAX)));
        }
    }
}

/// An attribute's text within a list of attributes; empty text says nothing.
pub fn text_of<'a>(list: &[Pair<'a>], name: &str) -> Option<&'a str> {
    said(value_of(list, name)?)
}

/// The text that a value is, unless it is empty.
pub fn said(value: Any<'_>) -> Option<&str> {
    if let Any::Text(bytes) = value { Some(text(bytes)).filter(|text| !text.is_empty()) } else { None }
}

fn value_of<'a>(list: &[Pair<'a>], name: &str) -> Option<Any<'a>> {
    let value = list.iter().find(|pair| pair.key == name.as_bytes())?.value;
    (value != Any::Unset).then_some(value)
}

/// Text as it is kept: redacted, then cut.
pub fn kept_text(text: &str) -> String {
    let clean = redact::text_without_secrets(text);
    cut(clean.as_deref().unwrap_or(text), TEXT_BYTES_MAX).to_owned()
}

fn bounded(name: &str, value: Any<'_>, depth: u8) -> Value {
    if redact::is_sensitive(name) {
        return Value::from(redact::REDACTED);
    }
    match value {
        Any::Text(bytes) => Value::from(kept_text(text(bytes))),
        Any::Flag(flag) => Value::from(flag),
        // Beyond 2^53 a JSON number would be another one.
        Any::Int(number) if number.unsigned_abs() > 1 << 53 => Value::from(number.to_string()),
        Any::Int(number) => Value::from(number),
        Any::Double(number) => Value::from(number),
        Any::Bytes(bytes) => Value::from(format!("({} bytes)", bytes.len())),
        Any::List(_) | Any::Map(_) if depth == 0 => Value::from("(nested too deep)"),
        Any::List(list) => Value::List(items(list).take(ITEMS_MAX).map(|item| bounded("", item, depth - 1)).collect()),
        Any::Map(map) => {
            let kept = pairs(map, 1).take(ITEMS_MAX).map(|pair| (text(pair.key), pair.value));
            Value::Map(kept.map(|(key, value)| (cut(key, 256).to_owned(), bounded(key, value, depth - 1))).collect())
        }
        Any::Unset => Value::Null,
    }
}
