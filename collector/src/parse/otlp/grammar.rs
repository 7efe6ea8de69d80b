//! Which bytes are a plain OTLP message: known fields of their own type, each that can stand once standing once, all text
//! UTF-8. That is what every SDK writes, and it can be read where it lies. Anything else is prost's to judge.
//!
//! Field numbers and types as in opentelemetry-proto 1.x (read 2026-11-27). A field that is missing here would be skipped
//! where prost looks at it; the property tests compare the two.

use super::wire::{Wire, field};

/// The deepest nesting that is taken as plain: a span's attributes begin at the sixth level.
const DEPTH_MAX: u8 = 32;

/// A message type: what its fields are, by number.
pub struct Message {
    fields: &'static [Field],
    /// All fields share one place: at most one of them stands.
    is_one_of: bool,
}

#[derive(Clone, Copy)]
struct Field {
    kind: Kind,
    is_repeated: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Not known here: skipped.
    Unknown,
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    Text,
    Message(&'static Message),
}

const fn one(kind: Kind) -> Field {
    Field { kind, is_repeated: false }
}

const fn many(kind: Kind) -> Field {
    Field { kind, is_repeated: true }
}

const fn message(fields: &'static [Field]) -> Message {
    Message { fields, is_one_of: false }
}

/// What a number stands for that no field has.
const UNKNOWN: Field = many(Kind::Unknown);

/// `ExportTraceServiceRequest`, and `TracesData`.
pub static TRACES: Message = message(&[UNKNOWN, many(Kind::Message(&RESOURCE_SPANS))]);
/// `ExportLogsServiceRequest`, and `LogsData`.
pub static LOGS: Message = message(&[UNKNOWN, many(Kind::Message(&RESOURCE_LOGS))]);

static RESOURCE_SPANS: Message = message(&[UNKNOWN, one(Kind::Message(&RESOURCE)), many(Kind::Message(&SCOPE_SPANS)), one(Kind::Text)]);
static RESOURCE_LOGS: Message = message(&[UNKNOWN, one(Kind::Message(&RESOURCE)), many(Kind::Message(&SCOPE_LOGS)), one(Kind::Text)]);
static SCOPE_SPANS: Message = message(&[UNKNOWN, one(Kind::Message(&SCOPE)), many(Kind::Message(&SPAN)), one(Kind::Text)]);
static SCOPE_LOGS: Message = message(&[UNKNOWN, one(Kind::Message(&SCOPE)), many(Kind::Message(&LOG_RECORD)), one(Kind::Text)]);
static RESOURCE: Message = message(&[UNKNOWN, many(Kind::Message(&KEY_VALUE)), one(Kind::Varint), many(Kind::Message(&ENTITY_REF))]);
static ENTITY_REF: Message = message(&[UNKNOWN, one(Kind::Text), one(Kind::Text), many(Kind::Text), many(Kind::Text)]);
static SCOPE: Message = message(&[UNKNOWN, one(Kind::Text), one(Kind::Text), many(Kind::Message(&KEY_VALUE)), one(Kind::Varint)]);
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
static KEY_VALUE_LIST: Message = message(&[UNKNOWN, many(Kind::Message(&KEY_VALUE))]);
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
    many(Kind::Message(&KEY_VALUE)),
    one(Kind::Varint),
    many(Kind::Message(&EVENT)),
    one(Kind::Varint),
    many(Kind::Message(&LINK)),
    one(Kind::Varint),
    one(Kind::Message(&STATUS)),
    one(Kind::Fixed32),
]);
static EVENT: Message = message(&[UNKNOWN, one(Kind::Fixed64), one(Kind::Text), many(Kind::Message(&KEY_VALUE)), one(Kind::Varint)]);
static LINK: Message = message(&[
    UNKNOWN,
    one(Kind::Bytes),
    one(Kind::Bytes),
    one(Kind::Text),
    many(Kind::Message(&KEY_VALUE)),
    one(Kind::Varint),
    one(Kind::Fixed32),
]);
static STATUS: Message = message(&[UNKNOWN, UNKNOWN, one(Kind::Text), one(Kind::Varint)]);
static LOG_RECORD: Message = message(&[
    UNKNOWN,
    one(Kind::Fixed64),
    one(Kind::Varint),
    one(Kind::Text),
    UNKNOWN,
    one(Kind::Message(&ANY_VALUE)),
    many(Kind::Message(&KEY_VALUE)),
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
        let Some((number, value)) = field(&mut input) else { return false };
        let field = message.fields.get(number as usize).unwrap_or(&UNKNOWN);
        let fits = match (field.kind, value) {
            (Kind::Message(inner), Wire::Bytes(bytes)) => is_plain_within(bytes, inner, depth + 1),
            (Kind::Text, Wire::Bytes(bytes)) => bytes.is_ascii() || std::str::from_utf8(bytes).is_ok(),
            (Kind::Bytes, Wire::Bytes(_))
            | (Kind::Varint, Wire::Varint(_))
            | (Kind::Fixed64, Wire::Fixed64(_))
            | (Kind::Fixed32, Wire::Fixed32(_))
            | (Kind::Unknown, _) => true,
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
