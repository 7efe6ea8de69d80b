//! A log record as it lies in its message.

use super::span::enumeration;
use super::value::{ATTRIBUTES_MAX, Any, Pair, any, pair, text};
use super::wire::{Fields, Wire};

/// `LogRecord`, as far as it is read. Times are nanoseconds since 1970, zero where there is none.
#[derive(Clone, Debug)]
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
    /// Reads a message that was found to be plain.
    pub fn of(message: &'a [u8]) -> Self {
        let mut record = Self {
            written_unix_nano: 0,
            observed_unix_nano: 0,
            severity_number: 0,
            severity: &[],
            body: Any::Unset,
            attributes: Vec::new(),
            trace_id: &[],
            span_id: &[],
        };
        for field in Fields(message) {
            match field {
                (1, Wire::Fixed64(at)) => record.written_unix_nano = at,
                (2, Wire::Varint(number)) => record.severity_number = enumeration(number),
                (3, Wire::Bytes(severity)) => record.severity = severity,
                (5, Wire::Bytes(body)) => record.body = any(body),
                (6, Wire::Bytes(attribute)) if record.attributes.len() < ATTRIBUTES_MAX => record.attributes.push(pair(attribute)),
                (9, Wire::Bytes(id)) => record.trace_id = id,
                (10, Wire::Bytes(id)) => record.span_id = id,
                (11, Wire::Fixed64(at)) => record.observed_unix_nano = at,
                _ => {}
            }
        }
        record
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
