use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn events_are_durable_when_they_are_acknowledged(pool: PgPool) {
    let bench = Bench::new(pool);
    let answer =
        bench.post("/v1/watchdog", &[JSON], json!({"kind": "fired", "request_id": "a", "stack": "shop", "left_ms": 498}).to_string()).await;
    assert_eq!((answer.status, answer.json()), (202, json!({"accepted": 1})));
    let evidence = bench.only("a").await;
    assert_eq!((evidence.stack.as_str(), evidence.source.as_str()), ("shop", "watchdog"));
    assert_eq!(evidence.received_at, "2026-11-22T12:05:06Z".parse().expect("a time"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_form_on_the_wire_is_taken(pool: PgPool) {
    let bench = Bench::new(pool);
    let event = |id: &str| json!({"kind": "fired", "request_id": id});
    let cloud_event = |id: &str| json!({"specversion": "1.0", "type": "dev.overrun.watchdog.v1", "source": "urn:overrun:stack:default", "id": id, "data": event(id)});
    let lines = format!("{}\n{}\n", event("c"), event("d"));
    let binary =
        [JSON, ("ce-specversion", "1.0"), ("ce-type", "dev.overrun.watchdog.v1"), ("ce-source", "urn:overrun:stack:shop"), ("ce-id", "1")];
    let classic = json!({"message": "Function timed out", "originalEvent": {}, "originalRequestId": "i"});
    for (headers, body, accepted) in [
        (&[JSON][..], json!([event("a"), event("b")]).to_string(), 2),
        (&[("content-type", "application/x-ndjson")], lines, 2),
        (&[("content-type", "application/cloudevents+json; charset=utf-8")], cloud_event("e").to_string(), 1),
        (&[("content-type", "application/cloudevents-batch+json")], json!([cloud_event("f"), cloud_event("g")]).to_string(), 2),
        (&binary, event("h").to_string(), 1),
        (&[], classic.to_string(), 1),
        (&[JSON], "[]".to_owned(), 0),
    ] {
        let answer = bench.post("/v1/watchdog", headers, body).await;
        assert_eq!((answer.status, answer.json()), (202, json!({"accepted": accepted})), "{headers:?}");
    }
    let packed = gzip(event("j").to_string().as_bytes());
    assert_eq!(bench.post("/v1/watchdog", &[JSON, GZIP], packed).await.status, 202);
    for id in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        assert_eq!(bench.evidence(id).await.len(), 1, "{id}");
    }
    assert_eq!(bench.only("h").await.stack.as_str(), "shop");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_lambda_invoke_is_taken(pool: PgPool) {
    let bench = Bench::new(pool);
    let body = json!({"message": "Function timed out", "originalEvent": null, "originalRequestId": "a"}).to_string();
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aon-timeout/invocations";
    let answer = bench.post(path, &[("content-type", "application/octet-stream"), ("x-amz-invocation-type", "Event")], body).await;
    assert_eq!(answer.status, 202);
    assert_eq!(bench.only("a").await.claim.function, None, "the function that was to be told did not time out");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_bad_event_does_not_sink_its_neighbours(pool: PgPool) {
    let bench = Bench::new(pool);
    let answer = bench
        .post(
            "/v1/watchdog",
            &[JSON],
            json!([{"kind": "armed", "request_id": "a"}, {"kind": "fired"}, {"kind": "closed", "request_id": "a"}]).to_string(),
        )
        .await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        answer.json(),
        json!({"accepted": 2, "rejected": [{"index": 1, "reason": "expected `request_id`, or `instance` and `pid`, found neither"}]})
    );
    assert_eq!((bench.items("watchdog", "evidence"), bench.items("watchdog", "rejected")), (2, 1));
    let nothing_good = bench.post("/v1/watchdog", &[JSON], json!({"kind": "fired"}).to_string()).await;
    assert_eq!((nothing_good.status, nothing_good.json()["accepted"].clone()), (400, json!(0)));
}

/// Begins a request over a real connection and hands back the connection.
async fn begin(bench: &Bench, body: &str) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve(listener, bench.http.clone(), bench.stop.clone()));
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let head = "POST /v1/watchdog HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n";
    connection.write_all(format!("{head}{body}").as_bytes()).await.expect("written");
    connection
}

const HALF: &str = r#"{"kind":"fired","request_id":"a","pid":7,"left_ms":498,"stacks":[{"name":"MainThread","frames":[{"function":"hand"#;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_killed_sender_had_said_is_kept(pool: PgPool) {
    let bench = Bench::new(pool);
    drop(begin(&bench, HALF).await);
    while bench.evidence("a").await.is_empty() {}
    let evidence = bench.only("a").await;
    assert_eq!(evidence.claim.attributes["truncated"], true.into());
    assert_eq!(evidence.claim.number("left_ms"), Some(498.0));
    assert_eq!(evidence.claim.instance.expect("where it came from").as_str(), "127.0.0.1");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_frozen_sender_had_said_is_kept_in_time(pool: PgPool) {
    let bench = Bench::with(pool, ReceiveOptions { body_ms_max: 20, ..ReceiveOptions::default() });
    let mut connection = begin(&bench, HALF).await;
    let mut answer = vec![0; 12];
    connection.read_exact(&mut answer).await.expect("an answer although the body is not whole");
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 202");
    assert_eq!(bench.only("a").await.claim.pid, Some(7));
}
