//! Spans per second on one core. `cargo bench -p collector --bench otlp`
//!
//! | benchmark | what is done for each span |
//! | --- | --- |
//! | `decoded_by_prost` | the baseline: a message of our own made of it; giving that back is not counted |
//! | `walked` | every byte judged (known fields of their own type, text UTF-8), then every field read that a diagnosis looks at: IDs, name, kind, times, status, all attributes with their values, whether there are events and links |
//! | `made_into_claims` | the same, then a claim made of it, redacted and bounded, and given back |
//!
//! Every span with IDs becomes a claim, since any may turn out to lie in a request that overran: there is no cheaper way for spans
//! that say nothing. What one costs depends on its attributes, so there are two requests of 512 spans:
//! `calls`, as instrumented clients write them, with eight attributes and 350 bytes; and `mixed`, one of these to three internal
//! spans with one attribute. The resource has ten.

use std::fmt::{self, Display, Formatter};
use std::hint::black_box;

use collector::parse::Context;
use collector::parse::otlp::Signal;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

const SPANS: u64 = 512;

fn main() {
    divan::main();
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::IntValue(value)) }), ..KeyValue::default() }
}

/// What a request is made of.
#[derive(Clone, Copy, Debug)]
enum Spans {
    Calls,
    Mixed,
}

impl Display for Spans {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Calls) { "calls" } else { "mixed" })
    }
}

fn call(index: u64) -> Span {
    let id = index.to_be_bytes();
    Span {
        trace_id: [[0x5b; 8], id].concat(),
        span_id: [0xe0, id[1], id[2], id[3], id[4], id[5], id[6], id[7]].to_vec(),
        parent_span_id: vec![0xda; 8],
        name: "POST /charge".to_owned(),
        kind: 3,
        start_time_unix_nano: 1_795_348_972_282_614_000 + index * 1_000_000,
        end_time_unix_nano: 1_795_348_972_482_614_000 + index * 1_000_000,
        attributes: vec![
            text("http.request.method", "POST"),
            text("url.full", "http://payments.internal:8443/charge"),
            text("server.address", "payments.internal"),
            number("server.port", 8443),
            number("http.response.status_code", 200),
            text("network.protocol.version", "1.1"),
            text("user_agent.original", "python-requests/2.32.3"),
            number("thread.id", 140_223_311),
        ],
        status: Some(Status { message: String::new(), code: 1 }),
        ..Span::default()
    }
}

fn internal(index: u64) -> Span {
    Span { name: "render".to_owned(), kind: 1, attributes: vec![text("code.function.name", "cart.views.render")], ..call(index) }
}

fn request(of: Spans) -> Vec<u8> {
    let span = |index| if matches!(of, Spans::Calls) || index % 4 == 0 { call(index) } else { internal(index) };
    let attributes = vec![
        text("service.name", "checkout"),
        text("service.version", "1.4.2"),
        text("service.instance.id", "9e996c4e-855f-48fd-bddb-c13b63070f0c"),
        text("host.name", "web-1"),
        text("telemetry.sdk.language", "python"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "1.45.2"),
        text("deployment.environment.name", "production"),
        text("cloud.region", "us-east-1"),
        number("process.pid", 8901),
    ];
    let scope = InstrumentationScope { name: "opentelemetry.instrumentation.requests".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: (1..=SPANS).map(span).collect(), ..ScopeSpans::default() };
    let resource = Resource { attributes, ..Resource::default() };
    let resource_spans = ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

fn measure<T>(bencher: Bencher<'_, '_>, of: Spans, work: impl Fn(Vec<u8>) -> T + Sync) {
    let bytes = request(of);
    let counted = bencher.counter(ItemsCount::new(SPANS)).counter(BytesCount::new(bytes.len()));
    counted.with_inputs(|| bytes.clone()).bench_values(work);
}

#[divan::bench(args = [Spans::Calls, Spans::Mixed])]
fn decoded_by_prost(bencher: Bencher<'_, '_>, of: Spans) {
    measure(bencher, of, |bytes| ExportTraceServiceRequest::decode(bytes.as_slice()).expect("a request"));
}

#[divan::bench(args = [Spans::Calls, Spans::Mixed])]
fn walked(bencher: Bencher<'_, '_>, of: Spans) {
    measure(bencher, of, |bytes| {
        let request = Signal::Traces.of_protobuf(bytes).expect("a request");
        request.for_each_span(|span, _| {
            black_box(span);
        });
    });
}

#[divan::bench(args = [Spans::Calls, Spans::Mixed])]
fn made_into_claims(bencher: Bencher<'_, '_>, of: Spans) {
    measure(bencher, of, |bytes| {
        let request = Signal::Traces.of_protobuf(bytes).expect("a request");
        request.items(Context::default()).for_each(|item| {
            black_box(item);
        });
    });
}
