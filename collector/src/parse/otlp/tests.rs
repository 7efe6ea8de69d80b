//! The walk against prost: the same is accepted, with the same words refused, and the same is read.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::value::{self, Pair};
use super::*;

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Any::StringValue),
        any::<bool>().prop_map(Any::BoolValue),
        any::<i64>().prop_map(Any::IntValue),
        any::<f64>().prop_map(Any::DoubleValue),
        vec(any::<u8>(), 0..4).prop_map(Any::BytesValue),
        any::<i32>().prop_map(Any::StringValueStrindex),
    ];
    let value = option::of(leaf).prop_map(|value| AnyValue { value });
    value.prop_recursive(3, 12, 3, |inner| {
        let list = vec(inner.clone(), 0..3).prop_map(|values| Any::ArrayValue(ArrayValue { values }));
        let map = vec(pair_of(inner), 0..3).prop_map(|values| Any::KvlistValue(KeyValueList { values }));
        prop_oneof![list, map].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn pair_of(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (any::<String>(), option::of(value), any::<i32>()).prop_map(|(key, value, key_strindex)| KeyValue { key, value, key_strindex })
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(pair_of(any_value()), 0..4)
}

fn id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 16), vec(any::<u8>(), 8), vec(any::<u8>(), 0..4)]
}

fn span() -> impl Strategy<Value = ProtoSpan> {
    let exception = prop_oneof![Just("exception".to_owned()), any::<String>()];
    let event = (any::<u64>(), exception, pairs(), any::<u32>());
    let event = event.prop_map(|(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
        time_unix_nano,
        name,
        attributes,
        dropped_attributes_count,
    });
    let link = (id(), id(), pairs(), any::<u32>()).prop_map(|(trace_id, span_id, attributes, flags)| Link {
        trace_id,
        span_id,
        attributes,
        flags,
        ..Link::default()
    });
    let status = (any::<String>(), any::<i32>()).prop_map(|(message, code)| Status { message, code });
    let ids = (id(), id(), id(), any::<String>());
    let more = (pairs(), vec(event, 0..3), vec(link, 0..2), option::of(status));
    let numbers = (any::<i32>(), any::<u64>(), any::<u64>(), any::<u32>());
    (ids, more, numbers).prop_map(|((trace_id, span_id, parent_span_id, name), (attributes, events, links, status), numbers)| {
        let (kind, start_time_unix_nano, end_time_unix_nano, flags) = numbers;
        ProtoSpan {
            trace_id,
            span_id,
            parent_span_id,
            trace_state: name.clone(),
            name,
            attributes,
            events,
            links,
            status,
            kind,
            start_time_unix_nano,
            end_time_unix_nano,
            flags,
            dropped_links_count: flags,
            ..ProtoSpan::default()
        }
    })
}

