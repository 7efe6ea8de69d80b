use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::json;

use super::*;
use crate::parse::otlp::Signal;
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

/// Two log records, the second of them with a text that cannot be stored if `bad`. The first is the line that a timed-out
/// request of Lambda's ends with.
pub fn two_records(bad: bool) -> String {
    let second = if bad { "a text\0" } else { "an application's own words" };
    json!({"resourceLogs": [{"resource": {"attributes": [{"key": "faas.name", "value": {"stringValue": "checkout"}}]}, "scopeLogs": [{
    "scope": {"name": "gunicorn.error"},
    "logRecords": [
        {"timeUnixNano": "1544712660000000000", "severityNumber": 9, "body": {"stringValue": report(&id(7)).lines().next()},
         "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174"},
        {"timeUnixNano": "1544712661000000000", "severityText": "CRITICAL", "body": {"stringValue": second}},
    ]}]}]})
    .to_string()
}

pub fn protobuf(signal: Signal, json: &str) -> Vec<u8> {
    signal.of_json(json.as_bytes()).expect("good").into_bytes()
}

/// A path, its signal, and a body for it; with `true` one of which the second item is bad.
type Sample = (&'static str, Signal, fn(bool) -> String);

const SIGNALS: [Sample; 2] = [("/v1/traces", Signal::Traces, two_spans), ("/v1/logs", Signal::Logs, two_records)];

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn spans_and_log_records_are_stored_in_either_encoding(pool: PgPool) {
    let bench = Bench::new(pool);
    for (path, signal, body) in SIGNALS {
        let binary = protobuf(signal, &body(false));
        let packed = gzip(body(false).as_bytes());
        for (headers, body, expected) in [
            (&[JSON][..], body(false).into_bytes(), &b"{}"[..]),
            (&[("content-type", "Application/JSON; charset=utf-8"), GZIP], packed, b"{}"),
            (&[PROTOBUF], binary.clone(), b""),
            (&[PROTOBUF, GZIP], gzip(&binary), b""),
            (&[PROTOBUF], Vec::new(), b""),
            (&[JSON], b"{}".to_vec(), b"{}"),
        ] {
            let answer = bench.post(path, headers, body).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, expected), "{path} {headers:?}");
            assert!(headers[0].1.to_ascii_lowercase().starts_with(answer.header("content-type").expect("a type")));
        }
    }
    let kinds: Vec<_> = bench.evidence("a").await.into_iter().map(|evidence| evidence.claim.kind).collect();
    let of = |wanted: domain::Kind| kinds.iter().filter(|kind| **kind == wanted).count();
    assert!(of(domain::Kind::Span) >= 2 && of(domain::Kind::InvocationReport) >= 1, "the same trace brings both together: {kinds:?}");
    let report = bench.evidence(&id(7)).await.into_iter().find(|one| one.claim.kind == domain::Kind::InvocationReport);
    assert_eq!(report.and_then(|report| report.claim.function).as_ref().map(domain::FunctionName::as_str), Some("checkout"));
    assert_eq!((bench.items("otlp_logs", "evidence"), bench.items("otlp_logs", "ignored")), (4, 4));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_bad_item_is_a_partial_success(pool: PgPool) {
    let bench = Bench::new(pool);
    let reasons = [
        ("rejectedSpans", "span 2: expected a trace ID of 16 bytes that are not all zero, found zeros only"),
        ("rejectedLogRecords", "log record 2: expected text, found a NUL byte in it"),
    ];
    for ((path, signal, body), (name, reason)) in SIGNALS.into_iter().zip(reasons) {
        let answer = bench.post(path, &[JSON], body(true)).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"partialSuccess": {name: "1", "errorMessage": reason}})));
        let answer = bench.post(path, &[PROTOBUF], protobuf(signal, &body(true))).await;
        let told = match signal {
            Signal::Traces => ExportTraceServiceResponse::decode(answer.body.as_slice())
                .map(|told| told.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))),
            Signal::Logs => ExportLogsServiceResponse::decode(answer.body.as_slice())
                .map(|told| told.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))),
        };
        assert_eq!((answer.status, told), (200, Ok(Some((1, reason.to_owned())))));
        assert_eq!(bench.items(signal.format(), "rejected"), 2);
    }
    assert!(!bench.evidence("a").await.is_empty() && !bench.evidence(&id(7)).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn bad_requests_are_refused_in_their_own_encoding(pool: PgPool) {
    let bench = Bench::new(pool);
    for (path, signal, body) in SIGNALS {
        let (what, key) = if signal == Signal::Traces { ("trace", "resourceSpans") } else { ("log", "resourceLogs") };
        let short = body(false).replace("EEE19B7EC3C1B174", "EEE1");
        for (headers, body, expected) in [
            (&[JSON][..], format!("{{\"{key}\": [").into_bytes(), format!("expected an OTLP {what} request in JSON: EOF")),
            (&[JSON], short.into_bytes(), "expected an ID of 16 hex digits, found `EEE1`".to_owned()),
            (&[JSON], Vec::new(), format!("expected an OTLP {what} request in JSON")),
            (&[JSON, GZIP], b"no gzip".to_vec(), "expected a body in gzip".to_owned()),
            (
                &[JSON, ("content-encoding", "br")],
                b"{}".to_vec(),
                "expected `Content-Encoding` to be `gzip` or `identity`, found `br`".to_owned(),
            ),
        ] {
            let answer = bench.post(path, headers, body).await;
            let said = answer.json();
            assert_eq!((answer.status, said["code"].clone()), (400, json!(3)), "{said}");
            assert!(said["message"].as_str().expect("a message").contains(&expected), "{said}");
        }
        let answer = bench.post(path, &[PROTOBUF], "garbage").await;
        let status = RpcStatus::decode(answer.body.as_slice()).expect("a status");
        assert_eq!((answer.status, answer.header("content-type"), status.code), (400, Some("application/x-protobuf"), 3));
        assert!(status.message.starts_with("expected an Export") && status.message.contains("in protobuf"), "{status:?}");

        assert_eq!(bench.post(path, &[TEXT], "x").await.status, 415);
        let get = Request::get(path).body(Body::empty()).expect("a request");
        let answer = bench.send(get).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_body_over_the_limit_is_final(pool: PgPool) {
    let options = ReceiveOptions { body_bytes_max: 4 << 10, decompressed_bytes_max: 8 << 10, ..ReceiveOptions::default() };
    let bench = Bench::with(pool, options);
    for (path, _, _) in SIGNALS {
        for (headers, body) in [(&[JSON][..], vec![b' '; 5 << 10]), (&[JSON, GZIP], gzip(&vec![b' '; 9 << 10]))] {
            let answer = bench.post(path, headers, body).await;
            assert_eq!((answer.status, answer.header("retry-after"), answer.json()["code"].clone()), (413, None, json!(8)), "{path}");
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_passing_fault_is_never_final(pool: PgPool) {
    let bench = Bench::new(pool.clone());
    pool.close().await;
    for (path, _, body) in SIGNALS {
        let answer = bench.post(path, &[JSON], body(false)).await;
        assert_eq!((answer.status, answer.header("retry-after"), answer.json()["code"].clone()), (503, Some("2"), json!(14)));
    }
    let answer = bench.post("/v1/watchdog", &[JSON], r#"{"kind":"fired","request_id":"a"}"#).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    bench.stop.cancel();
    let answer = bench.post("/v1/push/auto", &[TEXT], "x").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"error": "this process is stopping; try again later"})));
    let answered = &bench.receiver.pipeline.metrics().requests;
    assert_eq!(answered.with_label_values(&["otlp_http", "5xx"]).get(), 2);
}
