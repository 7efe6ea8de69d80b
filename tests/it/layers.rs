//! One request told by several sources, and what configuration adds to it.

use serde_json::json;

use crate::support::{Daemon, Database, Launch, fixture};

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