fn record() -> impl Strategy<Value = LogRecord> {
    let times = (any::<u64>(), any::<u64>(), any::<i32>(), any::<u32>());
    (times, any::<String>(), option::of(any_value()), pairs(), id(), id()).prop_map(
        |((time_unix_nano, observed_time_unix_nano, severity_number, flags), severity_text, body, attributes, trace_id, span_id)| {
            LogRecord {
                time_unix_nano,
                observed_time_unix_nano,
                severity_number,
                event_name: severity_text.clone(),
                severity_text,
                body,
                attributes,
                flags,
                trace_id,
                span_id,
                ..LogRecord::default()
            }
        },
    )
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    option::of(pairs().prop_map(|attributes| Resource { attributes, ..Resource::default() }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    option::of(any::<String>().prop_map(|name| InstrumentationScope { name, ..InstrumentationScope::default() }))
}

fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (scope(), vec(span(), 0..3)).prop_map(|(scope, spans)| ScopeSpans { scope, spans, schema_url: "s".to_owned() });
    let resource_spans = (resource(), vec(scope_spans, 0..3)).prop_map(|(resource, scope_spans)| ResourceSpans {
        resource,
        scope_spans,
        schema_url: "r".to_owned(),
    });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs =
        (scope(), vec(record(), 0..3)).prop_map(|(scope, log_records)| ScopeLogs { scope, log_records, ..ScopeLogs::default() });
    let resource_logs = (resource(), vec(scope_logs, 0..3)).prop_map(|(resource, scope_logs)| ResourceLogs {
        resource,
        scope_logs,
        ..ResourceLogs::default()
    });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

/// An attribute's value or a body, as prost has it.
fn json_of(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => Value::from(text.as_str()),
        Some(Any::BoolValue(flag)) => Value::from(*flag),
        Some(Any::IntValue(number)) => Value::from(*number),
        Some(Any::DoubleValue(number)) => Value::from(*number),
        Some(Any::ArrayValue(list)) => list.values.iter().map(|value| json_of(Some(value))).collect(),
        Some(Any::KvlistValue(map)) => map.values.iter().map(|pair| (pair.key.clone(), json_of(pair.value.as_ref()))).collect(),
        Some(Any::BytesValue(_) | Any::StringValueStrindex(_)) | None => Value::Null,
    }
}

type Attributes = Vec<(String, Value)>;

fn of_prost(pairs: &[KeyValue]) -> Attributes {
    pairs.iter().map(|pair| (pair.key.clone(), json_of(pair.value.as_ref()))).collect()
}

fn of_walk(pairs: &[Pair<'_>]) -> Attributes {
    pairs.iter().map(|pair| (value::text(pair.key).to_owned(), value::to_json(pair.value))).collect()
}

/// Everything that is read of a span and of what is around it.
type Said =
    (Attributes, String, Vec<Vec<u8>>, String, [u64; 2], [i32; 2], Attributes, String, Option<Attributes>, Vec<(Vec<u8>, Attributes)>);

fn spans_of_prost(request: &ExportTraceServiceRequest) -> Vec<Said> {
    let mut all = Vec::new();
    for of_resource in &request.resource_spans {
        let resource = of_resource.resource.as_ref().map_or_else(Vec::new, |resource| of_prost(&resource.attributes));
        for of_scope in &of_resource.scope_spans {
            let scope = of_scope.scope.as_ref().map_or_else(String::new, |scope| scope.name.clone());
            for span in &of_scope.spans {
                let status = span.status.clone().unwrap_or_default();
                let exception = span.events.iter().rfind(|event| event.name == "exception").map(|event| of_prost(&event.attributes));
                all.push((
                    resource.clone(),
                    scope.clone(),
                    vec![span.trace_id.clone(), span.span_id.clone(), span.parent_span_id.clone()],
                    span.name.clone(),
                    [span.start_time_unix_nano, span.end_time_unix_nano],
                    [span.kind, status.code],
                    of_prost(&span.attributes),
                    status.message,
                    exception,
                    span.links.iter().map(|link| (link.trace_id.clone(), of_prost(&link.attributes))).collect(),
                ));
            }
        }
    }
    all
}

fn spans_of_walk(request: &Request) -> Vec<Said> {
    let mut all = Vec::new();
    request.for_each_span(|span, around| {
        all.push((
            of_walk(&around.resource.attributes),
            around.scope.to_owned(),
            vec![span.trace_id.to_vec(), span.id.to_vec(), span.parent_id.to_vec()],
            span.name().to_owned(),
            [span.started_unix_nano, span.ended_unix_nano],
            [span.kind, span.status_code],
            of_walk(&span.attributes),
            span.status_message().to_owned(),
            span.last_exception().map(|attributes| of_walk(&attributes)),
            span::links(span).map(|link| (link.trace_id.to_vec(), of_walk(&link.attributes))).collect(),
        ));
    });
    all
}

proptest! {
    #[test]
    fn spans_are_read_as_prost_reads_them(request in traces()) {
        let bytes = request.encode_to_vec();
        prop_assert!(grammar::is_plain(&bytes, &grammar::TRACES));
        prop_assert_eq!(spans_of_walk(&Signal::Traces.of_protobuf(bytes).expect("plain")), spans_of_prost(&request));
    }

    #[test]
    fn log_records_are_read_as_prost_reads_them(request in logs()) {
        let bytes = request.encode_to_vec();
        prop_assert!(grammar::is_plain(&bytes, &grammar::LOGS));
        let (mut walk, mut around, mut found) = (Walk::new(&bytes), Around::default(), Vec::new());
        while let Some((leaf, within)) = walk.next(&bytes) {
            around.move_to(&bytes, within);
            let record = Record::of(leaf);
            let severity = record.severity().unwrap_or_default().to_owned();
            found.push((of_walk(&around.resource.attributes), around.scope.to_owned(), record.at_unix_nano(), severity, value::to_json(record.body), of_walk(&record.attributes), record.trace_id.to_vec(), record.span_id.to_vec()));
        }
        let mut expected = Vec::new();
        for of_resource in &request.resource_logs {
            let resource = of_resource.resource.as_ref().map_or_else(Vec::new, |resource| of_prost(&resource.attributes));
            for of_scope in &of_resource.scope_logs {
                let scope = of_scope.scope.as_ref().map_or_else(String::new, |scope| scope.name.clone());
                for record in &of_scope.log_records {
                    let at = if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
                    let named = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].get(usize::try_from(i64::from(record.severity_number) - 1).map_or(9, |number| number / 4));
                    let severity = if record.severity_text.is_empty() { (*named.unwrap_or(&"")).to_owned() } else { record.severity_text.clone() };
                    expected.push((resource.clone(), scope.clone(), at, severity, json_of(record.body.as_ref()), of_prost(&record.attributes), record.trace_id.clone(), record.span_id.clone()));
                }
            }
        }
        prop_assert_eq!(found, expected);
    }

    /// Fields doubled, cut, moved and overwritten: what prost accepts is read as prost reads it, the rest is refused in its words.
    #[test]
    fn damage_is_judged_as_prost_judges_it(request in traces(), doubled in any::<bool>(), cuts in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let mut bytes = request.encode_to_vec();
        if doubled {
            bytes.extend(request.encode_to_vec());
        }
        for (at, byte) in cuts {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let judged = ExportTraceServiceRequest::decode(bytes.as_slice());
        match (Signal::Traces.of_protobuf(bytes), judged) {
            (Ok(read), Ok(judged)) => prop_assert_eq!(spans_of_walk(&read), spans_of_prost(&judged)),
            (Err(refused), Err(error)) => prop_assert!(refused.reason.ends_with(&error.to_string()), "{}", refused.reason),
            (read, judged) => prop_assert!(false, "{:?} but {:?}", read.map(|_| ()), judged.map(|_| ())),
        }
    }
}

#[test]
fn what_is_not_plain_is_brought_into_the_plain_form() {
    // A span with two names: the last one counts. A status in two parts: they are merged.
    let span = [0x2a, 1, b'a', 0x2a, 1, b'b', 0x7a, 3, 0x12, 1, b'm', 0x7a, 2, 0x18, 2];
    let scope = [&[0x12, u8::try_from(span.len()).expect("short")][..], &span].concat();
    let resource = [&[0x12, u8::try_from(scope.len()).expect("short")][..], &scope].concat();
    let request = [&[0x0a, u8::try_from(resource.len()).expect("short")][..], &resource].concat();
    assert!(!grammar::is_plain(&request, &grammar::TRACES));
    let mut said = Vec::new();
    let read = Signal::Traces.of_protobuf(request).expect("prost takes it");
    read.for_each_span(|span, _| said.push((span.name().to_owned(), span.status_message().to_owned(), span.status_code)));
    assert_eq!(said, [("b".to_owned(), "m".to_owned(), 2)]);
}

#[test]
fn an_attribute_as_no_sdk_writes_it_is_judged_and_read_as_prost_does() {
    let attributes: [&[u8]; 16] = [
        b"",
        b"\x0a\x01k",
        b"\x0a\x01k\x12\x00",
        b"\x12\x03\x0a\x01v\x0a\x01k",
        b"\x0a\x01k\x12\x03\x0a\x01v\x0a\x01l",
        b"\x0a\x01k\x12\x06\x0a\x01v\x0a\x01w",
        b"\x0a\x01k\x12\x03\x0a\x02v",
        b"\x0a\x01k\x12\x04\x0a\x01v",
        b"\x0a\x81\x00k\x12\x03\x0a\x01v",
        b"\x0a\x01\xff\x12\x03\x0a\x01v",
        b"\x0a\x01\xff\x12\x02\x18\x07",
        b"\x0a\x01k\x12\x03\x0a\x01\xff",
        b"\x0a\x01k\x12\x04\x18\xff\xff\x03",
        b"\x0a\x01k\x12\x02\x18\xff",
        b"\x0a\x02\xc3\xa4\x12\x04\x0a\x02\xc3\xb6",
        b"\x0a\x01k\x12\x03\x0a\x01v\x18\x05",
    ];
    for attribute in attributes {
        let wrapped = |tag: u8, inner: &[u8]| [&[tag, u8::try_from(inner.len()).expect("short")][..], inner].concat();
        let bytes = wrapped(0x4a, attribute);
        let bytes = [0x12, 0x12, 0x0a].iter().fold(bytes, |inner, tag| wrapped(*tag, &inner));
        match (Signal::Traces.of_protobuf(bytes.clone()), ExportTraceServiceRequest::decode(bytes.as_slice())) {
            (Ok(read), Ok(judged)) => assert_eq!(spans_of_walk(&read), spans_of_prost(&judged), "{attribute:?}"),
            (read, judged) => assert_eq!(read.is_ok(), judged.is_ok(), "{attribute:?}"),
        }
    }
}

#[test]
fn what_is_read_of_a_thing_with_countless_attributes_is_bounded() {
    let span = ProtoSpan {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        attributes: (0..1000).map(|n| KeyValue { key: format!("k{n}"), ..KeyValue::default() }).collect(),
        ..ProtoSpan::default()
    };
    let bytes = span.encode_to_vec();
    let span = Span::of(&bytes);
    assert_eq!((span.attributes.len(), span.attribute_count), (value::ATTRIBUTES_MAX, 1000));
}

#[test]
fn deep_nesting_costs_no_stack() {
    let wrapped = |tag: u8, inner: &[u8]| {
        let mut outer = vec![tag];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend(inner);
        outer
    };
    // An attribute of the resource that is a list in a list in a list.
    let value = (0..2_000).fold(vec![0x18, 7], |inner, _| wrapped(0x2a, &wrapped(0x0a, &inner)));
    let request = wrapped(0x0a, &wrapped(0x0a, &wrapped(0x0a, &wrapped(0x12, &value))));
    assert!(!grammar::is_plain(&request, &grammar::TRACES));
    let refused = Signal::Traces.of_protobuf(request).expect_err("prost has a limit of its own");
    assert!(refused.reason.contains("recursion"), "{}", refused.reason);
}
