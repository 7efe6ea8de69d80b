//! Postgres goes away and comes back: senders are told to come again, and nothing that was acknowledged is lost.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Peer, Proxy, Receivers, eventually, fired, report, request_id};

/// Every way in, with what its sender is told while the database is away.
async fn all_refuse(daemon: &Daemon, id: &str) {
    let watchdog = daemon.post("/v1/watchdog", "application/json", fired(id).to_string());
    let push = daemon.post("/v1/push/lambda_text", "text/plain", report(id));
    let span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "handler", "kind": 2,
        "startTimeUnixNano": "1795406100000000000", "endTimeUnixNano": "1795406101000000000",
        "attributes": [{ "key": "faas.invocation_id", "value": { "stringValue": id } }],
    });
    let traces = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string();
    let traces = daemon.post("/v1/traces", "application/json", traces);
    let mut grpc = Peer::python("export_once.py", &json!({ "endpoint": daemon.grpc, "request_id": id }));
    let (watchdog, push, traces, grpc) = tokio::join!(watchdog, push, traces, grpc.next());
    for answer in [watchdog, push, traces] {
        assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{}", answer.body);
        assert!(answer.body.contains("the database is not available"), "{}", answer.body);
    }
    assert_eq!((&grpc["code"], &grpc["retry_after_ms"]), (&"UNAVAILABLE".into(), &2000.into()), "{grpc:#}");
}

#[tokio::test]
async fn while_it_is_away_senders_are_asked_to_come_again_and_then_everything_is_taken() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let (before, during) = (request_id(71), request_id(72));
    daemon.push("lambda_text", &report(&before)).await;

    database.take_away().await;
    all_refuse(&daemon, &during).await;
    let (ready, alive) = (daemon.page("/readyz").await, daemon.page("/healthz").await);
    assert_eq!((ready.status, ready.header("retry-after"), alive.status), (503, "5", 200), "{}", ready.body);
    let page = daemon.page("/").await;
    assert_eq!(page.status, 503, "{}", page.body);

    database.give_back().await;
    eventually("it is ready again", async || (daemon.page("/readyz").await.status == 200).then_some(())).await;
    daemon.push("lambda_text", &report(&during)).await;
    for id in [before, during] {
        assert_eq!(daemon.incident(&id, |_| true).await["state"], "confirmed");
    }
    daemon.stop().await;
}

/// Sends until it is taken, as OTLP clients and `overrun ship` do.
async fn insist(daemon: &Daemon, id: &str) -> u32 {
    for refusals in 0.. {
        let answer = daemon.post("/v1/push/lambda_text", "text/plain", report(id)).await;
        match answer.status {
            202 => return refusals,
            503 => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            status => panic!("a passing fault is never {status}: {}", answer.body),
        }
    }
    unreachable!("an endless loop")
}

#[tokio::test]
async fn a_database_that_comes_and_goes_loses_nothing_that_was_acknowledged() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let ids: Vec<String> = (0..60).map(|n| request_id(7300 + n)).collect();
    let senders = futures_util::future::join_all(ids.chunks(10).map(async |ids| {
        let mut refusals = 0;
        for id in ids {
            refusals += insist(&daemon, id).await;
        }
        refusals
    }));
    let disturbance = async {
        for _ in 0..3 {
            database.take_away().await;
            eventually("it has noticed", async || (daemon.page("/readyz").await.status == 503).then_some(())).await;
            database.give_back().await;
            eventually("it is ready again", async || (daemon.page("/readyz").await.status == 200).then_some(())).await;
        }
    };
    let (refusals, ()) = tokio::join!(senders, disturbance);
    assert!(refusals.iter().sum::<u32>() > 0, "nobody noticed that the database was away");
    for id in &ids {
        let incident = daemon.incident(id, |_| true).await;
        assert_eq!(incident["state"], "confirmed");
    }
    let listed: Value = daemon.api("/incidents?limit=200").await;
    assert_eq!(listed["incidents"].as_array().map(Vec::len), Some(ids.len()), "each once, however often it was sent");
    daemon.stop().await;
}

#[tokio::test]
async fn a_database_that_hangs_holds_nobody_up_for_long() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let pool = database.pool().await;
    let mut blocker = pool.begin().await.expect("the database is there");
    sqlx::query("lock table evidence in access exclusive mode").execute(&mut *blocker).await.expect("locked");
    let id = request_id(74);
    let answer = daemon.post("/v1/push/lambda_text", "text/plain", report(&id)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{}", answer.body);
    assert_eq!(daemon.page("/healthz").await.status, 200);
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query ~ '(insert into|copy) evidence'";
    eventually("nobody waits in the sender's place", async || {
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(&pool).await.expect("a count");
        (count == 0).then_some(())
    })
    .await;
    blocker.rollback().await.expect("unlocked");
    daemon.push("lambda_text", &report(&id)).await;
    daemon.incident(&id, |_| true).await;
    daemon.stop().await;
}

/// The worst way to go: no connection is refused and none is closed, but nothing comes through. Nothing tells either side
/// that the other has gone, then or later.
#[tokio::test]
async fn a_database_that_vanishes_without_a_word_is_given_up_and_found_again() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let (network, mut webhook) = (Proxy::before(&database).await, receivers.open_webhook(&json!([])).await);
    let daemon = Launch::at(&network.url(&database))
        .rules(&receivers.rules())
        .with("OVERRUN__PIPELINE__COMMIT_MS_MAX", "1000")
        .with("OVERRUN__PIPELINE__RECOMPUTE_MS_MAX", "1000")
        .with("OVERRUN__ALERTS__ATTEMPT_TIMEOUT_MS", "1000")
        .with("OVERRUN__ALERTS__LEASE_MS", "1500")
        .start()
        .await;
    daemon.push("lambda_text", &report(&request_id(75))).await;
    assert_eq!(webhook.next().await["refused"], Value::Null);

    network.fall_silent();
    // One after the other, until every connection of the pool has been met.
    for _ in 0..3 {
        let answer = daemon.post("/v1/push/lambda_text", "text/plain", report(&request_id(76))).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{}", answer.body);
    }
    assert_eq!(daemon.page("/healthz").await.status, 200);
    network.recover();
    let taken = async || (insist(&daemon, &request_id(76)).await < 100).then_some(());
    eventually("evidence is taken again", taken).await;
    assert_eq!(daemon.incident(&request_id(76), |_| true).await["state"], "confirmed", "incidents are made again");
    assert_eq!(webhook.next().await["refused"], Value::Null, "alerts are sent again");
    daemon.stop().await;
}
