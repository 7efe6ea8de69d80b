//! One request told by several sources, and what configuration adds to it.

use serde_json::json;

use crate::support::{Daemon, Database, Launch, eventually, fixture};

#[tokio::test]
async fn the_daemon_knows_the_limits_of_configuration_files_by_stack() {
    let database = Database::create().await;
    let dir = tempfile::tempdir().expect("a directory");
    let procfile = dir.path().join("Procfile");
    std::fs::write(&procfile, "web: gunicorn app:app --timeout 60 --workers 2\n").expect("written");
    let daemon = Launch::on(&database).with("OVERRUN__LIMITS__DEFAULT", &json!([procfile]).to_string()).start().await;
    daemon.push("gunicorn", &fixture("gunicorn/fly-21.2.0.log")).await;
    let told = daemon.incident_where("a worker timeout", |incident| incident["diagnosis"]["product"] == "gunicorn").await;
    let limit = json!({ "setting": "--timeout", "value_ms": 60000, "known_from": "configured", "where": "Procfile:1" });
    assert_eq!(told["diagnosis"]["limit"], limit, "{told:#}");
    daemon.stop().await;

    let missing = Launch::on(&database).with("OVERRUN__LIMITS__DEFAULT", r#"["/no/such/Procfile"]"#).refused().await;
    assert!(missing.contains("limits.default") && missing.contains("/no/such/Procfile"), "{missing}");
}

#[tokio::test]
async fn openfaas_call_id_joins_the_function_and_its_watchdog() {
    const CALL: &str = "5eed0002-5b1e-4c7d-9a20-000000000002";
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    // What the Python watchdog says of a call that was nearly too long, and of-watchdog's line for it, from a real run.
    for event in [
        json!({ "kind": "near_miss", "observed_at": "2026-11-22T12:08:09.100Z", "elapsed_ms": 500, "limit_ms": 1100, "left_ms": 600 }),
        json!({ "kind": "fired", "observed_at": "2026-11-22T12:08:09.500Z", "elapsed_ms": 900, "limit_ms": 1100, "left_ms": 200 }),
        json!({ "kind": "closed", "observed_at": "2026-11-22T12:08:09.601Z", "elapsed_ms": 1001, "outcome": "ok" }),
    ] {
        let mut event = event;
        event["request_id"] = CALL.into();
        event["platform"] = "openfaas".into();
        daemon.watchdog(&event).await;
    }
    daemon.push("of_watchdog", &fixture("of_watchdog/0.10.7-call-ids.log")).await;
    let told = daemon.incident(CALL, |incident| incident["state"] == "survived").await;
    assert_eq!(told["outcome"], "near_miss", "{told:#}");
    let request = daemon.request(CALL).await.expect("known");
    let formats: Vec<&str> =
        request["evidence"].as_array().expect("a list").iter().filter_map(|one| one["claim"]["format"].as_str()).collect();
    assert!(formats.contains(&"watchdog") && formats.contains(&"of_watchdog"), "{request:#}");
    daemon.stop().await;
}

/// nginx 1.22.1 in front of gunicorn, both logs followed by `overrun ship` (November 2026).
#[tokio::test]
async fn a_proxys_two_logs_tell_of_one_request_in_either_order() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let access = |path: &str, id: &str| {
        format!(
            "127.0.0.1 - - [27/Nov/2026:22:30:55 +0000] \"GET /{path} HTTP/1.1\" 504 167 \"-\" \"curl/7.88.1\" rt=5.012 urt=5.012 us=504 rid={id}\n"
        )
    };
    let error = |path: &str| {
        format!(
            "2026/11/27 22:30:55 [error] 5116#5116: *3 upstream timed out (110: Connection timed out) while reading response header from upstream, \
             client: 127.0.0.1, server: , request: \"GET /{path} HTTP/1.1\", upstream: \"http://127.0.0.1:8796/{path}\", host: \"localhost:8797\"\n"
        )
    };
    let push = async |text: String| daemon.push("nginx?instance=web-1", &text).await;
    let is_joined = |incident: &serde_json::Value| incident["diagnosis"]["reasons"].to_string().contains("names the timer that ran out");
    push(error("pay")).await;
    let alone = daemon.incident_where("the error line alone", |incident| incident["request_id"].is_null()).await;
    push(access("pay", "128e43e5c9621405a6701ee0a1638945")).await;
    let joined = daemon.incident("128e43e5c9621405a6701ee0a1638945", is_joined).await;
    // Who was told of the first finds the other under the same link.
    let link = format!("/incidents/{}", alone["id"].as_str().expect("text"));
    eventually("the first is no more", async || (daemon.api(&link).await["id"] == joined["id"]).then_some(())).await;
    assert!(daemon.page(&link).await.expect(200).body.contains("128e43e5c9621405a6701ee0a1638945"));
    push(access("order", "b0b33b8f980aa21d957ca72943341b0c")).await;
    daemon.incident("b0b33b8f980aa21d957ca72943341b0c", |incident| !is_joined(incident)).await;
    push(error("order")).await;
    daemon.incident("b0b33b8f980aa21d957ca72943341b0c", is_joined).await;
    eventually("nothing is told twice", async || (daemon.api("/incidents").await["incidents"].as_array()?.len() == 2).then_some(())).await;
    daemon.stop().await;
}

