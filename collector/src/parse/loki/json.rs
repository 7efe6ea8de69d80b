//! The JSON form, in both of its shapes.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Entry, Labels, Metadata, Stream, Text, labels};
use crate::parse::{Reject, times};

#[derive(Deserialize)]
struct Push<'t> {
    #[serde(borrow)]
    streams: Vec<JsonStream<'t>>,
}

/// `{"stream": {…}, "values": […]}`, or the older `{"labels": "{…}", "entries": […]}`.
#[derive(Deserialize)]
struct JsonStream<'t> {
    #[serde(borrow)]
    stream: Option<&'t RawValue>,
    #[serde(borrow)]
    labels: Option<&'t RawValue>,
    /// Each is read by itself: one that is none costs no other.
    #[serde(borrow)]
    values: Option<Vec<&'t RawValue>>,
    #[serde(borrow)]
    entries: Option<Vec<&'t RawValue>>,
}

/// `["<nanoseconds>", "<line>", {…}]`.
#[derive(Deserialize)]
struct JsonValue<'t>(#[serde(borrow)] &'t RawValue, #[serde(borrow)] &'t RawValue, #[serde(borrow, default)] Option<&'t RawValue>);

/// `{"ts": "<RFC 3339>", "line": "<line>"}`.
#[derive(Deserialize)]
struct JsonEntry<'t> {
    #[serde(borrow, alias = "timestamp")]
    ts: Option<&'t RawValue>,
    #[serde(borrow)]
    line: &'t RawValue,
}

/// Reads a body.
///
/// # Errors
/// What was expected and what was found.
pub fn streams(input: &[u8]) -> Result<Vec<Stream<'_>>, String> {
    let push: Push<'_> =
        serde_json::from_slice(input).map_err(|error| format!("expected a push (`streams` with their `values`), found {error}"))?;
    push.streams.into_iter().map(stream).collect()
}

fn stream(stream: JsonStream<'_>) -> Result<Stream<'_>, String> {
    let written = |labels: &RawValue| serde_json::from_str::<String>(labels.get()).ok();
    let labels = match (stream.stream.map(RawValue::get), stream.labels.and_then(written)) {
        (Some(object), _) if object.starts_with('{') => names(object),
        (None, Some(text)) => labels::parse(&text)?,
        _ => return Err("expected labels under `stream`".to_owned()),
    };
    let mut entries: Vec<_> = stream.values.unwrap_or_default().into_iter().map(value).collect();
    entries.extend(stream.entries.unwrap_or_default().into_iter().map(entry));
    Ok(Stream { labels, entries })
}

/// An object's names with their values.
pub fn names(object: &str) -> Labels {
    let object: Map<String, Value> = serde_json::from_str(object).unwrap_or_default();
    object.into_iter().map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

fn value(sent: &RawValue) -> Result<Entry<'_>, Reject> {
    let read = || {
        let JsonValue(at, line, metadata) = serde_json::from_str(sent.get()).ok()?;
        let metadata = metadata.map(RawValue::get).filter(|metadata| metadata.starts_with('{'));
        Some(Entry { at: Some(moment(at)?), line: text(line)?, metadata: metadata.map_or(Metadata::None, Metadata::Json) })
    };
    read().ok_or_else(|| Reject::new("expected `[\"<nanoseconds>\", \"<line>\"]`", sent.get()))
}

fn entry(sent: &RawValue) -> Result<Entry<'_>, Reject> {
    let read = || {
        let JsonEntry { ts, line } = serde_json::from_str(sent.get()).ok()?;
        Some(Entry { at: ts.and_then(moment), line: text(line)?, metadata: Metadata::None })
    };
    read().ok_or_else(|| Reject::new("expected an entry with `ts` and `line`", sent.get()))
}

fn text(sent: &RawValue) -> Option<Text<'_>> {
    Some(sent.get()).filter(|text| text.starts_with('"')).map(Text::Json)
}

fn moment(sent: &RawValue) -> Option<Timestamp> {
    let text = sent.get();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => text.parse().ok().and_then(times::epoch).or_else(|| times::rfc3339(text)),
        None => times::epoch(text.parse().ok()?),
    }
}
