//! The protobuf form: `logproto.PushRequest` in one block of snappy.

use jiff::Timestamp;
use prost::Message;

use super::{Entry, Labels, Stream, labels};

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

/// Reads a body.
///
/// # Errors
/// What was expected and what was found.
pub fn streams(input: &[u8]) -> Result<Vec<Stream>, String> {
    let expected = |found: &dyn std::fmt::Display| format!("expected JSON, or protobuf in a block of snappy, found {found}");
    let length = snap::raw::decompress_len(input).map_err(|error| expected(&error))?;
    if input.is_empty() || length > DECOMPRESSED_BYTES_MAX {
        return Err(expected(&format!("{} bytes that would be {length}", input.len())));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(input).map_err(|error| expected(&error))?;
    let request = PushRequest::decode(bytes.as_slice()).map_err(|error| expected(&error))?;
    request.streams.into_iter().map(stream).collect()
}

fn stream(stream: WireStream) -> Result<Stream, String> {
    let labels = labels::parse(&stream.labels)?;
    Ok(Stream { labels, entries: stream.entries.into_iter().map(|wire| Ok(entry(wire))).collect() })
}

fn entry(entry: WireEntry) -> Entry {
    let at = entry.timestamp.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    let metadata: Labels = entry.structured_metadata.into_iter().map(|pair| (pair.name, pair.value)).collect();
    Entry { at, line: entry.line, metadata }
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
