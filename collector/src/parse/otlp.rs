//! OpenTelemetry traces, protobuf or JSON: one claim a span.
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

mod attributes;
mod json;
mod number;
mod span;

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;

use super::{Fate, Item, Parsed, Reject, cut};

/// The format's name.
pub const FORMAT: &str = "otlp_traces";

/// Reads a file or body of unknown encoding: protobuf, a JSON document, or one JSON document a line.
#[must_use]
pub fn parse(input: &[u8]) -> Parsed {
    let begins_json = input.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    if !begins_json {
        return read(decode_protobuf(input));
    }
    if let Ok(request) = decode_json(input) {
        return spans(request);
    }
    let text = String::from_utf8_lossy(input);
    let documents = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let mut parsed = Parsed { lines: text.lines().count() as u64, ..Parsed::default() };
    for (document, line) in documents {
        let items = read(decode_json(document.as_bytes())).items;
        parsed.items.extend(items.into_iter().map(|item| Item { line, ..item }));
    }
    parsed
}

/// Reads an `ExportTraceServiceRequest` in protobuf.
///
/// # Errors
///
/// When the bytes are no such message.
pub fn decode_protobuf(input: &[u8]) -> Result<ExportTraceServiceRequest, Reject> {
    ExportTraceServiceRequest::decode(input)
        .map_err(|error| Reject::new(format!("expected an ExportTraceServiceRequest in protobuf: {error}"), "(binary)"))
}

/// Reads an `ExportTraceServiceRequest` in OTLP's JSON, enum names and snake case accepted.
///
/// # Errors
///
/// When the text is not JSON, or an ID in it is not written in hex at its full length.
pub fn decode_json(input: &[u8]) -> Result<ExportTraceServiceRequest, Reject> {
    let request: json::Request = serde_json::from_slice(input).map_err(|error| unreadable(&error, &String::from_utf8_lossy(input)))?;
    Ok(request.into())
}

/// Reads a JSON value that was found among other things, such as a line of a log. `None` when it is no OTLP trace document.
#[must_use]
pub fn parse_json_value(value: &Value) -> Option<Parsed> {
    use serde::Deserialize as _;
    let object = value.as_object()?;
    if !object.contains_key("resourceSpans") && !object.contains_key("resource_spans") {
        return None;
    }
    let request = json::Request::deserialize(value).map_err(|error| unreadable(&error, &value.to_string()));
    Some(read(request.map(ExportTraceServiceRequest::from)))
}

/// Whether these bytes are a trace request in protobuf: a message of which field 1 holds messages, with at least one span.
#[must_use]
pub fn looks_like_protobuf_traces(input: &[u8]) -> bool {
    // Field 1, length-delimited; the cheap look that spares text the full decoding.
    input.first() == Some(&0x0a)
        && ExportTraceServiceRequest::decode(input).is_ok_and(|request| {
            let mut spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
            spans.next().is_some_and(|span| span.trace_id.len() == 16)
        })
}

/// Makes a claim of each span.
#[must_use]
pub fn spans(request: ExportTraceServiceRequest) -> Parsed {
    let items: Vec<_> = items(request).collect();
    Parsed { lines: items.len() as u64, items }
}

/// The same while they are taken: a claim takes several times its span. Items are numbered in the order of the message.
pub fn items(request: ExportTraceServiceRequest) -> impl Iterator<Item = Item> + Send {
    let resources = request.resource_spans.into_iter().flat_map(|of_resource| {
        let resource = Arc::new(of_resource.resource.unwrap_or_default().attributes);
        of_resource.scope_spans.into_iter().map(move |of_scope| (Arc::clone(&resource), of_scope))
    });
    let spans = resources.flat_map(|(resource, of_scope)| {
        let scope = of_scope.scope.unwrap_or_default().name;
        of_scope.spans.into_iter().map(move |span| span::read(&span, &resource, &scope))
    });
    spans.zip(1..).map(|(read, line)| Item { line, fate: read.map_or_else(Fate::Rejected, |claim| Fate::Evidence(Box::new(claim))) })
}

fn read(request: Result<ExportTraceServiceRequest, Reject>) -> Parsed {
    match request {
        Ok(request) => spans(request),
        Err(reject) => Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 },
    }
}

fn unreadable(error: &serde_json::Error, text: &str) -> Reject {
    let error = error.to_string();
    Reject::new(format!("expected an OTLP trace request in JSON: {}", cut(&error, 300)), text)
}

#[cfg(test)]
mod tests;
