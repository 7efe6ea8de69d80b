//! OTLP's JSON encoding of a trace request, spelled out, and its way to the protobuf types.
//!
//! The specification wants lowerCamelCase, hex IDs, integer enums, 64-bit integers as text or number. Also taken, since the
//! OpenTelemetry Collector takes them and Python's `MessageToDict` writes them: snake_case and enum names. IDs in
//! base64 (what protobuf's own JSON mapping would write) or cut short are refused: nobody could join them to anything.
//! Unknown keys are ignored, `null` is absent.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue as ProtoValue, ArrayValue, InstrumentationScope, KeyValue as ProtoKeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1 as proto;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::number::{OrZero, TextOrNumber};

type U64 = OrZero<u64>;
type I64 = TextOrNumber<i64>;
type F64 = TextOrNumber<f64>;

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

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default, alias = "instrumentationLibrary", deserialize_with = "or_default")]
    scope: Scope,
    #[serde(default, deserialize_with = "or_default")]
    spans: Vec<Span>,
}

#[derive(Default, Deserialize)]
struct Scope {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
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
    #[serde(default)]
    kind: SpanKind,
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
    #[serde(default)]
    code: StatusCode,
}

#[derive(Deserialize)]
struct KeyValue {
    #[serde(default, deserialize_with = "or_default")]
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    value: AnyValue,
}

#[derive(Default, Deserialize)]
struct AnyValue {
    #[serde(rename = "stringValue", alias = "string_value")]
    string: Option<String>,
    #[serde(rename = "boolValue", alias = "bool_value")]
    flag: Option<bool>,
    #[serde(rename = "intValue", alias = "int_value")]
    int: Option<I64>,
    #[serde(rename = "doubleValue", alias = "double_value")]
    double: Option<F64>,
    #[serde(rename = "arrayValue", alias = "array_value")]
    array: Option<Values<AnyValue>>,
    #[serde(rename = "kvlistValue", alias = "kvlist_value")]
    list: Option<Values<KeyValue>>,
    /// Base64; only its length is of use to anybody here.
    #[serde(rename = "bytesValue", alias = "bytes_value")]
    bytes: Option<String>,
}

#[derive(Deserialize)]
struct Values<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

/// `null` where a list, text or message is expected is the same as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An ID of `N` bytes in hex; empty when absent.
#[derive(Default)]
struct Id<const N: usize>(Vec<u8>);

impl<'de, const N: usize> Deserialize<'de> for Id<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = or_default(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        match digits {
            Some(digits) if digits.len() == N * 2 => Ok(Self(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())),
            _ => Err(de::Error::custom(format_args!("expected an ID of {} hex digits, found `{}`", N * 2, super::cut(&text, 64)))),
        }
    }
}

/// A span's kind, by number or name.
#[derive(Default)]
struct SpanKind(i32);

/// A status code, by number or name.
#[derive(Default)]
struct StatusCode(i32);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrName {
    Number(i32),
    Name(String),
}

impl<'de> Deserialize<'de> for SpanKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Option::deserialize(deserializer)? {
            Some(NumberOrName::Number(number)) => number,
            Some(NumberOrName::Name(name)) => proto::span::SpanKind::from_str_name(&name).unwrap_or_default().into(),
            None => 0,
        }))
    }
}

impl<'de> Deserialize<'de> for StatusCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Option::deserialize(deserializer)? {
            Some(NumberOrName::Number(number)) => number,
            Some(NumberOrName::Name(name)) => proto::status::StatusCode::from_str_name(&name).unwrap_or_default().into(),
            None => 0,
        }))
    }
}

impl From<Request> for ExportTraceServiceRequest {
    fn from(request: Request) -> Self {
        Self { resource_spans: all(request.resource_spans) }
    }
}

fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

impl From<ResourceSpans> for proto::ResourceSpans {
    fn from(spans: ResourceSpans) -> Self {
        let resource = ProtoResource { attributes: all(spans.resource.attributes), ..ProtoResource::default() };
        Self { resource: Some(resource), scope_spans: all(spans.scope_spans), ..Self::default() }
    }
}

impl From<ScopeSpans> for proto::ScopeSpans {
    fn from(spans: ScopeSpans) -> Self {
        let scope = InstrumentationScope { name: spans.scope.name, ..InstrumentationScope::default() };
        Self { scope: Some(scope), spans: all(spans.spans), ..Self::default() }
    }
}

impl From<Span> for proto::Span {
    fn from(span: Span) -> Self {
        Self {
            trace_id: span.trace.0,
            span_id: span.id.0,
            parent_span_id: span.parent.0,
            name: span.name,
            kind: span.kind.0,
            start_time_unix_nano: span.start_time_unix_nano.0,
            end_time_unix_nano: span.end_time_unix_nano.0,
            attributes: all(span.attributes),
            events: all(span.events),
            links: all(span.links),
            status: Some(proto::Status { message: span.status.message, code: span.status.code.0 }),
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

impl From<KeyValue> for ProtoKeyValue {
    fn from(pair: KeyValue) -> Self {
        Self { key: pair.key, value: Some(pair.value.into()), ..Self::default() }
    }
}

impl From<AnyValue> for ProtoValue {
    fn from(value: AnyValue) -> Self {
        let any = None
            .or(value.string.map(Any::StringValue))
            .or(value.flag.map(Any::BoolValue))
            .or(value.int.map(|number| Any::IntValue(number.0)))
            .or(value.double.map(|number| Any::DoubleValue(number.0)))
            .or(value.array.map(|list| Any::ArrayValue(ArrayValue { values: all(list.values) })))
            .or(value.list.map(|list| Any::KvlistValue(KeyValueList { values: all(list.values) })))
            .or(value.bytes.map(|base64| Any::BytesValue(vec![0; base64.trim_end_matches('=').len() * 3 / 4])));
        Self { value: any }
    }
}
