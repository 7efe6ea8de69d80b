//! Spans from real OpenTelemetry SDKs join what the platform says of the same request.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Peer, eventually, report, request_id};

/// How an SDK sends.
struct Way {
    protocol: &'static str,
    number: u32,
}

/// Trace IDs that differ per way and per request, in OpenTelemetry's form and in X-Ray's.
fn trace_id(number: u32) -> (String, String) {
    let (time, rest) = ("5759e988", format!("bd862e3fe1be46a9{number:08x}"));
    (format!("{time}{rest}"), format!("1-{time}-{rest}"))
}

/// When the requests began, in ms since 1970: 2026-11-20T12:00:00Z.
const BEGAN_MS: u64 = 1_795_176_000_000;

/// The lines of a request that timed out while X-Ray traced it.
fn traced_report(request_id: &str, xray: &str) -> String {
    let (report, notice) = (report(request_id), format!("2026-11-20T12:00:03.000Z {request_id} Task timed out after 3.00 seconds"));
    format!("{}\tXRAY TraceId: {xray}\tSegmentId: 07f022a1ffe34a3b\tSampled: true\t\n{notice}\n", report.trim_end())
}

/// What the instrumented function and its caller would record: one invocation whose span names the request, and one of
/// which only a call within the trace is known, since the function was killed before its own span ended.
fn spans(way: &Way) -> Value {
    let (trace, _) = trace_id(way.number + 1);
    json!([
        {
            "name": "checkout", "kind": "server", "started_ms": BEGAN_MS, "lasted_ms": 2990,
            "attributes": { "faas.invocation_id": request_id(way.number), "faas.name": "checkout" },
            "children": [{
                "name": "POST", "kind": "client", "started_ms": BEGAN_MS + 100, "lasted_ms": 2800,
                "attributes": { "http.request.method": "POST", "url.full": "http://payments.internal/charge", "server.address": "payments.internal" },
            }],
        },
        {
            "name": "POST", "kind": "client", "started_ms": BEGAN_MS + 50, "lasted_ms": 2900, "trace_id": trace,
            "attributes": { "http.request.method": "POST", "url.full": "http://stock.internal/reserve", "server.address": "stock.internal" },
        },
    ])
}

/// Tells the daemon of the requests, then has an SDK export spans of them.
async fn export(daemon: &Daemon, way: &Way, start: fn(&str, &Value) -> Peer, script: &str) {
    let (_, xray) = trace_id(way.number + 1);
    daemon.push("lambda_text", &report(&request_id(way.number))).await;
    daemon.push("lambda_text", &traced_report(&request_id(way.number + 1), &xray)).await;
    let endpoint = if way.protocol == "grpc" { &daemon.grpc } else { &daemon.ingest };
    let settings = json!({ "protocol": way.protocol, "endpoint": endpoint, "spans": spans(way) });
    start(script, &settings).succeeded().await;
}

/// The request's REPORT line and its spans, seen together, and the verdict that follows.
async fn check(daemon: &Daemon, way: &Way) {
    let joined = [(request_id(way.number), 2, "POST payments.internal"), (request_id(way.number + 1), 1, "POST stock.internal")];
    for (id, count, operation) in joined {
        let what = format!("REPORT and {count} spans of {id}, sent by {}", way.protocol);
        eventually(&what, async || {
            let request = daemon.request(&id).await?;
            let of = |kind: &str| request["evidence"].as_array().expect("a list").iter().filter(|one| one["claim"]["kind"] == kind).count();
            (of("invocation_report") == 1 && of("span") == count).then_some(())
        })
        .await;
        let incident = daemon.incident(&id, |incident| incident["diagnosis"]["cause"]["id"] == "waiting_on_downstream").await;
        assert_eq!(incident["state"], "confirmed");
        assert_eq!(incident["diagnosis"]["product"], "aws_lambda", "Lambda's limit fired; the call is why");
        assert!(incident["diagnosis"]["cause"]["operation"].as_str().is_some_and(|text| text.starts_with(operation)), "{incident:#}");
        let lanes = incident["timeline"]["lanes"].as_array().expect("a list");
        assert!(lanes.iter().any(|lane| lane["layer"] == "downstream"), "the call has a lane: {lanes:#?}");
    }
}

