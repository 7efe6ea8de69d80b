//! Looking things up among a span's attributes and its resource's, and keeping a bounded, redacted copy of them.

use std::collections::BTreeMap;

use domain::Value;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

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

/// The attributes of a span and of the resource it came from.
pub struct Attributes<'a> {
    own: &'a [KeyValue],
    resource: &'a [KeyValue],
}

impl<'a> Attributes<'a> {
    pub fn new(own: &'a [KeyValue], resource: &'a [KeyValue]) -> Self {
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

    /// An integer, also where it was sent as text.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let number = |list| match value_of(list, name)? {
            Any::IntValue(number) => Some(*number),
            Any::StringValue(text) => text.parse().ok(),
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
        for pair in self.own.iter().take(COUNT_MAX) {
            if let Some(value) = pair.value.as_ref().and_then(|value| value.value.as_ref()) {
                kept.insert(cut(&pair.key, 256).to_owned(), bounded(&pair.key, value, DEPTH_MAX));
            }
        }
        if let Some(dropped) = self.own.len().checked_sub(COUNT_MAX).filter(|dropped| *dropped > 0) {
            kept.insert("attributes_dropped".to_owned(), Value::from(u32::try_from(dropped).unwrap_or(u32::MAX)));
        }
    }
}

/// An attribute's text within a list of attributes; empty text says nothing.
pub fn text_of<'a>(list: &'a [KeyValue], name: &str) -> Option<&'a str> {
    match value_of(list, name)? {
        Any::StringValue(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn value_of<'a>(list: &'a [KeyValue], name: &str) -> Option<&'a Any> {
    list.iter().find(|pair| pair.key == name)?.value.as_ref()?.value.as_ref()
}

/// Text as it is kept: redacted, then cut.
pub fn kept_text(text: &str) -> String {
    let clean = redact::text_without_secrets(text);
    cut(clean.as_deref().unwrap_or(text), TEXT_BYTES_MAX).to_owned()
}

fn bounded(name: &str, value: &Any, depth: u8) -> Value {
    if redact::is_sensitive(name) {
        return Value::from(redact::REDACTED);
    }
    let item = |value: &AnyValue| value.value.as_ref().map_or(Value::Null, |value| bounded("", value, depth - 1));
    match value {
        Any::StringValue(text) => Value::from(kept_text(text)),
        Any::BoolValue(flag) => Value::from(*flag),
        // Beyond 2^53 a JSON number would be another one.
        Any::IntValue(number) if number.unsigned_abs() > 1 << 53 => Value::from(number.to_string()),
        Any::IntValue(number) => Value::from(*number),
        Any::DoubleValue(number) => Value::from(*number),
        Any::BytesValue(bytes) => Value::from(format!("({} bytes)", bytes.len())),
        Any::ArrayValue(_) | Any::KvlistValue(_) if depth == 0 => Value::from("(nested too deep)"),
        Any::ArrayValue(list) => Value::List(list.values.iter().take(ITEMS_MAX).map(item).collect()),
        Any::KvlistValue(map) => {
            let pair = |pair: &KeyValue| {
                let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
                (cut(&pair.key, 256).to_owned(), value.map_or(Value::Null, |value| bounded(&pair.key, value, depth - 1)))
            };
            Value::Map(map.values.iter().take(ITEMS_MAX).map(pair).collect())
        }
        Any::StringValueStrindex(_) => Value::Null,
    }
}
