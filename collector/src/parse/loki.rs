//! Loki's push API as a way in: streams of lines with labels, as JSON or as protobuf compressed with snappy.
//!
//! ```text
//! {"streams":[{"stream":{"job":"lambda","function_name":"pay"},"values":[["1770804003002000000","START RequestId: …",{"trace_id":"5885…"}]]}]}
//! {"streams":[{"labels":"{job=\"old\"}","entries":[{"ts":"2026-02-11T10:00:03.002Z","line":"…"}]}]}              /api/prom/push
//! ```
//!
//! Loki's HTTP API reference and `pkg/push/push.proto`, read in November 2026. Snappy's block format, not its frames. The answer
//! that agents want is `receive/loki.rs`. `docs/formats/loki.md`.

mod labels;
mod wire;

use std::collections::BTreeMap;

use domain::{Claim, Instance, Kind, RequestId, TraceId, Value as Fact};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::envelope::{Envelope, function_of};
use super::{Context, Fate, Item, Parsed, Reject, events, marks, times};

/// The format's name.
pub const FORMAT: &str = "loki";

/// A push as JSON: its labels may name a request.
pub(super) const MARKS: marks::Declared = &[&["\"streams\":", "\"streams\" "]];

/// Labels or metadata: names with their values.
pub(super) type Labels = BTreeMap<String, String>;

/// Lines of one source.
struct Stream {
    labels: Labels,
    /// A line, or why it is none.
    entries: Vec<Result<Entry, Reject>>,
}

struct Entry {
    at: Option<Timestamp>,
    line: String,
    /// What is told beside it: structured metadata.
    metadata: Labels,
}

/// Labels that name the place where lines were written, in order of preference: the innermost first.
const PLACES: [&str; 9] = ["instance", "pod", "container", "container_name", "hostname", "host", "nodename", "node_name", "filename"];
/// Labels that name a function or service.
const FUNCTIONS: [&str; 5] = ["function_name", "function", "faas_name", "service_name", "service"];

/// Reads a body.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    match read_push(input, context) {
        Ok(parsed) => parsed,
        Err(reason) => {
            let reject = Reject::new(reason, &String::from_utf8_lossy(input));
            Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 }
        }
    }
}

/// Reads a body, for whoever refuses one that is no push.
///
/// # Errors
/// What was expected and what was found.
pub fn read_push(input: &[u8], context: &Context) -> Result<Parsed, String> {
    streams(input).map(|streams| read(streams, context))
}

/// Whether bytes that are no text are a push.
pub(super) fn looks_like_push(input: &[u8]) -> bool {
    wire::streams(input).is_ok_and(|streams| streams.iter().any(|stream| !stream.labels.is_empty()))
}

/// Reads a body as a record among others.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let streams = object.get("streams")?.as_array()?;
    let is_stream = |stream: &Value| stream.get("stream").is_some() || stream.get("labels").is_some();
    (object.len() == 1 && streams.iter().all(is_stream)).then_some(())?;
    let parsed = read(streams.iter().map(json_stream).collect::<Result<_, _>>().ok()?, &Context::default());
    Some(parsed.items.into_iter().map(|item| item.fate).collect())
}

fn streams(input: &[u8]) -> Result<Vec<Stream>, String> {
    if input.trim_ascii_start().first().is_some_and(|first| *first == b'{') {
        let expected = |found: &dyn std::fmt::Display| format!("expected a push (`streams` with their `values`), found {found}");
        let body: Value = serde_json::from_slice(input).map_err(|error| expected(&error))?;
        let streams = body.get("streams").and_then(Value::as_array).ok_or_else(|| expected(&"no list of `streams`"))?;
        return streams.iter().map(json_stream).collect();
    }
    wire::streams(input)
}

/// `{"stream": {…}, "values": […]}`, or the older `{"labels": "{…}", "entries": […]}`.
fn json_stream(stream: &Value) -> Result<Stream, String> {
    let list = |name: &str| match stream.get(name) {
        None | Some(Value::Null) => Ok([].as_slice()),
        Some(Value::Array(list)) => Ok(list.as_slice()),
        Some(found) => Err(format!("expected `{name}` to be a list, found `{}`", super::cut(&found.to_string(), 64))),
    };
    let labels = match (stream.get("stream"), stream.get("labels").and_then(Value::as_str)) {
        (Some(Value::Object(labels)), _) => pairs(labels),
        (None, Some(text)) => labels::parse(text)?,
        _ => return Err("expected labels under `stream`".to_owned()),
    };
    let mut entries: Vec<_> = list("values")?.iter().map(value).collect();
    entries.extend(list("entries")?.iter().map(entry));
    Ok(Stream { labels, entries })
}

