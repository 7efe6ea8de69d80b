//! The JSON encoding of traces.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as proto;
use serde::{Deserialize, Deserializer};

use super::{Id, KeyValue, Resource, Scope, U64, all, number_or_name, or_default};

/// `ExportTraceServiceRequest`, or `TracesData`: the same shape.
#[derive(Deserialize)]
pub struct Request {
    #[serde(default, rename = "resourceSpans", alias = "resource_spans", deserialize_with = "or_default")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
struct ResourceSpans {
    #[serde(default, deserialize_with = "or_default")]
    resource: Resource,
    #[serde(default, rename = "scopeSpans", alias = "scope_spans", alias = "instrumentationLibrarySpans", deserialize_with = "or_default")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default, alias = "instrumentationLibrary", deserialize_with = "or_default")]
    scope: Scope,
    #[serde(default, deserialize_with = "or_default")]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    #[serde(default, rename = "traceId", alias = "trace_id")]
    trace: Id<16>,
    #[serde(default, rename = "spanId", alias = "span_id")]
    id: Id<8>,
    #[serde(default, rename = "parentSpanId", alias = "parent_span_id")]
    parent: Id<8>,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "span_kind")]
    kind: i32,
    #[serde(default, rename = "startTimeUnixNano", alias = "start_time_unix_nano")]
    start_time_unix_nano: U64,
    #[serde(default, rename = "endTimeUnixNano", alias = "end_time_unix_nano")]
    end_time_unix_nano: U64,
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(default, deserialize_with = "or_default")]
    events: Vec<Event>,
    #[serde(default, deserialize_with = "or_default")]
    links: Vec<Link>,
    #[serde(default, deserialize_with = "or_default")]
    status: Status,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, rename = "timeUnixNano", alias = "time_unix_nano")]
    time_unix_nano: U64,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default, rename = "traceId", alias = "trace_id")]
    trace_id: Id<16>,
    #[serde(default, rename = "spanId", alias = "span_id")]
    span_id: Id<8>,
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "or_default")]
    message: String,
    #[serde(default, deserialize_with = "status_code")]
    code: i32,
}

fn span_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    number_or_name(deserializer, |name| proto::span::SpanKind::from_str_name(name).map(Into::into))
}

fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    number_or_name(deserializer, |name| proto::status::StatusCode::from_str_name(name).map(Into::into))
}

impl From<Request> for ExportTraceServiceRequest {
    fn from(request: Request) -> Self {
        Self { resource_spans: all(request.resource_spans) }
    }
}

impl From<ResourceSpans> for proto::ResourceSpans {
    fn from(spans: ResourceSpans) -> Self {
        Self { resource: Some(spans.resource.into()), scope_spans: all(spans.scope_spans), ..Self::default() }
    }
}

impl From<ScopeSpans> for proto::ScopeSpans {
    fn from(spans: ScopeSpans) -> Self {
        Self { scope: Some(spans.scope.into()), spans: all(spans.spans), ..Self::default() }
    }
}

impl From<Span> for proto::Span {
    fn from(span: Span) -> Self {
        Self {
            trace_id: span.trace.0,
            span_id: span.id.0,
            parent_span_id: span.parent.0,
            name: span.name,
            kind: span.kind,
            start_time_unix_nano: span.start_time_unix_nano.0,
            end_time_unix_nano: span.end_time_unix_nano.0,
            attributes: all(span.attributes),
            events: all(span.events),
            links: all(span.links),
            status: Some(proto::Status { message: span.status.message, code: span.status.code }),
            ..Self::default()
        }
    }
}

impl From<Event> for proto::span::Event {
    fn from(event: Event) -> Self {
        Self { time_unix_nano: event.time_unix_nano.0, name: event.name, attributes: all(event.attributes), ..Self::default() }
    }
}

impl From<Link> for proto::span::Link {
    fn from(link: Link) -> Self {
        Self { trace_id: link.trace_id.0, span_id: link.span_id.0, attributes: all(link.attributes), ..Self::default() }
    }
}
