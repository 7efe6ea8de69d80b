//! OpenTelemetry traces: one claim a span.
//!
//! ```text
//! {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]},"scopeSpans":[{"spans":[
//!   {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"checkout","kind":2,
//!    "startTimeUnixNano":"1795348972282614000","endTimeUnixNano":"1795348975284134000",
//!    "attributes":[{"key":"faas.invocation_id","value":{"stringValue":"6f747a63-…"}}]}]}]}]}
//! ```
//!
//! OTLP 1.x as in opentelemetry-proto's specification (read 2026-11-22); which attributes say what: `docs/formats/otlp_traces.md`.
//! A trace may hold many requests, so a span without a request ID of its own is found under its trace; whose request it
//! belongs to is decided by parentage, in `correlate`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};

use domain::{Call, Claim, Kind, Millis, SpanId, TraceId, Value};
use jiff::Timestamp;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::otlp::attributes::{Attributes, COUNT_MAX, kept_text, text_of};
use super::otlp::identity::{self, Identity};
use super::otlp::span::{Span, links};
use super::otlp::tree::Around;
use super::{Reject, cut, marks};

/// The format's name.
pub const FORMAT: &str = "otlp_traces";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["resourceSpans", "resource_spans"]];

/// Under which names an X-Ray trace ID or header was seen where the trace has an ID of its own.
const XRAY: [&str; 4] = ["aws.xray.trace_id", "aws.xray.trace_header", "_X_AMZN_TRACE_ID", "com.amazonaws.xray.traceHeader"];

/// Reads one span.
pub(super) fn read(span: &Span<'_>, around: &Around<'_>) -> Result<Claim, Reject> {
    let (trace_id, span_id) = match (identity::trace_id(span.trace_id), identity::span_id(span.id)) {
        (Some(trace_id), Some(span_id)) => (trace_id, span_id),
        (trace_id, _) => {
            let (name, bytes, length) = if trace_id.is_none() { ("trace ID", span.trace_id, 16) } else { ("span ID", span.id, 8) };
            let found = if bytes.len() == length { "zeros only".to_owned() } else { format!("{} bytes", bytes.len()) };
            return Err(Reject::new(format!("expected a {name} of {length} bytes that are not all zero, found {found}"), span.name()));
        }
    };
    let attributes = Attributes::new(&span.attributes, &around.resource);
    let kind = SpanKind::try_from(span.kind).unwrap_or_default();
    let started_at = identity::time(span.started_unix_nano);
    let ended_at = identity::time(span.ended_unix_nano);
    let seen_at = ended_at.or_else(|| identity::time(span.seen_open_unix_nano));
    let name = kept_text(span.name());

    let mut claim = Claim::new(Kind::Span, FORMAT, "");
    Identity::of(&attributes).fill(&mut claim);
    claim.trace_id = Some(trace_id);
    claim.span_id = Some(span_id);
    claim.parent_span_id = identity::span_id(span.parent_id);
    claim.started_at = started_at;
    claim.observed_at = seen_at;
    claim.elapsed_ms = started_at.zip(seen_at).filter(|(start, seen)| seen >= start).map(|(start, seen)| Millis::between(start, seen));
    claim.calls = call(span, kind, &attributes, (started_at, ended_at)).into_iter().collect();
    claim.raw = Sentence { claim: &claim, kind, name: &name, status: status_word(span), is_open: ended_at.is_none() }.text();
    claim.attributes = kept(span, kind, name, &attributes, around);
    if ended_at.is_none() {
        claim.attributes.insert("open".to_owned(), Value::from(true));
    }
    if let Some(xray) = xray_trace_id(&attributes, span).filter(|xray| Some(xray) != claim.trace_id.as_ref()) {
        claim.attributes.insert("xray_trace_id".to_owned(), Value::from(xray.to_xray()));
    }
    Ok(claim)
}

/// How many facts of its own a span mostly has.
const FACTS: usize = 4;

fn kept(span: &Span<'_>, kind: SpanKind, name: String, attributes: &Attributes<'_, '_>, around: &Around<'_>) -> BTreeMap<String, Value> {
    let mut said = Vec::with_capacity(attributes.kept().size_hint().1.unwrap_or_default() + FACTS);
    // An application's own attribute of that name would be taken for ours.
    said.extend(attributes.kept().filter(|(name, _)| name != "open"));
    let mut say = |name: &str, value: Value| said.push((name.to_owned(), value));
    if let Some(dropped) = span.attribute_count.checked_sub(COUNT_MAX).filter(|dropped| *dropped > 0) {
        say("attributes_dropped", Value::from(u32::try_from(dropped).unwrap_or(u32::MAX)));
    }
    say("name", Value::from(name));
    say("span_kind", Value::from(kind_word(kind)));
    say("status", Value::from(status_word(span)));
    if !span.status_message().is_empty() {
        say("status_message", Value::from(kept_text(span.status_message())));
    }
    if !around.scope.is_empty() {
        say("scope", Value::from(cut(around.scope, 256)));
    }
    if let Some(exception) = span.last_exception() {
        for (attribute, name) in [("exception.type", "exception_type"), ("exception.message", "exception_message")] {
            if let Some(text) = text_of(&exception, attribute) {
                say(name, Value::from(kept_text(text)));
            }
        }
    }
    // Of two of a name the last counts.
    said.into_iter().collect()
}

