//! From a span to a claim.

use domain::{Call, Claim, FunctionName, Instance, Kind, Millis, Product, RequestId, SpanId, TraceId, Value};
use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::attributes::{Attributes, kept_text, text_of};
use crate::parse::{Reject, cut};

/// The longest identifier: an ARN has at most 200 bytes, a log stream 512.
const ID_BYTES_MAX: usize = 512;
/// Under which names instrumentations put the request ID; the second is the name before semantic conventions 1.19.
const REQUEST_ID: [&str; 2] = ["faas.invocation_id", "faas.execution"];
/// Under which names the function's ARN is found, newest first.
const FUNCTION_ARN: [&str; 3] = ["cloud.resource_id", "aws.lambda.invoked_arn", "faas.id"];
/// Where a process ran, narrowest first. `service.instance.id` comes last: SDKs make it up per process, so that nothing
/// else that was written by that process carries it.
const INSTANCE: [&str; 4] = ["faas.instance", "k8s.pod.name", "host.name", "service.instance.id"];
/// Under which names an X-Ray trace ID or header was seen where the trace has an ID of its own.
const XRAY: [&str; 4] = ["aws.xray.trace_id", "aws.xray.trace_header", "_X_AMZN_TRACE_ID", "com.amazonaws.xray.traceHeader"];

/// Reads one span.
pub fn read(span: &Span, resource: &[KeyValue], scope: &str) -> Result<Claim, Reject> {
    let (trace_id, span_id) = match (trace_id(&span.trace_id), span_id(&span.span_id)) {
        (Some(trace_id), Some(span_id)) => (trace_id, span_id),
        (trace_id, _) => {
            let (name, bytes, length) = if trace_id.is_none() { ("trace ID", &span.trace_id, 16) } else { ("span ID", &span.span_id, 8) };
            let found = if bytes.len() == length { "zeros only".to_owned() } else { format!("{} bytes", bytes.len()) };
            return Err(Reject::new(format!("expected a {name} of {length} bytes that are not all zero, found {found}"), &span.name));
        }
    };
    let attributes = Attributes::new(&span.attributes, resource);
    let kind = SpanKind::try_from(span.kind).unwrap_or_default();
    let started_at = time(span.start_time_unix_nano);
    let ended_at = time(span.end_time_unix_nano);
    let status = span.status.clone().unwrap_or_default();
    let status_word = match StatusCode::try_from(status.code).unwrap_or_default() {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    };
    let name = kept_text(&span.name);

    let mut claim = Claim::new(Kind::Span, super::FORMAT, "");
    claim.request_id = attributes.text(&REQUEST_ID).filter(|id| id.len() <= ID_BYTES_MAX).map(RequestId::from);
    claim.parent_span_id = self::span_id(&span.parent_span_id);
    claim.instance = attributes.text(&INSTANCE).map(|text| Instance::from(cut(text, ID_BYTES_MAX)));
    claim.pid = attributes.integer("process.pid").and_then(|pid| u32::try_from(pid).ok());
    claim.function = function(&attributes).map(|text| FunctionName::from(cut(text, ID_BYTES_MAX)));
    claim.platform = attributes.text(&["cloud.platform"]).and_then(platform);
    claim.started_at = started_at;
    claim.observed_at = ended_at;
    claim.elapsed_ms = started_at.zip(ended_at).filter(|(start, end)| end >= start).map(|(start, end)| Millis::between(start, end));
    claim.calls.extend(call(span, kind, &attributes, (started_at, ended_at)));

    attributes.keep(&mut claim.attributes);
    let mut say = |name: &str, value: Value| claim.attributes.insert(name.to_owned(), value);
    say("name", Value::from(name.as_str()));
    say("span_kind", Value::from(kind_word(kind)));
    say("status", Value::from(status_word));
    if !status.message.is_empty() {
        say("status_message", Value::from(kept_text(&status.message)));
    }
    if !scope.is_empty() {
        say("scope", Value::from(cut(scope, 256)));
    }
    if ended_at.is_none() {
        say("open", Value::from(true));
    }
    if let Some(xray) = xray_trace_id(&attributes, &span.links).filter(|xray| *xray != trace_id) {
        say("xray_trace_id", Value::from(xray.to_xray()));
    }
    if let Some(exception) = span.events.iter().rev().find(|event| event.name == "exception") {
        for (attribute, name) in [("exception.type", "exception_type"), ("exception.message", "exception_message")] {
            if let Some(text) = text_of(&exception.attributes, attribute) {
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
    let took = match (claim.elapsed_ms, claim.observed_at) {
        (Some(elapsed), _) => format!("for {elapsed}"),
        (None, Some(_)) => "ending before its start".to_owned(),
        (None, None) => "not ended".to_owned(),
    };
    let parent = claim.parent_span_id.as_ref().map_or_else(String::new, |parent| format!(" parent {parent}"));
    format!("span `{name}` {} from {from} {took} status {status} trace {trace_id} span {span_id}{parent}", kind_word(kind))
}

fn function<'a>(attributes: &Attributes<'a>) -> Option<&'a str> {
    let arn = || FUNCTION_ARN.iter().find_map(|name| attributes.text(&[name]).and_then(function_of_arn));
    attributes
        .text(&["faas.name"])
        .or_else(arn)
        .or_else(|| attributes.text(&["service.name"]).filter(|name| !name.starts_with("unknown_service")))
}

/// `arn:aws:lambda:us-east-1:123456789012:function:checkout:live` → `checkout`
fn function_of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.strip_prefix("arn:")?.split(':').skip(1);
    let is_lambda = parts.next() == Some("lambda");
    let name = parts.nth(3);
    name.filter(|name| is_lambda && !name.is_empty())
}

