//! Which bytes are a plain OTLP message: known fields of their own type, each that can stand once standing once, all text
//! UTF-8. That is what every SDK writes, and it can be read where it lies. Anything else is prost's to judge.
//!
//! Field numbers and types as in opentelemetry-proto 1.x (read 2026-11-27). A field that is missing here would be skipped
//! where prost looks at it; the property tests compare the two.

use super::value::{Any, Pair, usual_pair};
use super::wire::{self, BYTES, FIXED32, FIXED64, VARINT};

/// The deepest nesting that is taken as plain: a span's attributes begin at the sixth level.
const DEPTH_MAX: u8 = 32;

/// A message type: what its fields are, by number.
pub struct Message {
    fields: &'static [Field],
    /// All fields share one place: at most one of them stands.
    is_one_of: bool,
}

/// A field of a message.
#[derive(Clone, Copy)]
pub struct Field {
    kind: Kind,
    is_repeated: bool,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Not known here: skipped.
    Unknown,
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    Text,
    Message(&'static Message),
    /// A `KeyValue`.
    Pair,
}

/// A field that stands once.
pub const fn one(kind: Kind) -> Field {
    Field { kind, is_repeated: false }
}

/// A field that may stand any number of times.
pub const fn many(kind: Kind) -> Field {
    Field { kind, is_repeated: true }
}

/// A message whose fields are these, by number from 0 on.
pub const fn message(fields: &'static [Field]) -> Message {
    Message { fields, is_one_of: false }
}

/// What a number stands for that no field has.
pub const UNKNOWN: Field = many(Kind::Unknown);

/// `ExportTraceServiceRequest`, and `TracesData`.
pub static TRACES: Message = message(&[UNKNOWN, many(Kind::Message(&RESOURCE_SPANS))]);
/// `ExportLogsServiceRequest`, and `LogsData`.
pub static LOGS: Message = message(&[UNKNOWN, many(Kind::Message(&RESOURCE_LOGS))]);

static RESOURCE_SPANS: Message = message(&[UNKNOWN, one(Kind::Message(&RESOURCE)), many(Kind::Message(&SCOPE_SPANS)), one(Kind::Text)]);
static RESOURCE_LOGS: Message = message(&[UNKNOWN, one(Kind::Message(&RESOURCE)), many(Kind::Message(&SCOPE_LOGS)), one(Kind::Text)]);
static SCOPE_SPANS: Message = message(&[UNKNOWN, one(Kind::Message(&SCOPE)), many(Kind::Message(&SPAN)), one(Kind::Text)]);
static SCOPE_LOGS: Message = message(&[UNKNOWN, one(Kind::Message(&SCOPE)), many(Kind::Message(&LOG_RECORD)), one(Kind::Text)]);
static RESOURCE: Message = message(&[UNKNOWN, many(Kind::Pair), one(Kind::Varint), many(Kind::Message(&ENTITY_REF))]);
static ENTITY_REF: Message = message(&[UNKNOWN, one(Kind::Text), one(Kind::Text), many(Kind::Text), many(Kind::Text)]);
static SCOPE: Message = message(&[UNKNOWN, one(Kind::Text), one(Kind::Text), many(Kind::Pair), one(Kind::Varint)]);
static KEY_VALUE: Message = message(&[UNKNOWN, one(Kind::Text), one(Kind::Message(&ANY_VALUE)), one(Kind::Varint)]);
static ANY_VALUE: Message = Message {
    fields: &[
        UNKNOWN,
        one(Kind::Text),
        one(Kind::Varint),
        one(Kind::Varint),
        one(Kind::Fixed64),
        one(Kind::Message(&ARRAY)),
        one(Kind::Message(&KEY_VALUE_LIST)),
        one(Kind::Bytes),
        one(Kind::Varint),
    ],
    is_one_of: true,
};
static ARRAY: Message = message(&[UNKNOWN, many(Kind::Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = message(&[UNKNOWN, many(Kind::Pair)]);
static SPAN: Message = message(&[
    UNKNOWN,
    one(Kind::Bytes),
    one(Kind::Bytes),
    one(Kind::Text),
    one(Kind::Bytes),
    one(Kind::Text),
    one(Kind::Varint),
    one(Kind::Fixed64),
    one(Kind::Fixed64),
    many(Kind::Pair),
    one(Kind::Varint),
    many(Kind::Message(&EVENT)),
    one(Kind::Varint),
    many(Kind::Message(&LINK)),
    one(Kind::Varint),
    one(Kind::Message(&STATUS)),
    one(Kind::Fixed32),
]);
static EVENT: Message = message(&[UNKNOWN, one(Kind::Fixed64), one(Kind::Text), many(Kind::Pair), one(Kind::Varint)]);
static LINK: Message =
    message(&[UNKNOWN, one(Kind::Bytes), one(Kind::Bytes), one(Kind::Text), many(Kind::Pair), one(Kind::Varint), one(Kind::Fixed32)]);
static STATUS: Message = message(&[UNKNOWN, UNKNOWN, one(Kind::Text), one(Kind::Varint)]);
static LOG_RECORD: Message = message(&[
    UNKNOWN,
    one(Kind::Fixed64),
    one(Kind::Varint),
    one(Kind::Text),
    UNKNOWN,
    one(Kind::Message(&ANY_VALUE)),
    many(Kind::Pair),
    one(Kind::Varint),
    one(Kind::Fixed32),
    one(Kind::Bytes),
    one(Kind::Bytes),
    one(Kind::Fixed64),
    one(Kind::Text),
]);

/// Whether these bytes are a plain message of that type.
pub fn is_plain(input: &[u8], message: &Message) -> bool {
    is_plain_within(input, message, 0)
}

fn is_plain_within(mut input: &[u8], message: &Message, depth: u8) -> bool {
    if depth == DEPTH_MAX {
        return false;
    }
    let mut seen = 0_u32;
    while !input.is_empty() {
        let Some((number, wire_type)) = wire::tag(&mut input) else { return false };
        let field = message.fields.get(number as usize).unwrap_or(&UNKNOWN);
        let fits = match (field.kind, wire_type) {
            (Kind::Pair, BYTES) => wire::bytes(&mut input).is_some_and(|bytes| is_plain_pair(bytes, depth + 1)),
            (Kind::Message(inner), BYTES) => wire::bytes(&mut input).is_some_and(|bytes| is_plain_within(bytes, inner, depth + 1)),
            (Kind::Text, BYTES) => wire::bytes(&mut input).is_some_and(is_text),
            (Kind::Bytes, BYTES) => wire::bytes(&mut input).is_some(),
            (Kind::Varint, VARINT) => wire::varint(&mut input).is_some(),
            (Kind::Fixed64, FIXED64) => wire::fixed::<8>(&mut input).is_some(),
            (Kind::Fixed32, FIXED32) => wire::fixed::<4>(&mut input).is_some(),
            (Kind::Unknown, _) => wire::value(&mut input, wire_type).is_some(),
            _ => false,
        };
        if !fits {
            return false;
        }
        if !field.is_repeated {
            let place = 1 << if message.is_one_of { 0 } else { number };
            if seen & place != 0 {
                return false;
            }
            seen |= place;
        }
    }
    true
}

/// Most of a request's fields are attributes.
fn is_plain_pair(message: &[u8], depth: u8) -> bool {
    match usual_pair(message) {
        Some(Pair { value: Any::Text(_), .. }) if message.is_ascii() => true,
        Some(Pair { key, value: Any::Text(text) }) => is_text(key) && is_text(text),
        Some(Pair { key, .. }) => is_text(key),
        None => is_plain_within(message, &KEY_VALUE, depth),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}