/// HAProxy 2.6 with `unique-id-header X-Request-Id`, `%ID` behind its line (November 2026).
#[tokio::test]
async fn an_id_without_a_name_joins_where_another_source_names_the_request() {
    const ID: &str = "7F000001:C928_7F000001:225A_6B0A0A3A_0002:6358";
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let haproxy = format!(
        "127.0.0.1:51496 [27/Nov/2026:22:54:50.960] g b/s1 0/0/0/-1/5000 504 198 - - sH-- 1/1/0/0/0 0/0 \"GET /pay HTTP/1.1\" {ID}\n"
    );
    daemon.push("haproxy?instance=lb-1", &haproxy).await;
    daemon.incident_where("HAProxy's line alone", |incident| incident["diagnosis"]["product"] == "haproxy").await;
    let gunicorn = format!("127.0.0.1 - - [27/Nov/2026:22:54:57 +0000] \"GET /pay HTTP/1.1\" 200 5 \"-\" \"-\" 6980000 rid={ID} pid=<7>\n");
    daemon.push("gunicorn?instance=web-1", &gunicorn).await;
    let told = daemon.incident_where("one request", |incident| incident["request_id"] == ID).await;
    assert_eq!((&told["outcome"], &told["diagnosis"]["limit"]["setting"]), (&json!("caller_left"), &json!("timeout server")), "{told:#}");
    eventually("nothing is told twice", async || (daemon.api("/incidents").await["incidents"].as_array()?.len() == 1).then_some(())).await;
    daemon.stop().await;
}

