//! OpenTelemetry's protocol: requests of spans or log records, in protobuf or JSON, and what lies in them.
//!
//! A request is read where it lies: it is first found to be plain protobuf (`grammar`), then walked (`tree`), and each
//! span or log record becomes items while they are taken. What is no plain protobuf, prost judges: it is refused with prost's
//! words, or brought into the plain form. JSON is brought into it too, so there is one way from bytes to claims.
//!
//! What a span or a log record means is in `otlp_traces.rs` and `otlp_logs.rs`.

pub(super) mod attributes;
pub(super) mod grammar;
pub(super) mod identity;
mod json;
mod number;
pub(super) mod record;
mod resource;
pub(super) mod span;
pub(super) mod tree;
pub(super) mod value;
pub(super) mod wire;

use std::collections::VecDeque;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::{DecodeError, Message};
use serde::Deserialize as _;
use serde_json::Value;

use super::events::Detail;
use super::{Context, Fate, Item, Parsed, PassedLines, Reject, cut, otlp_logs, otlp_traces};
use record::Record;
use span::Span;
use tree::{Around, Walk};

/// What a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
}

/// A request, or a file of the same shape, found to be readable.
#[derive(Debug)]
pub struct Request {
    signal: Signal,
    /// Plain protobuf.
    bytes: Vec<u8>,
}

impl Signal {
    /// The format's name.
    #[must_use]
    pub fn format(self) -> &'static str {
        match self {
            Self::Traces => otlp_traces::FORMAT,
            Self::Logs => otlp_logs::FORMAT,
        }
    }

    fn grammar(self) -> &'static grammar::Message {
        match self {
            Self::Traces => &grammar::TRACES,
            Self::Logs => &grammar::LOGS,
        }
    }

    /// Reads a request in protobuf.
    ///
    /// # Errors
    ///
    /// When the bytes are no such message.
    pub fn of_protobuf(self, bytes: Vec<u8>) -> Result<Request, Reject> {
        if grammar::is_plain(&bytes, self.grammar()) {
            return Ok(Request { signal: self, bytes });
        }
        let (message, judged) = match self {
            Self::Traces => ("ExportTraceServiceRequest", canonical::<ExportTraceServiceRequest>(&bytes)),
            Self::Logs => ("ExportLogsServiceRequest", canonical::<ExportLogsServiceRequest>(&bytes)),
        };
        let refused = |error| Reject::new(format!("expected an {message} in protobuf: {error}"), "(binary)");
        Ok(Request { signal: self, bytes: judged.map_err(refused)? })
    }

    /// Reads a request in OTLP's JSON, enum names and snake case accepted.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or an ID in it is not written in hex at its full length.
    pub fn of_json(self, text: &[u8]) -> Result<Request, Reject> {
        let bytes = match self {
            Self::Traces => serde_json::from_slice(text).map(of_traces),
            Self::Logs => serde_json::from_slice(text).map(of_logs),
        };
        self.readable(bytes, || String::from_utf8_lossy(text).into_owned())
    }

    /// Reads a JSON value that was found among other things.
    fn of_json_value(self, value: &Value) -> Result<Request, Reject> {
        let bytes = match self {
            Self::Traces => json::Traces::deserialize(value).map(of_traces),
            Self::Logs => json::Logs::deserialize(value).map(of_logs),
        };
        self.readable(bytes, || value.to_string())
    }

    fn readable(self, bytes: serde_json::Result<Vec<u8>>, text: impl FnOnce() -> String) -> Result<Request, Reject> {
        let what = if self == Self::Traces { "trace" } else { "log" };
        let refused = |error: serde_json::Error| {
            Reject::new(format!("expected an OTLP {what} request in JSON: {}", cut(&error.to_string(), 300)), &text())
        };
        Ok(Request { signal: self, bytes: bytes.map_err(refused)? })
    }

    /// Reads a file or body of unknown encoding: protobuf, a JSON document, or one JSON document a line.
    #[must_use]
    pub(super) fn parse(self, input: &[u8], read_as: (&Context, Detail)) -> Parsed {
        let begins_json = input.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
        if !begins_json {
            return read(self.of_protobuf(input.to_vec()), read_as);
        }
        if let Ok(request) = self.of_json(input) {
            return read(Ok(request), read_as);
        }
        let text = String::from_utf8_lossy(input);
        let documents = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let mut parsed = Parsed { lines: text.lines().count() as u64, ..Parsed::default() };
        for (document, line) in documents {
            let items = read(self.of_json(document.as_bytes()), read_as).items;
            parsed.items.extend(items.into_iter().map(|item| Item { line, ..item }));
        }
        parsed
    }
}

