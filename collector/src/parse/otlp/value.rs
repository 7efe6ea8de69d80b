//! Attributes and their values, read where they lie.

use serde_json::Value;

use super::wire::{self, BYTES, Fields, VARINT, Wire};

/// An attribute: its key and its value. Keys stay bytes, since most are only compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair<'a> {
    pub key: &'a [u8],
    pub value: Any<'a>,
}

/// `AnyValue`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Any<'a> {
    /// None, or one that only profiles have.
    #[default]
    Unset,
    Text(&'a [u8]),
    Flag(bool),
    Int(i64),
    Double(f64),
    /// An `ArrayValue`; [`items`] reads it.
    List(&'a [u8]),
    /// A `KeyValueList`; [`attributes`] reads it.
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

/// How many attributes of one thing are looked at: SDKs allow 128 by default, detectors of resources set some forty. One may
/// be of two bytes, and takes twenty times as many once it is read.
pub const ATTRIBUTES_MAX: usize = 256;

/// The attributes that field `number` of a message holds, as far as they are looked at.
pub fn attributes(message: &[u8], number: u32) -> Vec<Pair<'_>> {
    pairs(message, number).take(ATTRIBUTES_MAX).collect()
}

/// The same while they are taken.
pub fn pairs(message: &[u8], number: u32) -> impl Iterator<Item = Pair<'_>> {
    messages(message, number).map(pair)
}

/// The values of an `ArrayValue`.
pub fn items(list: &[u8]) -> impl Iterator<Item = Any<'_>> {
    messages(list, 1).map(any)
}

/// The messages that field `number` of a message holds.
pub fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields(message).filter_map(move |field| match field {
        (found, Wire::Bytes(bytes)) if found == number => Some(bytes),
        _ => None,
    })
}

/// A `KeyValue` of just a key and a value of just a text or an integer, as nearly all are, in the order in which every SDK
/// writes them. `None` for any other.
#[inline]
pub fn usual_pair(mut message: &[u8]) -> Option<Pair<'_>> {
    let key = wire::bytes(after(&mut message, 1 << 3 | BYTES)?)?;
    let mut value = wire::bytes(after(&mut message, 2 << 3 | BYTES)?)?;
    let (first, rest) = value.split_first()?;
    value = rest;
    let any = match *first {
        TEXT => Any::Text(wire::bytes(&mut value)?),
        INT => Any::Int(wire::varint(&mut value)?.cast_signed()),
        _ => return None,
    };
    (message.is_empty() && value.is_empty()).then_some(Pair { key, value: any })
}

const TEXT: u8 = 1 << 3 | BYTES;
const INT: u8 = 3 << 3 | VARINT;

/// What follows a tag of one byte.
#[inline]
fn after<'m, 'a>(message: &'m mut &'a [u8], tag: u8) -> Option<&'m mut &'a [u8]> {
    let (first, rest) = message.split_first()?;
    *message = rest;
    (*first == tag).then_some(message)
}

/// A `KeyValue`.
#[inline]
pub fn pair(message: &[u8]) -> Pair<'_> {
    usual_pair(message).unwrap_or_else(|| any_pair(message))
}

fn any_pair(message: &[u8]) -> Pair<'_> {
    let mut pair = Pair { key: &[], value: Any::Unset };
    for field in Fields(message) {
        match field {
            (1, Wire::Bytes(key)) => pair.key = key,
            (2, Wire::Bytes(value)) => pair.value = any(value),
            _ => {}
        }
    }
    pair
}

/// An `AnyValue`.
#[inline]
pub fn any(message: &[u8]) -> Any<'_> {
    // Others than these are skipped, as everywhere.
    Fields(message).filter(|(number, _)| *number <= 8).last().map_or(Any::Unset, |field| match field {
        (1, Wire::Bytes(text)) => Any::Text(text),
        (2, Wire::Varint(flag)) => Any::Flag(flag != 0),
        (3, Wire::Varint(number)) => Any::Int(number.cast_signed()),
        (4, Wire::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
        (5, Wire::Bytes(list)) => Any::List(list),
        (6, Wire::Bytes(map)) => Any::Map(map),
        (7, Wire::Bytes(bytes)) => Any::Bytes(bytes),
        _ => Any::Unset,
    })
}

/// A text field; its message has been found to be plain, so it is UTF-8.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// How deep a value is followed when it becomes JSON.
const DEPTH_MAX: u8 = 32;

/// A value as JSON; what is no JSON, and what lies too deep, is `null`.
pub fn to_json(value: Any<'_>) -> Value {
    json_within(value, 0)
}

fn json_within(value: Any<'_>, depth: u8) -> Value {
    if depth == DEPTH_MAX {
        return Value::Null;
    }
    match value {
        Any::Text(bytes) => Value::from(text(bytes)),
        Any::Flag(flag) => Value::from(flag),
        Any::Int(number) => Value::from(number),
        Any::Double(number) => Value::from(number),
        Any::List(list) => items(list).map(|item| json_within(item, depth + 1)).collect(),
        Any::Map(map) => pairs(map, 1).map(|pair| (text(pair.key).to_owned(), json_within(pair.value, depth + 1))).collect(),
        Any::Bytes(_) | Any::Unset => Value::Null,
    }
}
