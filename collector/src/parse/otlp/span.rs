//! A span as it lies in its message.

use super::value::{ATTRIBUTES_MAX, Pair, attributes, messages, pair, text};
use super::wire::{Fields, Wire};

/// `Span`, as far as it is read. IDs are bytes of any length, times nanoseconds since 1970, zero where there is none.
#[derive(Clone, Debug, Default)]
pub struct Span<'a> {
    pub trace_id: &'a [u8],
    pub id: &'a [u8],
    pub parent_id: &'a [u8],
    name: &'a [u8],
    /// A number of `SpanKind`.
    pub kind: i32,
    pub started_unix_nano: u64,
    pub ended_unix_nano: u64,
    /// When a heartbeat saw it open; no field of the message.
    pub seen_open_unix_nano: u64,
    /// The first [`ATTRIBUTES_MAX`].
    pub attributes: Vec<Pair<'a>>,
    /// How many there are.
    pub attribute_count: usize,
    status: &'a [u8],
    /// A number of `StatusCode`.
    pub status_code: i32,
    /// The whole message where there are events, and where there are links: few spans have them.
    with_events: &'a [u8],
    with_links: &'a [u8],
}

/// A link to another span.
#[derive(Debug)]
pub struct Link<'a> {
    pub trace_id: &'a [u8],
    pub attributes: Vec<Pair<'a>>,
}

const EVENTS: u32 = 11;
const LINKS: u32 = 13;

impl<'a> Span<'a> {
    /// Reads a message that was found to be plain.
    pub fn of(message: &'a [u8]) -> Self {
        let mut span = Self::default();
        span.read(message);
        span
    }

    /// The same in place of the span before, whose memory it takes over.
    pub fn read(&mut self, message: &'a [u8]) {
        let mut attributes = std::mem::take(&mut self.attributes);
        attributes.clear();
        *self = Self::default();
        for field in Fields(message) {
            match field {
                (1, Wire::Bytes(id)) => self.trace_id = id,
                (2, Wire::Bytes(id)) => self.id = id,
                (4, Wire::Bytes(id)) => self.parent_id = id,
                (5, Wire::Bytes(name)) => self.name = name,
                (6, Wire::Varint(kind)) => self.kind = enumeration(kind),
                (7, Wire::Fixed64(at)) => self.started_unix_nano = at,
                (8, Wire::Fixed64(at)) => self.ended_unix_nano = at,
                (9, Wire::Bytes(attribute)) => {
                    self.attribute_count += 1;
                    if attributes.len() < ATTRIBUTES_MAX {
                        attributes.push(pair(attribute));
                    }
                }
                (EVENTS, _) => self.with_events = message,
                (LINKS, _) => self.with_links = message,
                (15, Wire::Bytes(status)) => self.read_status(status),
                _ => {}
            }
        }
        self.attributes = attributes;
    }

    fn read_status(&mut self, message: &'a [u8]) {
        for field in Fields(message) {
            match field {
                (2, Wire::Bytes(text)) => self.status = text,
                (3, Wire::Varint(code)) => self.status_code = enumeration(code),
                _ => {}
            }
        }
    }

    pub fn name(&self) -> &'a str {
        text(self.name)
    }

    pub fn status_message(&self) -> &'a str {
        text(self.status)
    }

    /// The attributes of the last event that tells of an exception.
    pub fn last_exception(&self) -> Option<Vec<Pair<'a>>> {
        let is_exception = |event: &&[u8]| Fields(event).any(|field| field == (2, Wire::Bytes(b"exception")));
        messages(self.with_events, EVENTS).filter(is_exception).last().map(|event| attributes(event, 3))
    }
}

/// The links of a span.
pub fn links<'a>(span: &Span<'a>) -> impl Iterator<Item = Link<'a>> {
    messages(span.with_links, LINKS).map(|link| {
        let trace_id = Fields(link).find_map(|field| if let (1, Wire::Bytes(id)) = field { Some(id) } else { None });
        Link { trace_id: trace_id.unwrap_or_default(), attributes: attributes(link, 4) }
    })
}

/// An enum's number: the low 32 bits, as protobuf has it.
pub fn enumeration(number: u64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
