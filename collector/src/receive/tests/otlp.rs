use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::json;

use super::*;
use crate::parse::otlp;
use crate::receive::rpc_status::RpcStatus;

/// Two spans, the second of them with an ID of zeros if `bad`.
pub fn two_spans(bad: bool) -> String {
    let trace = "5B8EFFF798038103D269B633813FC60C";
    let second = if bad { "0".repeat(32) } else { trace.to_owned() };
    json!({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]}, "scopeSpans": [{
        "scope": {"name": "my.library", "version": "1.0.0", "attributes": []},
        "spans": [
            {"traceId": trace, "spanId": "EEE19B7EC3C1B174", "parentSpanId": "EEE19B7EC3C1B173", "name": "I'm a server span", "kind": 2,
             "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000", "status": {},
             "attributes": [{"key": "faas.invocation_id", "value": {"stringValue": "a"}}]},
            {"traceId": second, "spanId": "EEE19B7EC3C1B175", "name": "child", "kind": 3, "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        ]}]}]})
    .to_string()
}

pub fn protobuf(json: &str) -> Vec<u8> {
    otlp::decode_json(json.as_bytes()).expect("good").encode_to_vec()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn spans_are_stored_in_either_encoding(pool: PgPool) {
    let bench = Bench::new(pool);
    let binary = protobuf(&two_spans(false));
    let packed = gzip(two_spans(false).as_bytes());
    for (headers, body, expected) in [
        (&[JSON][..], two_spans(false).into_bytes(), &b"{}"[..]),
        (&[("content-type", "Application/JSON; charset=utf-8"), GZIP], packed, b"{}"),
        (&[PROTOBUF], binary.clone(), b""),
        (&[PROTOBUF, GZIP], gzip(&binary), b""),
        (&[PROTOBUF], Vec::new(), b""),
        (&[JSON], b"{}".to_vec(), b"{}"),
    ] {
        let answer = bench.post("/v1/traces", headers, body).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, expected), "{headers:?}");
        assert!(headers[0].1.to_ascii_lowercase().starts_with(answer.header("content-type").expect("a type")));
    }
    let kinds: Vec<_> = bench.evidence("a").await.into_iter().map(|evidence| evidence.claim.kind).collect();
    assert!(kinds.len() >= 2 && kinds.iter().all(|kind| *kind == domain::Kind::Span), "{kinds:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_bad_span_is_a_partial_success(pool: PgPool) {
    let bench = Bench::new(pool);
    let reason = "span 2: expected a trace ID of 16 bytes that are not all zero, found zeros only";
    let answer = bench.post("/v1/traces", &[JSON], two_spans(true)).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": reason}})));
    let answer = bench.post("/v1/traces", &[PROTOBUF], protobuf(&two_spans(true))).await;
    let partial = ExportTraceServiceResponse::decode(answer.body.as_slice()).expect("a response").partial_success.expect("partial");
    assert_eq!((answer.status, partial.rejected_spans, partial.error_message.as_str()), (200, 1, reason));
    assert_eq!(bench.items("otlp_traces", "rejected"), 2);
    assert!(!bench.evidence("a").await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn bad_requests_are_refused_in_their_own_encoding(pool: PgPool) {
    let bench = Bench::new(pool);
    let short = two_spans(false).replace("EEE19B7EC3C1B174", "EEE1");
    for (headers, body, status, expected) in [
        (&[JSON][..], b"{\"resourceSpans\": [".to_vec(), 400, "expected an OTLP trace request in JSON: EOF"),
        (&[JSON], short.into_bytes(), 400, "expected an ID of 16 hex digits, found `EEE1`"),
        (&[JSON], Vec::new(), 400, "expected an OTLP trace request in JSON"),
        (&[JSON, GZIP], b"no gzip".to_vec(), 400, "expected a body in gzip"),
        (&[JSON, ("content-encoding", "br")], b"{}".to_vec(), 400, "expected `Content-Encoding` to be `gzip` or `identity`, found `br`"),
    ] {
        let answer = bench.post("/v1/traces", headers, body).await;
        let said = answer.json();
        assert_eq!((answer.status, said["code"].clone()), (status, json!(3)), "{said}");
        assert!(said["message"].as_str().expect("a message").contains(expected), "{said}");
    }
    let answer = bench.post("/v1/traces", &[PROTOBUF], "garbage").await;
    let status = RpcStatus::decode(answer.body.as_slice()).expect("a status");
    assert_eq!((answer.status, answer.header("content-type"), status.code), (400, Some("application/x-protobuf"), 3));
    assert!(status.message.starts_with("expected an ExportTraceServiceRequest in protobuf"), "{status:?}");

    assert_eq!(bench.post("/v1/traces", &[TEXT], "x").await.status, 415);
    let get = Request::get("/v1/traces").body(Body::empty()).expect("a request");
    let answer = bench.send(get).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_passing_fault_is_never_final(pool: PgPool) {
    let bench = Bench::new(pool.clone());
    pool.close().await;
    let answer = bench.post("/v1/traces", &[JSON], two_spans(false)).await;
    assert_eq!((answer.status, answer.header("retry-after"), answer.json()["code"].clone()), (503, Some("2"), json!(14)));
    let answer = bench.post("/v1/watchdog", &[JSON], r#"{"kind":"fired","request_id":"a"}"#).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    bench.stop.cancel();
    let answer = bench.post("/v1/push/auto", &[TEXT], "x").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"error": "this process is stopping; try again later"})));
    let answered = &bench.receiver.pipeline.metrics().requests;
    assert_eq!(answered.with_label_values(&["otlp_http", "5xx"]).get(), 1);
}