/// A span has no text of its own; this is what people are shown in its place.
struct Sentence<'a> {
    claim: &'a Claim,
    kind: SpanKind,
    name: &'a str,
    status: &'static str,
    is_open: bool,
}

impl Sentence<'_> {
    fn text(&self) -> String {
        let mut text = String::with_capacity(self.name.len() + 256);
        let _ = write!(text, "{self}");
        text
    }
}

impl Display for Sentence<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { claim, name, status, is_open, .. } = self;
        write!(f, "span `{name}` {} from ", kind_word(self.kind))?;
        match claim.started_at {
            Some(at) => write!(f, "{at} ")?,
            None => f.write_str("unknown ")?,
        }
        match (claim.elapsed_ms, claim.observed_at) {
            (Some(elapsed), _) if *is_open => write!(f, "still open after {elapsed}")?,
            (Some(elapsed), _) => write!(f, "for {elapsed}")?,
            (None, Some(_)) if !is_open => f.write_str("ending before its start")?,
            (None, _) => f.write_str("not ended")?,
        }
        write!(f, " status {status}")?;
        let ids = [
            ("trace", claim.trace_id.as_ref().map(TraceId::as_str)),
            ("span", claim.span_id.as_ref().map(SpanId::as_str)),
            ("parent", claim.parent_span_id.as_ref().map(SpanId::as_str)),
        ];
        for (what, id) in ids {
            if let Some(id) = id {
                write!(f, " {what} {id}")?;
            }
        }
        Ok(())
    }
}

/// A span at the caller's side is a call. So is an internal one that names the system it talks to: people who instrument
/// by hand rarely set the kind.
fn call(
    span: &Span<'_>,
    kind: SpanKind,
    attributes: &Attributes<'_, '_>,
    (started_at, ended_at): (Option<Timestamp>, Option<Timestamp>),
) -> Option<Call> {
    let names_a_system = ["db.system", "db.system.name", "rpc.system", "messaging.system"].iter().any(|name| attributes.has(name));
    let is_call = matches!(kind, SpanKind::Client | SpanKind::Producer) || kind == SpanKind::Internal && names_a_system;
    is_call.then(|| Call {
        operation: kept_text(&operation(span.name(), attributes)),
        target: target(attributes).map(kept_text),
        started_at,
        ended_at,
        client_timeout_ms: None,
        no_client_timeout: false,
    })
}

/// `POST`, `SELECT orders`, `Payments/Charge`; else the span's name.
fn operation<'a>(name: &'a str, attributes: &Attributes<'a, '_>) -> Cow<'a, str> {
    if let Some(method) = attributes.own_text(&["http.request.method", "http.method"]) {
        return Cow::Borrowed(method);
    }
    if let Some(operation) = attributes.own_text(&["db.operation.name", "db.operation"]) {
        let table = attributes.own_text(&["db.collection.name", "db.sql.table", "db.mongodb.collection"]);
        return table.map_or(Cow::Borrowed(operation), |table| Cow::Owned(format!("{operation} {table}")));
    }
    match (attributes.own_text(&["rpc.service"]), attributes.own_text(&["rpc.method"])) {
        (Some(service), Some(method)) => Cow::Owned(format!("{service}/{method}")),
        (None, Some(method)) => Cow::Borrowed(method),
        _ => Cow::Borrowed(name),
    }
}

/// Whom the call went to, narrowest first: a host, else the host of a URL, else a queue, a database, a system.
fn target<'a>(attributes: &Attributes<'a, '_>) -> Option<&'a str> {
    attributes
        .own_text(&["server.address", "net.peer.name", "http.host", "peer.service"])
        .or_else(|| attributes.own_text(&["url.full", "http.url"]).and_then(host_of))
        .or_else(|| attributes.own_text(&["network.peer.address", "net.peer.ip", "net.sock.peer.addr"]))
        .or_else(|| attributes.own_text(&["messaging.destination.name", "messaging.destination"]))
        .or_else(|| attributes.own_text(&["db.namespace", "db.name", "db.system.name", "db.system", "rpc.system"]))
}

/// `https://user@payments.internal:8443/charge?x=1` → `payments.internal:8443`
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next().filter(|host| !host.is_empty())
}

/// The X-Ray trace that Lambda ran the invocation in, where the tracer used IDs of its own: an attribute, or the span link
/// that OpenTelemetry's Lambda instrumentations make of the environment (`source` = `x-ray-env`).
fn xray_trace_id(attributes: &Attributes<'_, '_>, span: &Span<'_>) -> Option<TraceId> {
    let header = |text: &str| {
        let root = text.split(';').find_map(|part| part.trim().strip_prefix("Root=")).unwrap_or(text);
        TraceId::parse(root)
    };
    attributes.own_text(&XRAY).and_then(header).or_else(|| {
        let link = links(span).find(|link| text_of(&link.attributes, "source") == Some("x-ray-env"))?;
        identity::trace_id(link.trace_id)
    })
}

fn status_word(span: &Span<'_>) -> &'static str {
    match StatusCode::try_from(span.status_code).unwrap_or_default() {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    }
}

fn kind_word(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

#[cfg(test)]
mod tests;
