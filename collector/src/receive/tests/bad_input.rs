use axum::body::Bytes;
use futures_util::stream;
use serde_json::json;

use super::*;

/// A body that is made while it is read.
fn zeros(mebibytes: usize) -> Body {
    let chunk = Bytes::from(vec![b'0'; 64 << 10]);
    Body::from_stream(stream::iter((0..mebibytes * 16).map(move |_| Ok::<_, io::Error>(chunk.clone()))))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_body_over_the_limit_is_too_large_on_every_path(pool: PgPool) {
    let bench = Bench::new(pool);
    for (path, media) in [("/v1/watchdog", JSON), ("/v1/push/auto", TEXT), ("/v1/traces", JSON)] {
        let answer = bench.post(path, &[media], zeros(100)).await;
        assert_eq!(answer.status, 413, "{path}");
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(said.contains("expected a body of at most 67108864 bytes, found more"), "{said}");
    }
    assert_eq!(bench.receiver.pipeline.metrics().bytes_in_flight.get(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_asks_first_is_told_before_it_sends(pool: PgPool) {
    let bench = Bench::new(pool);
    let endless = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
    let answer = bench.post("/v1/push/auto", &[TEXT, ("content-length", "104857600"), ("expect", "100-continue")], endless).await;
    assert_eq!(answer.status, 413);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_bomb_is_not_unpacked(pool: PgPool) {
    let bench = Bench::with(pool, ReceiveOptions { decompressed_bytes_max: 1 << 20, ..ReceiveOptions::default() });
    let bomb = gzip(&vec![b'0'; 16 << 20]);
    assert!(bomb.len() < 32 << 10);
    for (path, media) in [("/v1/watchdog", JSON), ("/v1/push/auto", TEXT), ("/v1/traces", PROTOBUF)] {
        let answer = bench.post(path, &[media, GZIP], bomb.clone()).await;
        assert_eq!(answer.status, 413, "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains("at most 1048576 bytes after decompression"));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn memory_for_bodies_is_bounded_over_all_requests(pool: PgPool) {
    let bench = Bench::with(pool, ReceiveOptions { in_flight_bytes_max: 1 << 20, ..ReceiveOptions::default() });
    let answer = bench.post("/v1/push/auto", &[TEXT], zeros(2)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    let answer = bench.post("/v1/push/auto", &[TEXT, GZIP], gzip(&vec![b'\n'; 2 << 20])).await;
    assert_eq!(answer.status, 503);
    assert_eq!(bench.post("/v1/push/auto", &[TEXT], report(&id(1))).await.status, 202);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_bad_input_is_told_what_was_expected_and_found(pool: PgPool) {
    let bench = Bench::new(pool);
    for (path, headers, body, status, expected) in [
        ("/v1/watchdog", &[JSON][..], &b"{\"kind\":\"fired\","[..], 400, "expected a watchdog event as JSON, found EOF"),
        ("/v1/watchdog", &[("content-type", "text/html")], b"<p>", 415, "expected `Content-Type` to be `application/json`"),
        (
            "/v1/watchdog",
            &[JSON, GZIP],
            b"this is not in gzip",
            400,
            "expected a body in gzip as `Content-Encoding` says, found invalid gzip header",
        ),
        ("/v1/push/auto", &[TEXT, GZIP], &gzip(b"cut off")[..12], 400, "expected a body in gzip"),
        ("/v1/push/auto", &[TEXT, ("content-encoding", "zstd")], b"x", 415, "found `zstd`"),
        ("/v1/push/no_such", &[TEXT], b"x", 404, "expected a format, one of `auto`, `"),
        (
            "/v2/traces",
            &[TEXT],
            b"x",
            404,
            "expected one of `/v1/watchdog`, `/v1/push/{format}`, `/v1/traces`, `/v1/logs`, `/loki/api/v1/push`, found `/v2/traces`",
        ),
    ] {
        let answer = bench.post(path, headers, body.to_vec()).await;
        let said = answer.json();
        assert_eq!(answer.status, status, "{said}");
        assert!(said["error"].as_str().expect("an error").contains(expected), "{said}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_slow_body_is_not_waited_for(pool: PgPool) {
    let bench = Bench::with(pool, ReceiveOptions { body_ms_max: 20, ..ReceiveOptions::default() });
    let endless = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
    let answer = bench.post("/v1/push/auto", &[TEXT], endless).await;
    assert_eq!((answer.status, answer.json()), (408, json!({"error": "expected the whole body within 20 ms, found 0 bytes by then"})));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nul_bytes_cost_the_items_they_are_in(pool: PgPool) {
    let bench = Bench::new(pool);
    let events = json!([{"kind": "fired", "request_id": "a\0"}, {"kind": "fired", "request_id": "b", "open_handles": ["x\0"]}, {"kind": "fired", "request_id": "c"}]);
    let answer = bench.post("/v1/watchdog", &[JSON], events.to_string()).await.json();
    assert_eq!((&answer["accepted"], answer["rejected"].as_array().map(Vec::len)), (&json!(1), Some(2)), "{answer}");
    assert_eq!(bench.evidence("c").await.len(), 1);
    let spans = otlp::two_spans(false).replace("child", "chi\\u0000ld");
    let answer = bench.post("/v1/traces", &[JSON], spans).await;
    assert_eq!((answer.status, answer.json()["partialSuccess"]["rejectedSpans"].clone()), (200, json!("1")));
}