/// What prost makes of a message: its own encoding of it.
fn canonical<M: Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    M::decode(bytes).map(|message| message.encode_to_vec())
}

fn of_traces(request: json::Traces) -> Vec<u8> {
    ExportTraceServiceRequest::from(request).encode_to_vec()
}

fn of_logs(request: json::Logs) -> Vec<u8> {
    ExportLogsServiceRequest::from(request).encode_to_vec()
}

/// Reads a JSON value that was found among other things, such as a line of a log. `None` when it is no OTLP document.
#[must_use]
pub fn parse_json_value(value: &Value, context: &Context) -> Option<Parsed> {
    let object = value.as_object()?;
    let has = |names: [&str; 2]| names.iter().any(|name| object.contains_key(*name));
    let traces = has(["resourceSpans", "resource_spans"]).then_some(Signal::Traces);
    let signal = traces.or_else(|| has(["resourceLogs", "resource_logs"]).then_some(Signal::Logs))?;
    Some(read(signal.of_json_value(value), (context, Detail::All)))
}

/// What a file in protobuf holds: a plain message with at least one span, or with at least one log record. `None` for
/// anything else; cheap for text.
#[must_use]
pub fn protobuf_signal(input: &[u8]) -> Option<Signal> {
    // Field 1, length-delimited.
    if input.first() != Some(&0x0a) {
        return None;
    }
    let holds = |signal: &Signal| {
        grammar::is_plain(input, signal.grammar())
            && Walk::new(input).next(input).is_some_and(|(leaf, _)| match signal {
                Signal::Traces => Span::of(leaf).trace_id.len() == 16,
                Signal::Logs => Record::of(leaf).at_unix_nano() != 0,
            })
    };
    [Signal::Traces, Signal::Logs].into_iter().find(holds)
}

fn read(request: Result<Request, Reject>, (context, detail): (&Context, Detail)) -> Parsed {
    match request {
        Ok(request) => {
            let mut items = Items::new(request, context.clone(), detail);
            Parsed { items: items.by_ref().collect(), lines: items.line }
        }
        Err(reject) => Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 },
    }
}

impl Request {
    /// Its items, read for what they say while they are taken: a claim takes several times its span. They are numbered by span or
    /// log record, in the order of the message.
    #[must_use]
    pub fn items(self, context: Context) -> Items {
        Items::new(self, context, Detail::Count)
    }

    /// Its bytes, in plain protobuf.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Reads the spans of a request of traces where they lie, each with what is said around it.
    pub fn for_each_span(&self, mut each: impl FnMut(&mut Span<'_>, &Around<'_>)) {
        let (mut walk, mut around, mut span) = (Walk::new(&self.bytes), Around::default(), Span::default());
        while let Some((leaf, within)) = walk.next(&self.bytes) {
            around.move_to(&self.bytes, within);
            span.read(leaf);
            each(&mut span, &around);
        }
    }
}

/// The items of a request.
pub struct Items {
    request: Request,
    context: Context,
    detail: Detail,
    walk: Walk,
    /// How many spans or log records were read.
    line: u64,
    /// What was read and not yet taken.
    ready: VecDeque<Item>,
    passed: PassedLines,
}

/// How many spans or log records are read at once: enough for what stands around them to be read seldom.
const AT_ONCE: usize = 64;

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.ready.is_empty() {
            self.read_some();
        }
        self.ready.pop_front()
    }
}

impl Items {
    fn new(request: Request, context: Context, detail: Detail) -> Self {
        let walk = Walk::new(&request.bytes);
        Self { request, context, detail, walk, line: 0, ready: VecDeque::new(), passed: PassedLines::default() }
    }

    fn read_some(&mut self) {
        let bytes = &self.request.bytes;
        let (mut around, mut span, mut record) = (Around::default(), Span::default(), Record::default());
        while self.ready.len() < AT_ONCE {
            let Some((leaf, within)) = self.walk.next(bytes) else {
                self.ready.extend(self.passed.take());
                return;
            };
            around.move_to(bytes, within);
            self.line += 1;
            let line = self.line;
            match self.request.signal {
                Signal::Traces => {
                    span.read(leaf);
                    let fate = otlp_traces::read(&span, &around).map_or_else(Fate::Rejected, |claim| Fate::Evidence(Box::new(claim)));
                    self.ready.push_back(Item { line, fate });
                }
                Signal::Logs => {
                    record.read(leaf);
                    if self.detail == Detail::Count && otlp_logs::is_nobodys(&record, &around) {
                        self.passed.add(line, 1);
                    } else {
                        let fates = otlp_logs::read(&record, &around, &self.context);
                        self.ready.extend(self.passed.take());
                        self.ready.extend(fates.into_iter().map(|fate| Item { line, fate }));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