async fn every_way(ways: &[Way], start: fn(&str, &Value) -> Peer, script: &str) {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    futures_util::future::join_all(ways.iter().map(|way| export(&daemon, way, start, script))).await;
    for way in ways {
        check(&daemon, way).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn the_python_sdk_delivers_over_http_and_grpc() {
    let ways = [Way { protocol: "http_protobuf", number: 0x510 }, Way { protocol: "grpc", number: 0x520 }];
    every_way(&ways, Peer::python, "spans.py").await;
}

#[tokio::test]
async fn the_javascript_sdk_delivers_over_http_in_json_and_protobuf_and_over_grpc() {
    let ways = [
        Way { protocol: "http_json", number: 0x530 },
        Way { protocol: "http_protobuf", number: 0x540 },
        Way { protocol: "grpc", number: 0x550 },
    ];
    every_way(&ways, Peer::node, "spans.mjs").await;
}

#[tokio::test]
async fn spans_that_come_before_anybody_knows_their_request_are_found_later() {
    let (database, way) = (Database::create().await, Way { protocol: "http_protobuf", number: 0x560 });
    let daemon = Daemon::start(&database).await;
    let settings = json!({ "protocol": way.protocol, "endpoint": daemon.ingest, "spans": spans(&way) });
    Peer::python("spans.py", &settings).succeeded().await;
    let (_, xray) = trace_id(way.number + 1);
    daemon.push("lambda_text", &traced_report(&request_id(way.number + 1), &xray)).await;
    daemon.push("lambda_text", &report(&request_id(way.number))).await;
    check(&daemon, &way).await;
}

/// A request that hangs in a call, and whose process is killed: no span of it ever ends.
#[tokio::test]
async fn heartbeats_of_open_spans_tell_where_a_killed_request_hung() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let id = request_id(0x570);
    let settings = json!({ "endpoint": daemon.ingest, "request_id": id, "interval_ms": 100 });
    let mut function = Peer::python("partial_spans.py", &settings);
    while function.next().await["heartbeats"].as_u64() < Some(8) {}
    function.kill();

    let request = daemon.request(&id).await.expect("its spans name it");
    let opened = request["evidence"].as_array().expect("a list").iter().filter_map(|one| one["claim"]["started_at"].as_str());
    let began = opened.min().expect("a span").parse::<jiff::Timestamp>().expect("a time");
    // As Lambda reports the end of the environment: a second after the request began.
    let report = report(&id).replace("3000", "1000").lines().last().map(str::to_owned).expect("a line");
    let ended = began + jiff::SignedDuration::from_millis(1000);
    daemon.push("auto", &format!("{}\n", json!({ "timestamp": ended.to_string(), "logStream": "s", "message": report }))).await;

    let incident = daemon.incident(&id, |incident| incident["diagnosis"]["cause"]["id"] == "waiting_on_downstream").await;
    assert_eq!(incident["diagnosis"]["cause"]["operation"], "POST payments.internal");
    assert_eq!((&incident["state"], &incident["function"]), (&json!("confirmed"), &json!("checkout")));
    let reasons = incident["diagnosis"]["reasons"].to_string();
    assert!(reasons.contains("which had not been answered") && reasons.contains("still open at its last heartbeat"), "{reasons}");
    let lanes = incident["timeline"]["lanes"].as_array().expect("a list").iter().filter(|lane| lane["layer"] == "downstream");
    let unanswered: Vec<_> = lanes.filter(|lane| lane["segments"][0]["kind"] == "unanswered").map(|lane| &lane["label"]).collect();
    assert_eq!(unanswered, ["payments.internal"], "the call that was answered is not open any more");
    daemon.stop().await;
}

/// What Python's loggers say, sent by the SDK's handler instead of being printed.
async fn log(daemon: &Daemon, protocol: &str, host: &str, records: Value) {
    let endpoint = if protocol == "grpc" { &daemon.grpc } else { &daemon.ingest };
    let resource = json!({ "service.name": "checkout", "host.name": host });
    let settings = json!({ "protocol": protocol, "endpoint": endpoint, "resource": resource, "records": records });
    Peer::python("logs.py", &settings).succeeded().await;
}

#[tokio::test]
async fn lines_that_the_python_sdk_sends_as_log_records_are_read_as_lines() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    for (protocol, number) in [("http_protobuf", 0x580), ("grpc", 0x590)] {
        let (id, host) = (request_id(number), format!("web-{number}"));
        let lines = report(&id);
        let lambda = lines.lines().map(|line| json!({ "logger": "lambda", "level": 20, "message": line }));
        let gunicorn = [
            json!({ "logger": "gunicorn.error", "level": 50, "message": format!("WORKER TIMEOUT (pid:{number})") }),
            json!({ "logger": "gunicorn.error", "level": 40, "message": format!("Worker (pid:{number}) was sent SIGKILL! Perhaps out of memory?") }),
            json!({ "logger": "shop", "level": 40, "message": "order 7 was not paid", "attributes": { "order": 7 } }),
        ];
        log(&daemon, protocol, &host, lambda.chain(gunicorn).collect()).await;
        let incident = daemon.incident(&id, |incident| incident["state"] == "confirmed").await;
        assert_eq!((&incident["diagnosis"]["product"], &incident["function"]), (&json!("aws_lambda"), &json!("checkout")));
        let what = format!("the incident of the worker on {host}");
        let worker = eventually(&what, async || {
            let listed = daemon.api("/incidents").await;
            let all = listed["incidents"].as_array().expect("a list");
            all.iter().find(|incident| incident["instance"] == host.as_str()).cloned()
        })
        .await;
        assert_eq!((&worker["pid"], &worker["diagnosis"]["product"]), (&json!(number), &json!("gunicorn")), "{worker:#}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn lines_that_the_javascript_sdk_sends_as_log_records_are_read_as_lines() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let id = request_id(0x5a0);
    let resource = json!({ "faas.name": "checkout", "cloud.platform": "aws_lambda" });
    let records: Vec<_> = report(&id).lines().chain(["order 7 was paid"]).map(str::to_owned).collect();
    let settings = json!({ "endpoint": daemon.ingest, "resource": resource, "records": records });
    Peer::node("logs.mjs", &settings).succeeded().await;
    let incident = daemon.incident(&id, |incident| incident["state"] == "confirmed").await;
    assert_eq!((&incident["diagnosis"]["product"], &incident["function"]), (&json!("aws_lambda"), &json!("checkout")));
    daemon.stop().await;
}
