//! Looking things up among the attributes of a span or log record and its resource's, and keeping a bounded, redacted copy
//! of them.

use domain::Value;

use super::resource::Resource;
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

/// The attributes of a span or log record, and of the resource it came from.
#[derive(Clone, Copy)]
pub struct Attributes<'a, 'l> {
    own: &'l [Pair<'a>],
    resource: &'l Resource<'a>,
}

impl<'a, 'l> Attributes<'a, 'l> {
    pub fn new(own: &'l [Pair<'a>], resource: &'l Resource<'a>) -> Self {
        Self { own, resource }
    }

    /// The first of these names that has a text, on the span before the resource.
    pub fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| text_of(self.own, name).or_else(|| text_of(&self.resource.attributes, name)))
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
        first(self.own).or_else(|| first(&self.resource.attributes))
    }

    /// An integer, also where it was sent as text.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let number = |list| match value_of(list, name)? {
            Any::Int(number) => Some(number),
            Any::Text(digits) => text(digits).parse().ok(),
            _ => None,
        };
        number(self.own).or_else(|| number(&self.resource.attributes))
    }

    /// Whether the span itself has the attribute.
    pub fn has(&self, name: &str) -> bool {
        value_of(self.own, name).is_some()
    }

    /// What is kept of them.
    pub fn kept(&self) -> impl Iterator<Item = (String, Value)> {
        let own = self.own.iter().take(COUNT_MAX).filter(|pair| pair.value != Any::Unset).map(|pair| {
            let key = text(pair.key);
            (cut(key, 256).to_owned(), bounded(key, pair.value, DEPTH_MAX))
        });
        self.resource.kept().chain(own)
    }
}

/// The value of a name within a list of attributes, as it is kept.
pub fn kept_value(list: &[Pair<'_>], name: &str) -> Option<Value> {
    value_of(list, name).map(|value| bounded(name, value, DEPTH_MAX))
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
