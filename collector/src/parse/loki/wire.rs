//! The protobuf form: `logproto.PushRequest` in one block of snappy.

use jiff::Timestamp;
use prost::Message;

use super::{Entry, Metadata, Stream, Text, labels};
use crate::parse::otlp::grammar::{self, Kind, UNKNOWN, many, one};
use crate::parse::otlp::span::enumeration;
use crate::parse::otlp::value::{messages, text};
use crate::parse::otlp::wire::{Fields, Wire};

/// How much a block may hold after decompression: what a body may have, see `receive.decompressed_bytes_max`.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

#[derive(Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<WireStream>,
}

#[derive(Message)]
struct WireStream {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<WireEntry>,
}

#[derive(Message)]
struct WireEntry {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<WireTimestamp>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<WirePair>,
}

/// `google.protobuf.Timestamp`.
#[derive(Message)]
struct WireTimestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Message)]
struct WirePair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

static PUSH: grammar::Message = grammar::message(&[UNKNOWN, many(Kind::Message(&STREAM))]);
static STREAM: grammar::Message = grammar::message(&[UNKNOWN, one(Kind::Text), many(Kind::Message(&ENTRY))]);
static ENTRY: grammar::Message = grammar::message(&[UNKNOWN, one(Kind::Message(&TIMESTAMP)), one(Kind::Text), many(Kind::Message(&PAIR))]);
static TIMESTAMP: grammar::Message = grammar::message(&[UNKNOWN, one(Kind::Varint), one(Kind::Varint)]);
static PAIR: grammar::Message = grammar::message(&[UNKNOWN, one(Kind::Text), one(Kind::Text)]);

/// The message in a body, in plain protobuf.
///
/// # Errors
/// What was expected and what was found.
pub fn unpacked(input: &[u8]) -> Result<Vec<u8>, String> {
    let expected = |found: &dyn std::fmt::Display| format!("expected JSON, or protobuf in a block of snappy, found {found}");
    let length = snap::raw::decompress_len(input).map_err(|error| expected(&error))?;
    if input.is_empty() || length > DECOMPRESSED_BYTES_MAX {
        return Err(expected(&format!("{} bytes that would be {length}", input.len())));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(input).map_err(|error| expected(&error))?;
    if grammar::is_plain(&bytes, &PUSH) {
        return Ok(bytes);
    }
    // What is odd, prost judges and puts in order.
    PushRequest::decode(bytes.as_slice()).map(|request| request.encode_to_vec()).map_err(|error| expected(&error))
}

/// Reads the message of a body.
///
/// # Errors
/// What was expected and what was found.
pub fn streams(message: &[u8]) -> Result<Vec<Stream<'_>>, String> {
    messages(message, 1).map(stream).collect()
}

fn stream(message: &[u8]) -> Result<Stream<'_>, String> {
    let labels = labels::parse(text(messages(message, 1).next().unwrap_or_default()))?;
    Ok(Stream { labels, entries: messages(message, 2).map(|message| Ok(entry(message))).collect() })
}

fn entry(message: &[u8]) -> Entry<'_> {
    let mut entry = Entry { at: None, line: Text::Plain(""), metadata: Metadata::Wire(message) };
    for field in Fields(message) {
        match field {
            (1, Wire::Bytes(timestamp)) => entry.at = moment(timestamp),
            (2, Wire::Bytes(line)) => entry.line = Text::Plain(text(line)),
            _ => {}
        }
    }
    entry
}

fn moment(timestamp: &[u8]) -> Option<Timestamp> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields(timestamp) {
        match field {
            (1, Wire::Varint(number)) => seconds = number.cast_signed(),
            (2, Wire::Varint(number)) => nanos = enumeration(number),
            _ => {}
        }
    }
    Timestamp::new(seconds, nanos).ok()
}

/// The structured metadata of an entry.
pub fn metadata(entry: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    messages(entry, 3).map(|pair| {
        let part = |number| text(messages(pair, number).next().unwrap_or_default());
        (part(1), part(2))
    })
}

/// Labels, seconds, nanoseconds, the line, structured metadata.
#[cfg(test)]
type Sent<'a> = (&'a str, i64, i32, &'a str, &'a [(&'a str, &'a str)]);

#[cfg(test)]
pub(super) fn encode(streams: &[Sent<'_>]) -> Vec<u8> {
    let streams = streams.iter().map(|(labels, seconds, nanos, line, metadata)| WireStream {
        labels: (*labels).to_owned(),
        entries: vec![WireEntry {
            timestamp: Some(WireTimestamp { seconds: *seconds, nanos: *nanos }),
            line: (*line).to_owned(),
            structured_metadata: metadata
                .iter()
                .map(|(name, value)| WirePair { name: (*name).to_owned(), value: (*value).to_owned() })
                .collect(),
        }],
    });
    let bytes = PushRequest { streams: streams.collect() }.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&bytes).expect("small")
}