/// The values of `cloud.platform` that have a limit of their own (semantic conventions 1.38, read 2026-11-22).
fn platform(text: &str) -> Option<Product> {
    Some(match text {
        "aws_lambda" => Product::AWS_LAMBDA,
        "gcp_cloud_run" => Product::from("cloud_run"),
        "gcp_cloud_functions" => Product::from("cloud_functions"),
        "azure_functions" | "azure.functions" => Product::from("azure_functions"),
        _ => return None,
    })
}

/// A span at the caller's side is a call. So is an internal one that names the system it talks to: people who instrument
/// by hand rarely set the kind.
fn call(
    span: &Span,
    kind: SpanKind,
    attributes: &Attributes<'_>,
    (started_at, ended_at): (Option<Timestamp>, Option<Timestamp>),
) -> Option<Call> {
    let names_a_system = ["db.system", "db.system.name", "rpc.system", "messaging.system"].iter().any(|name| attributes.has(name));
    let is_call = matches!(kind, SpanKind::Client | SpanKind::Producer) || kind == SpanKind::Internal && names_a_system;
    is_call.then(|| Call {
        operation: kept_text(&operation(&span.name, attributes)),
        target: target(attributes).map(|text| kept_text(&text)),
        started_at,
        ended_at,
        client_timeout_ms: None,
        no_client_timeout: false,
    })
}

/// `POST`, `SELECT orders`, `Payments/Charge`; else the span's name.
fn operation(name: &str, attributes: &Attributes<'_>) -> String {
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
fn target(attributes: &Attributes<'_>) -> Option<String> {
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
fn xray_trace_id(attributes: &Attributes<'_>, links: &[Link]) -> Option<TraceId> {
    let header = |text: &str| {
        let root = text.split(';').find_map(|part| part.trim().strip_prefix("Root=")).unwrap_or(text);
        TraceId::parse(root)
    };
    attributes.own_text(&XRAY).and_then(header).or_else(|| {
        let link = links.iter().find(|link| text_of(&link.attributes, "source") == Some("x-ray-env"))?;
        trace_id(&link.trace_id)
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

/// Zero is "not set".
fn time(unix_nanoseconds: u64) -> Option<Timestamp> {
    if unix_nanoseconds == 0 {
        return None;
    }
    Timestamp::from_nanosecond(i128::from(unix_nanoseconds)).ok()
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    (bytes.len() == 16).then(|| TraceId::parse(&hex(bytes))).flatten()
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    let valid = bytes.len() == 8 && bytes.iter().any(|b| *b != 0);
    valid.then(|| SpanId::from(hex(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).collect()
}