/// `["<nanoseconds>", "<line>", {…}]`.
fn value(value: &Value) -> Result<Entry, Reject> {
    let (at, line) = (value.get(0).and_then(moment), value.get(1).and_then(Value::as_str));
    let (Some(at), Some(line)) = (at, line) else {
        return Err(Reject::new("expected `[\"<nanoseconds>\", \"<line>\"]`", &value.to_string()));
    };
    Ok(Entry { at: Some(at), line: line.to_owned(), metadata: value.get(2).and_then(Value::as_object).map(pairs).unwrap_or_default() })
}

/// `{"ts": "<RFC 3339>", "line": "<line>"}`.
fn entry(entry: &Value) -> Result<Entry, Reject> {
    let at = entry.get("ts").or_else(|| entry.get("timestamp")).and_then(moment);
    match entry.get("line").and_then(Value::as_str) {
        Some(line) => Ok(Entry { at, line: line.to_owned(), metadata: Labels::new() }),
        None => Err(Reject::new("expected an entry with `ts` and `line`", &entry.to_string())),
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok().and_then(times::epoch).or_else(|| times::rfc3339(text)),
        Value::Number(number) => number.as_i64().and_then(times::epoch),
        _ => None,
    }
}

fn pairs(object: &Map<String, Value>) -> Labels {
    object.iter().map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

fn read(streams: Vec<Stream>, context: &Context) -> Parsed {
    let (mut items, mut number) = (Vec::new(), 0);
    for stream in streams {
        let (mut lines, mut told) = (Vec::new(), BTreeMap::new());
        for entry in stream.entries {
            number += 1;
            match entry {
                Ok(entry) => {
                    lines.push((number, Envelope { at: entry.at, ..envelope(&stream.labels) }, entry.line));
                    told.insert(number, entry.metadata);
                }
                Err(reject) => items.push(Item { line: number, fate: Fate::Rejected(reject) }),
            }
        }
        // Lines of one stream belong together; those of two never do.
        items.extend(events::carried(lines, context).into_iter().map(|item| {
            let metadata = told.remove(&item.line).unwrap_or_default();
            Item { fate: about(item.fate, &stream.labels, &metadata), ..item }
        }));
    }
    items.sort_by_key(|item| item.line);
    Parsed { items, lines: number }
}

/// Where a stream comes from. Lambda's forwarder says it in labels of its own.
fn envelope(labels: &Labels) -> Envelope {
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let (group, log_stream) = (label("__aws_cloudwatch_log_group"), label("__aws_cloudwatch_log_stream"));
    let instance = match (group, log_stream) {
        (Some(group), Some(stream)) => Some(format!("{group}:{stream}")),
        _ => PLACES.into_iter().find_map(label).map(str::to_owned),
    };
    let of_group = || function_of(group?, log_stream.unwrap_or_default());
    Envelope {
        instance: instance.map(Instance::from),
        function: FUNCTIONS.into_iter().find_map(label).or_else(of_group).map(Into::into),
        log_stream: log_stream.map(str::to_owned),
        by: Some(FORMAT),
        ..Envelope::default()
    }
}

/// Adds labels and metadata. A request ID in the metadata is as good as one in the line: the application attached it.
fn about(fate: Fate, labels: &Labels, metadata: &Labels) -> Fate {
    let add = |mut claim: Claim| {
        let id = |names: &[&str]| names.iter().find_map(|name| metadata.get(*name)).filter(|id| !id.is_empty());
        let request_id = id(&["request_id", "requestId", "aws_request_id", "faas_invocation_id"]);
        claim.request_id = claim.request_id.or_else(|| request_id.map(|id| RequestId::from(id.as_str())));
        claim.trace_id = claim.trace_id.or_else(|| id(&["trace_id", "traceId", "traceID"]).and_then(|id| TraceId::parse(id)));
        let map = |pairs: &Labels| Fact::Map(pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect());
        claim = claim.with("labels", map(labels));
        if metadata.is_empty() { claim } else { claim.with("structured_metadata", map(metadata)) }
    };
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(Box::new(add(*claim))),
        Fate::Ignored(claim) => {
            let claim = Box::new(add(*claim));
            if claim.kind == Kind::AppLog && claim.request_id.is_some() { Fate::Evidence(claim) } else { Fate::Ignored(claim) }
        }
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    }
}

#[cfg(test)]
mod tests;
