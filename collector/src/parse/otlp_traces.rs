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

use domain::{Call, Claim, Kind, Millis, SpanId, TraceId, Value};
use jiff::Timestamp;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::otlp::attributes::{Attributes, kept_text, text_of};
use super::otlp::identity::{self, Identity};
use super::otlp::span::{Span, links};
use super::otlp::tree::Around;
use super::{Reject, cut};

/// The format's name.
pub const FORMAT: &str = "otlp_traces";

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
    let status_word = match StatusCode::try_from(span.status_code).unwrap_or_default() {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    };
    let name = kept_text(span.name());

    let mut claim = Claim::new(Kind::Span, FORMAT, "");
    Identity::of(&attributes).fill(&mut claim);
    claim.parent_span_id = identity::span_id(span.parent_id);
    claim.started_at = started_at;
    claim.observed_at = seen_at;
    claim.elapsed_ms = started_at.zip(seen_at).filter(|(start, seen)| seen >= start).map(|(start, seen)| Millis::between(start, seen));
    claim.calls.extend(call(span, kind, &attributes, (started_at, ended_at)));

    attributes.keep(&mut claim.attributes);
    // An application's own attribute of that name would be taken for ours.
    claim.attributes.remove("open");
    let mut say = |name: &str, value: Value| claim.attributes.insert(name.to_owned(), value);
    say("name", Value::from(name.as_str()));
    say("span_kind", Value::from(kind_word(kind)));
    say("status", Value::from(status_word));
    if !span.status_message().is_empty() {
        say("status_message", Value::from(kept_text(span.status_message())));
    }
    if !around.scope.is_empty() {
        say("scope", Value::from(cut(around.scope, 256)));
    }
    if ended_at.is_none() {
        say("open", Value::from(true));
    }
    if let Some(xray) = xray_trace_id(&attributes, span).filter(|xray| *xray != trace_id) {
        say("xray_trace_id", Value::from(xray.to_xray()));
    }
    if let Some(exception) = span.last_exception() {
        for (attribute, name) in [("exception.type", "exception_type"), ("exception.message", "exception_message")] {
            if let Some(text) = text_of(&exception, attribute) {
                say(name, Value::from(kept_text(text)));
            }
        }
    }
    claim.raw = sentence(&claim, kind, &name, status_word, &trace_id, &span_id);
    claim.trace_id = Some(trace_id);
    claim.span_id = Some(span_id);
    Ok(claim)
}

/// A span has no text of its own; this is what people are shown in its place.
fn sentence(claim: &Claim, kind: SpanKind, name: &str, status: &str, trace_id: &TraceId, span_id: &SpanId) -> String {
    let from = claim.started_at.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
    let is_open = claim.attributes.contains_key("open");
    let took = match (claim.elapsed_ms, claim.observed_at) {
        (Some(elapsed), _) if is_open => format!("still open after {elapsed}"),
        (Some(elapsed), _) => format!("for {elapsed}"),
        (None, Some(_)) if !is_open => "ending before its start".to_owned(),
        (None, _) => "not ended".to_owned(),
    };
    let parent = claim.parent_span_id.as_ref().map_or_else(String::new, |parent| format!(" parent {parent}"));
    format!("span `{name}` {} from {from} {took} status {status} trace {trace_id} span {span_id}{parent}", kind_word(kind))
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
        target: target(attributes).map(|text| kept_text(&text)),
        started_at,
        ended_at,
        client_timeout_ms: None,
        no_client_timeout: false,
    })
}

/// `POST`, `SELECT orders`, `Payments/Charge`; else the span's name.
fn operation(name: &str, attributes: &Attributes<'_, '_>) -> String {
    if let Some(method) = attributes.own_text(&["http.request.method", "http.method"]) {
        return method.to_owned();
    }
    if let Some(operation) = attributes.own_text(&["db.operation.name", "db.operation"]) {
        let table = attributes.own_text(&["db.collection.name", "db.sql.table", "db.mongodb.collection"]);
        return table.map_or_else(|| operation.to_owned(), |table| format!("{operation} {table}"));
    }
    match (attributes.own_text(&["rpc.service"]), attributes.own_text(&["rpc.method"])) {
        (Some(service), Some(method)) => format!("{service}/{method}"),
        (None, Some(method)) => method.to_owned(),
        _ => name.to_owned(),
    }
}

/// Whom the call went to, narrowest first: a host, else the host of a URL, else a queue, a database, a system.
fn target(attributes: &Attributes<'_, '_>) -> Option<String> {
    let host = attributes.own_text(&["server.address", "net.peer.name", "http.host", "peer.service"]).map(str::to_owned);
    host.or_else(|| attributes.own_text(&["url.full", "http.url"]).and_then(host_of).map(str::to_owned))
        .or_else(|| attributes.own_text(&["network.peer.address", "net.peer.ip", "net.sock.peer.addr"]).map(str::to_owned))
        .or_else(|| attributes.own_text(&["messaging.destination.name", "messaging.destination"]).map(str::to_owned))
        .or_else(|| attributes.own_text(&["db.namespace", "db.name", "db.system.name", "db.system", "rpc.system"]).map(str::to_owned))
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
