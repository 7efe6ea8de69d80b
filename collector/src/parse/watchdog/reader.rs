//! Takes fields out of an event: what cannot be read is left out and told, what is too long is cut or refused.

use super::event::{Field, Items};
use crate::parse::{Reject, cut};

/// The longest name or identifier: an ARN has at most 200 bytes, a log stream 512.
pub const NAME_BYTES_MAX: usize = 512;

/// Takes fields out of an event and remembers those that were unreadable.
pub struct Reader<'a> {
    raw: &'a str,
    /// Fields that were left out, and why.
    pub unreadable: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of the event with that text.
    pub fn new(raw: &'a str) -> Self {
        Self { raw, unreadable: Vec::new() }
    }

    /// A field of which nothing more is asked.
    pub fn field<T>(&mut self, field: Field<T>, name: &str) -> Option<T> {
        match field {
            Field::Read(value) => Some(value),
            Field::Absent => None,
            Field::Unreadable(found) => {
                self.unreadable.push(format!("`{name}`: {}", cut(&found, NAME_BYTES_MAX)));
                None
            }
        }
    }

    /// The readable items of a list.
    pub fn items<T>(&mut self, items: Items<T>, name: &str) -> Vec<T> {
        self.unreadable.extend(items.unreadable.map(|found| format!("`{name}`: {}", cut(&found, NAME_BYTES_MAX))));
        items.read
    }

    /// A name for people: cut when it is too long.
    pub fn name(&mut self, field: Field<String>, name: &str) -> Option<String> {
        self.field(field, name).filter(|text| !text.is_empty()).map(|text| short(&text))
    }

    /// A name that evidence is found under: never cut, since a cut one would be another's.
    pub fn identity(&mut self, field: Field<String>, name: &str) -> Result<Option<String>, Reject> {
        match self.field(field, name) {
            Some(text) if !text.is_empty() => identifier(text, name, self.raw).map(Some),
            _ => Ok(None),
        }
    }

    /// An identifier in one of the forms that `parse` reads.
    pub fn parsed<T>(&mut self, field: Field<String>, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.field(field, name).filter(|text| !text.is_empty())?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.unreadable.push(format!("`{name}`: expected {expected}, found `{}`", cut(&text, 64)));
        }
        parsed
    }
}

/// The text, if it is short enough to be an identifier.
pub fn identifier(text: String, name: &str, raw: &str) -> Result<String, Reject> {
    if text.len() <= NAME_BYTES_MAX {
        return Ok(text);
    }
    Err(Reject::new(format!("expected `{name}` of at most {NAME_BYTES_MAX} bytes, found {}", text.len()), raw))
}

/// A name for people, cut when it is too long.
pub fn short(text: &str) -> String {
    cut(text, NAME_BYTES_MAX).to_owned()
}