/// HAProxy 2.6 with `option httplog` and nginx 1.22.1 with times in its access log, neither with an ID, in front of gunicorn with the
/// watchdog inside (November 2026).
#[tokio::test]
async fn a_proxy_that_names_no_request_meets_the_application_by_path_and_time() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let event = |id: &str, kind: &str, at: &str, elapsed_ms: f64| {
        json!({
            "kind": kind, "request_id": id, "method": "GET", "path": "/hang?cart=7", "platform": "gunicorn", "instance": "web-1", "pid": 7,
            "observed_at": at, "elapsed_ms": elapsed_ms, "limit_ms": 20000.0, "left_ms": 20000.0 - elapsed_ms,
        })
    };
    let haproxy =
        "127.0.0.1:45890 [28/Nov/2026:01:14:11.233] f b/s1 0/0/0/-1/5002 504 198 - - sH-- 1/1/0/0/0 0/0 \"GET /hang?cart=7 HTTP/1.1\"\n";
    let is_haproxys = |incident: &serde_json::Value| incident["diagnosis"]["product"] == "haproxy";
    daemon.push("haproxy?instance=lb-1", haproxy).await;
    daemon.incident_where("HAProxy's line alone", is_haproxys).await;
    daemon.watchdog(&event("8647ed8dcedaa13f-1", "near_miss", "2026-11-28T01:14:21.236Z", 10000.3)).await;
    let told = daemon.incident("8647ed8dcedaa13f-1", is_haproxys).await;
    assert_eq!((&told["outcome"], &told["diagnosis"]["limit"]["value_ms"]), (&json!("caller_left"), &json!(5000)), "{told:#}");
    assert_eq!((&told["instance"], &told["pid"]), (&json!("web-1"), &json!(7)), "where it was served, not whose limit fired");

    let access = "127.0.0.1 - - [28/Nov/2026:01:21:16 +0000] \"GET /hang?cart=7 HTTP/1.1\" 504 167 \"-\" \"curl/7.88.1\" rt=5.012 urt=5.012 us=504\n";
    let error = "2026/11/28 01:21:16 [error] 5116#5116: *3 upstream timed out (110: Connection timed out) while reading response header from \
                 upstream, client: 127.0.0.1, server: , request: \"GET /hang?cart=7 HTTP/1.1\", upstream: \"http://127.0.0.1:8796/hang?cart=7\"\n";
    daemon.watchdog(&event("62859cedfb512d23-2", "near_miss", "2026-11-28T01:21:21.100Z", 10000.2)).await;
    daemon.push("nginx?instance=lb-2", error).await;
    daemon.push("nginx?instance=lb-2", access).await;
    let rests_on_both = |incident: &serde_json::Value| {
        let evidence = incident["diagnosis"]["evidence"].to_string();
        evidence.contains("rt=5.012") && evidence.contains("upstream timed out")
    };
    daemon.incident("62859cedfb512d23-2", rests_on_both).await;
    eventually("nothing is told twice", async || (daemon.api("/incidents").await["incidents"].as_array()?.len() == 2).then_some(())).await;
    daemon.stop().await;
}

/// The same of an application that sends spans only, each when it has ended.
#[tokio::test]
async fn a_proxy_that_names_no_request_meets_the_trace_of_the_application() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let haproxy =
        "127.0.0.1:45890 [28/Nov/2026:01:34:11.233] f b/s1 0/0/0/-1/5002 504 198 - - sH-- 1/1/0/0/0 0/0 \"GET /hang?cart=7 HTTP/1.1\"\n";
    daemon.push("haproxy?instance=lb-1", haproxy).await;
    daemon.incident_where("HAProxy's line alone", |incident| incident["trace_id"].is_null()).await;
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let span = |id: &str, parent: &str, kind: u8, attributes: serde_json::Value| {
        let span = json!({
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": id, "parentSpanId": parent, "kind": kind, "name": "GET",
            "startTimeUnixNano": "1795829651240000000", "endTimeUnixNano": "1795829661240000000", "attributes": attributes,
        });
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string()
    };
    let call = json!([attribute("http.request.method", "GET"), attribute("server.address", "pay")]);
    let served = json!([attribute("url.path", "/hang"), attribute("url.query", "cart=7")]);
    for spans in [span("eee19b7ec3c1b175", "eee19b7ec3c1b174", 3, call), span("eee19b7ec3c1b174", "", 2, served)] {
        daemon.post("/v1/traces", "application/json", spans).await.expect(200);
    }
    let told = daemon.incident_where("what it waited for", |incident| incident["diagnosis"]["cause"]["operation"] == "GET pay").await;
    assert_eq!((&told["diagnosis"]["product"], &told["outcome"]), (&json!("haproxy"), &json!("caller_left")), "{told:#}");
    assert_eq!(told["trace_id"], "5b8efff798038103d269b633813fc60c");
    daemon.stop().await;
}
