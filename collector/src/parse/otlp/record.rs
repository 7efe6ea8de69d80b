//! A log record as it lies in its message.

use super::span::enumeration;
use super::value::{ATTRIBUTES_MAX, Any, Pair, any, pair, text};
use super::wire::{Fields, Wire};

/// `LogRecord`, as far as it is read. Times are nanoseconds since 1970, zero where there is none.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    written_unix_nano: u64,
    observed_unix_nano: u64,
    /// A number of `SeverityNumber`.
    severity_number: i32,
    severity: &'a [u8],
    pub body: Any<'a>,
    /// The first [`ATTRIBUTES_MAX`].
    pub attributes: Vec<Pair<'a>>,
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
}

/// The six ranges of four numbers that severities fall into.
const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

impl<'a> Record<'a> {
    /// A message that was found to be plain.
    pub fn of(message: &'a [u8]) -> Self {
        let mut record = Self::default();
        record.read(message);
        record
    }

    /// Reads another message that was found to be plain, into the same memory.
    pub fn read(&mut self, message: &'a [u8]) {
        let mut attributes = std::mem::take(&mut self.attributes);
        attributes.clear();
        *self = Self { attributes, ..Self::default() };
        for field in Fields(message) {
            match field {
                (1, Wire::Fixed64(at)) => self.written_unix_nano = at,
                (2, Wire::Varint(number)) => self.severity_number = enumeration(number),
                (3, Wire::Bytes(severity)) => self.severity = severity,
                (5, Wire::Bytes(body)) => self.body = any(body),
                (6, Wire::Bytes(attribute)) if self.attributes.len() < ATTRIBUTES_MAX => self.attributes.push(pair(attribute)),
                (9, Wire::Bytes(id)) => self.trace_id = id,
                (10, Wire::Bytes(id)) => self.span_id = id,
                (11, Wire::Fixed64(at)) => self.observed_unix_nano = at,
                _ => {}
            }
        }
    }

    /// When it was written or, where that is not said, seen first.
    pub fn at_unix_nano(&self) -> u64 {
        if self.written_unix_nano == 0 { self.observed_unix_nano } else { self.written_unix_nano }
    }

    /// Its severity in its source's own word, else the name of its number.
    pub fn severity(&self) -> Option<&'a str> {
        let named = || SEVERITIES.get(usize::try_from(self.severity_number).ok()?.checked_sub(1)? / 4).copied();
        Some(text(self.severity)).filter(|word| !word.is_empty()).or_else(named)
    }
}
