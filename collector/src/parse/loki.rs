//! Loki's push API as a way in: streams of lines with labels, as JSON or as protobuf compressed with snappy.
//!
//! ```text
//! {"streams":[{"stream":{"job":"lambda","function_name":"pay"},"values":[["1770804003002000000","START RequestId: …",{"trace_id":"5885…"}]]}]}
//! {"streams":[{"labels":"{job=\"old\"}","entries":[{"ts":"2026-02-11T10:00:03.002Z","line":"…"}]}]}              /api/prom/push
//! ```
//!
//! Loki's HTTP API reference and `pkg/push/push.proto`, read in November 2026. Snappy's block format, not its frames. The answer
//! that agents want is `receive/loki.rs`. `docs/formats/loki.md`.

mod json;
mod labels;
mod wire;

use std::collections::BTreeMap;

use domain::{Claim, Instance, Kind, RequestId, TraceId, Value as Fact};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::carried::{self, Carried};
use super::envelope::{Envelope, function_of};
use super::events::{Detail, Marked};
use super::{Context, Fate, Format, Item, Parsed, Reject, marks};

/// The format's name.
pub const FORMAT: &str = "loki";

/// A push as JSON: its labels may name a request.
pub(super) const MARKS: marks::Declared = &[&["\"streams\":", "\"streams\" "]];

/// Labels or metadata: names with their values.
pub(super) type Labels = BTreeMap<String, String>;

/// Lines of one source.
struct Stream<'t> {
    labels: Labels,
    /// A line, or why it is none.
    entries: Vec<Result<Entry<'t>, Reject>>,
}

struct Entry<'t> {
    at: Option<Timestamp>,
    line: Text<'t>,
    /// What is told beside it.
    metadata: Metadata<'t>,
}

/// A line as it was sent.
enum Text<'t> {
    Plain(&'t str),
    /// In quotes, with escapes.
    Json(&'t str),
}

/// Structured metadata as it was sent.
enum Metadata<'t> {
    None,
    /// An object.
    Json(&'t str),
    /// The entry's message.
    Wire(&'t [u8]),
}

/// Labels that name the place where lines were written, in order of preference: the innermost first.
const PLACES: [&str; 9] = ["instance", "pod", "container", "container_name", "hostname", "host", "nodename", "node_name", "filename"];
/// Labels that name a function or service.
const FUNCTIONS: [&str; 5] = ["function_name", "function", "faas_name", "service_name", "service"];

/// Labels or metadata that name a request.
const REQUESTS: [&str; 4] = ["request_id", "requestId", "aws_request_id", "faas_invocation_id"];

/// Reads a body.
#[must_use]
pub(super) fn parse(input: &[u8], read_as: (&Context, Detail)) -> Parsed {
    match read_body(input, read_as) {
        Ok(parsed) => parsed,
        Err(reason) => {
            let reject = Reject::new(reason, &String::from_utf8_lossy(input));
            Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 }
        }
    }
}

/// Reads a body for what it says, for whoever refuses one that is no push.
///
/// # Errors
/// What was expected and what was found.
pub fn read_push(input: &[u8], context: &Context) -> Result<Parsed, String> {
    read_body(input, (context, Detail::Count))
}

fn read_body(input: &[u8], read_as: (&Context, Detail)) -> Result<Parsed, String> {
    if input.trim_ascii_start().starts_with(b"{") {
        return Ok(read(&json::streams(input)?, read_as));
    }
    let message = wire::unpacked(input)?;
    Ok(read(&wire::streams(&message)?, read_as))
}

/// Whether bytes that are no text are a push.
pub(super) fn looks_like_push(input: &[u8]) -> bool {
    let has_labels = |message: &[u8]| wire::streams(message).is_ok_and(|streams| streams.iter().any(|stream| !stream.labels.is_empty()));
    wire::unpacked(input).is_ok_and(|message| has_labels(&message))
}

/// Reads a body as a record among others.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let streams = object.get("streams")?.as_array()?;
    let is_stream = |stream: &Value| stream.get("stream").is_some() || stream.get("labels").is_some();
    (object.len() == 1 && streams.iter().all(is_stream)).then_some(())?;
    let body = serde_json::to_vec(object).ok()?;
    let parsed = read(&json::streams(&body).ok()?, (&Context::default(), Detail::All));
    Some(parsed.items.into_iter().map(|item| item.fate).collect())
}

fn read(streams: &[Stream<'_>], (context, detail): (&Context, Detail)) -> Parsed {
    let (mut items, mut number) = (Vec::new(), 0);
    for stream in streams {
        let first = number + 1;
        number += stream.entries.len() as u64;
        let rejects = (first..).zip(&stream.entries).filter_map(|(line, entry)| Some((line, entry.as_ref().err()?.clone())));
        items.extend(rejects.map(|(line, reject)| Item { line, fate: Fate::Rejected(reject) }));
        let lines = (first..).zip(&stream.entries).filter_map(|(number, entry)| Some(entry.as_ref().ok()?.carried(number, detail)));
        let around = envelope(&stream.labels);
        let mut told = BTreeMap::new();
        let open = |line: &Carried<'_, &Entry<'_>>| {
            told.insert(line.number, line.head.metadata.pairs());
            (Envelope { at: line.head.at, ..around.clone() }, line.head.line.to_text())
        };
        // Lines of one stream belong together; those of two never do.
        let read = carried::read(Format::Auto, lines, open, (context, detail));
        items.extend(read.into_iter().map(|item| {
            let metadata = told.remove(&item.line).unwrap_or_default();
            Item { fate: about(item.fate, &stream.labels, &metadata), ..item }
        }));
    }
    items.sort_by_key(|item| item.line);
    Parsed { items, lines: number }
}

impl<'t> Entry<'t> {
    fn carried(&'t self, number: u64, detail: Detail) -> Carried<'t, &'t Self> {
        let (sent, beginning) = match self.line {
            Text::Plain(text) => (text, text),
            Text::Json(text) => (text, text.trim_matches('"').split('\\').next().unwrap_or_default()),
        };
        let marked = if self.metadata.may_name_a_request() { Marked::Yes } else { detail.marked(sent.as_bytes()) };
        Carried { number, writer: [None; 3], marked, beginning, head: self }
    }
}

impl Text<'_> {
    fn to_text(&self) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            // Half of a character in two parts is no reason to lose the line.
            Self::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| text.trim_matches('"').to_owned()),
        }
    }
}

impl Metadata<'_> {
    fn pairs(&self) -> Labels {
        match self {
            Self::None => Labels::new(),
            Self::Json(object) => json::names(object),
            Self::Wire(entry) => wire::metadata(entry).map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    fn may_name_a_request(&self) -> bool {
        match self {
            Self::None => false,
            Self::Json(object) => object.contains('\\') || REQUESTS.iter().any(|name| object.contains(name)),
            Self::Wire(entry) => wire::metadata(entry).any(|(name, _)| REQUESTS.contains(&name)),
        }
    }
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
        let request_id = id(&REQUESTS);
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
