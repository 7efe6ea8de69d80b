//! Bad input of every kind through the real sockets: a clear answer, the good beside it kept, the daemon unmoved.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::support::{Answer, Daemon, Database, Peer, fired, post_chunked, report, request_id};

const MIB: usize = 1 << 20;
/// What the daemon may hold in memory at worst, in MiB.
const MEMORY_MIB_MAX: u64 = 300;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

async fn post_gzip(daemon: &Daemon, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = daemon.ingest(path).header("content-type", content_type).header("content-encoding", "gzip").body(body);
    crate::support::send(request).await.expect("an answer")
}

/// The answer names what was expected and what was found.
#[track_caller]
fn told(answer: Answer, status: u16, expected: &str, found: &str) {
    let body = answer.expect(status).body;
    assert!(body.contains("expected") && body.contains(expected) && body.contains(found), "{body}");
}

/// Whether it still does its work.
async fn works(daemon: &Daemon, number: u32) {
    let id = request_id(number);
    daemon.push("lambda_text", &report(&id)).await;
    daemon.incident(&id, |_| true).await;
    assert_eq!(daemon.page("/readyz").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let (json, protobuf, text) = ("application/json", "application/x-protobuf", "text/plain");

    told(daemon.post("/v1/watchdog", json, r#"{"kind": "fired", "#).await, 400, "JSON", "line 1");
    told(daemon.post("/v1/watchdog", json, r#""fired""#).await, 400, "a watchdog event as a JSON object", "found text");
    told(daemon.post("/v1/watchdog", "text/html", "{}").await, 415, "`application/json`", "`text/html`");
    told(daemon.post("/v1/traces", json, r#"{"resourceSpans": 7}"#).await, 400, "an OTLP trace request in JSON", "integer `7`");
    told(daemon.post("/v1/traces", protobuf, "\u{1f}this is no protobuf").await, 400, "protobuf", "");
    told(daemon.post("/v1/traces", text, "{}").await, 415, "`application/x-protobuf`", "`text/plain`");
    told(daemon.post("/v1/push/lambda", text, "x").await, 404, "`lambda_text`", "`lambda`");
    told(daemon.post("/v1/nothing", text, "x").await, 404, "`/v1/watchdog`", "`/v1/nothing`");
    for (path, content_type) in [("/v1/watchdog", json), ("/v1/push/auto", text), ("/v1/traces", protobuf)] {
        told(post_gzip(&daemon, path, content_type, b"this is no gzip".to_vec()).await, 400, "gzip", "");
        let request = daemon.ingest(path).header("content-type", content_type).header("content-encoding", "br").body("x");
        let status = if path == "/v1/traces" { 400 } else { 415 };
        told(crate::support::send(request).await.expect("an answer"), status, "`gzip`", "`br`");
    }
    // OTLP's answers are in the encoding of the request.
    let answer = daemon.post("/v1/traces", json, "{").await.expect(400);
    assert_eq!((answer.header("content-type"), &answer.json()["code"]), ("application/json", &3.into()));
    let answer = daemon.post("/v1/traces", protobuf, "\u{1f}x").await.expect(400);
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    let answer = crate::support::send(crate::support::client().get(format!("{}/v1/traces", daemon.ingest))).await.expect("an answer");
    assert_eq!(answer.status, 405);
    works(&daemon, 61).await;
    daemon.stop().await;
}

#[tokio::test]
async fn good_items_beside_bad_ones_are_kept() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let ids: Vec<String> = (0..5).map(|n| request_id(620 + n)).collect();

    let events = json!([fired(&ids[0]), { "kind": "exploded", "request_id": "x" }, 7, fired(&ids[1])]);
    let answer = daemon.watchdog(&events).await.json();
    assert_eq!(answer["accepted"], 2);
    let rejected = answer["rejected"].as_array().expect("a list");
    assert_eq!(rejected.iter().map(|one| &one["index"]).collect::<Vec<_>>(), [1, 2]);
    assert!(rejected[0]["reason"].as_str().is_some_and(|reason| reason.contains("expected") && reason.contains("exploded")), "{answer:#}");

    let lines = format!("{}\n{{broken\n{}\n", fired(&ids[2]), fired(&ids[3]));
    let answer = daemon.post("/v1/watchdog", "application/x-ndjson", lines).await.expect(202).json();
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&2.into(), &1.into()));

    let nul = format!("2017-11-20T22:23:32.998Z {} Task timed out after 3.00 seconds \0\n", request_id(629));
    let long = format!("{}\n", "x".repeat(MIB));
    let answer = daemon.push("lambda_text", &[nul.as_str(), &long, &report(&ids[4])].concat()).await.json();
    assert_eq!(answer["accepted"], 3, "START, END and REPORT: {answer:#}");
    let rejected = answer["rejected"].as_array().expect("a list");
    assert_eq!(rejected.iter().map(|one| &one["line"]).collect::<Vec<_>>(), [1, 2], "{answer:#}");
    assert!(rejected[0]["reason"].as_str().is_some_and(|reason| reason.contains("NUL")), "{answer:#}");
    for id in &ids {
        daemon.incident(id, |_| true).await;
    }
    assert!(daemon.request(&request_id(629)).await.is_none(), "a changed claim would be another");
    // All of it is counted.
    let metrics = daemon.page("/metrics").await.body;
    let rejected =
        metrics.lines().filter(|line| line.contains(r#"fate="rejected""#)).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    assert_eq!(rejected.sum::<u64>(), 5, "{metrics}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_span_without_an_identity_costs_only_itself() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let span = |trace: &str, id: &str| {
        json!({
            "traceId": trace, "spanId": "00f067aa0ba902b7", "name": "handler", "kind": 2, "startTimeUnixNano": "1795406100000000000",
            "endTimeUnixNano": "1795406101000000000", "attributes": [{ "key": "faas.invocation_id", "value": { "stringValue": id } }],
        })
    };
    let spans = [span("00000000000000000000000000000000", "x"), span("4bf92f3577b34da6a3ce929d0e0e4736", &request_id(63))];
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }).to_string();
    let answer = daemon.post("/v1/traces", "application/json", body).await.expect(200).json();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1", "{answer:#}");
    let request = daemon.request(&request_id(63)).await.expect("the good span");
    assert_eq!(request["evidence"].as_array().map(Vec::len), Some(1));
    daemon.stop().await;
}

#[tokio::test]
async fn too_much_is_refused_while_it_comes_and_memory_stays_bounded() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let chunk = vec![b'x'; MIB];
    for path in ["/v1/push/auto", "/v1/watchdog", "/v1/traces"] {
        let headers = [("content-type", "application/json")];
        let answer = post_chunked(&format!("{}{path}", daemon.ingest), &headers, &chunk, 100).await;
        assert_eq!(answer.status, 413, "{path}: {}", answer.body);
        assert!(answer.body.contains("67108864"), "{path}: {}", answer.body);
    }
    // 1 GiB in 1 MB, as many members of a gzip file.
    let bomb = gzip(&chunk).repeat(1024);
    assert!(bomb.len() < 2 * MIB, "{} bytes", bomb.len());
    for path in ["/v1/push/auto", "/v1/watchdog", "/v1/traces"] {
        let answer = post_gzip(&daemon, path, "application/json", bomb.clone()).await.expect(413);
        assert!(answer.body.contains("after decompression"), "{path}: {}", answer.body);
    }
    // Within the limit but without a line end: one item, too long.
    let answer = daemon.post("/v1/push/auto", "text/plain", vec![b'y'; 32 * MIB]).await.expect(202).json();
    assert_eq!((&answer["accepted"], answer["rejected"].as_array().map(Vec::len)), (&0.into(), Some(1)), "{answer:#}");
    works(&daemon, 64).await;
    let memory_mib = daemon.peak_memory_mib();
    assert!(memory_mib < MEMORY_MIB_MAX, "{memory_mib} MiB at the worst moment");
    daemon.stop().await;
}

#[tokio::test]
async fn a_grpc_client_is_told_in_its_own_words() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let mut good = Peer::python("export_once.py", &json!({ "endpoint": daemon.grpc, "request_id": request_id(65) }));
    assert_eq!(good.next().await["code"], "OK");
    assert!(daemon.request(&request_id(65)).await.is_some(), "acknowledged is durable");
    let settings = json!({ "endpoint": daemon.grpc, "request_id": request_id(66), "padding_bytes": 65 * MIB });
    let answer = Peer::python("export_once.py", &settings).next().await;
    assert_eq!(answer["code"], "RESOURCE_EXHAUSTED", "{answer:#}");
    assert_eq!(answer["retry_after_ms"], json!(null), "sending the same again is of no use");
    works(&daemon, 67).await;
    daemon.stop().await;
}
