//! The extension as Lambda runs it: its binary against a stand-in for the Extensions API, the Telemetry API and a collector.

mod lambda;

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::lambda::{Collector, Lambda};

#[tokio::test(flavor = "multi_thread")]
async fn it_fires_before_the_deadline_at_which_everything_is_killed() {
    let (mut lambda, collector) = Lambda::start(&[("OVERRUN_MARGIN_MS", "300")]).await;
    let deadline = lambda.invoke("stuck", Duration::from_millis(1200)).await;
    let near = collector.event("near_miss").await;
    assert_eq!((&near["request_id"], &near["platform"], &near["function"]), (&"stuck".into(), &"aws_lambda".into(), &"checkout".into()));
    let fired = collector.event("fired").await;
    lambda.kill_at(deadline).await;
    let number = |name: &str| fired[name].as_f64().unwrap_or_else(|| panic!("no {name} in {fired}"));
    assert!(number("left_ms") > 0.0 && number("left_ms") <= 300.0, "{fired}");
    assert!(number("elapsed_ms") >= 880.0 && fired["margin_ms"] == 300 && number("memory_bytes") > 0.0, "{fired}");
    assert_eq!(fired["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(collector.header("authorization"), "Bearer t0ken");
}

#[tokio::test(flavor = "multi_thread")]
async fn fast_requests_say_nothing_but_what_the_platform_says() {
    let (mut lambda, collector) = Lambda::start(&[]).await;
    let requests = fast_requests();
    for number in 0..requests {
        let id = format!("fast-{number}");
        lambda.invoke(&id, Duration::from_secs(3)).await;
        lambda.telemetry(&json!([{ "time": "2026-11-27T12:00:00.000Z", "type": "platform.runtimeDone", "record": { "requestId": id, "status": "success" } }])).await;
    }
    lambda.shutdown().await;
    assert_eq!(collector.bodies("/v1/watchdog"), Vec::<serde_json::Value>::new());
    let batches = collector.bodies("/v1/push/lambda_telemetry");
    assert_eq!(batches.len(), requests, "everything was drained at the shutdown");
    assert_eq!(batches[requests - 1][0]["record"]["requestId"], format!("fast-{}", requests - 1));
}

/// How many; `OVERRUN_TEST_FAST_REQUESTS` asks for more.
fn fast_requests() -> usize {
    const USUAL: usize = 50;
    std::env::var("OVERRUN_TEST_FAST_REQUESTS").map_or(USUAL, |wanted| wanted.parse().expect("a number of requests"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_after_all_is_closed_and_what_was_killed_is_not() {
    let (mut lambda, collector) = Lambda::start(&[("OVERRUN_MARGIN_MS", "300")]).await;
    for (id, status) in [("late", "success"), ("killed", "timeout")] {
        lambda.invoke(id, Duration::from_millis(900)).await;
        collector.event_of("fired", id).await;
        lambda
            .telemetry(&json!([{ "type": "platform.runtimeDone", "record": { "requestId": id, "status": status } }, 7, { "type": null }]))
            .await;
    }
    lambda.shutdown().await;
    let closed: Vec<_> = collector.bodies("/v1/watchdog").into_iter().filter(|event| event["kind"] == "closed").collect();
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!((&closed[0]["request_id"], &closed[0]["outcome"]), (&"late".into(), &"ok".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sdks_do_not_wait_for_a_collector_that_hangs() {
    let (mut lambda, collector) = Lambda::start(&[]).await;
    collector.hangs(Some("/"));
    lambda.invoke("busy", Duration::from_mins(1)).await;
    let began = std::time::Instant::now();
    for number in 0..20 {
        let status = lambda.sdk_event(&json!({ "kind": "fired", "request_id": format!("sdk-{number}") })).await;
        assert_eq!(status, 202);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "answered at once, not after the collector");
    // The next event is asked for while the collector still hangs: no invocation waits for us.
    lambda.invoke("next", Duration::from_mins(1)).await;
    collector.hangs(None);
    collector.event_of("fired", "sdk-19").await;
    lambda.shutdown().await;
    assert_eq!(collector.bodies("/v1/watchdog").len(), 20, "what hung is sent again, and nothing twice that was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_does_not_wait_for_a_batch_that_the_collector_does_not_take() {
    let (mut lambda, collector) = Lambda::start(&[("OVERRUN_MARGIN_MS", "300")]).await;
    collector.hangs(Some("/v1/push"));
    lambda.telemetry(&json!([{ "type": "function", "record": "order 7" }])).await;
    let deadline = lambda.invoke("stuck", Duration::from_millis(1200)).await;
    collector.event("fired").await;
    assert!(lambda::now_ms() < deadline, "it was told before the kill");
    collector.hangs(None);
    lambda.shutdown().await;
    assert_eq!(collector.bodies("/v1/push/lambda_telemetry").len(), 1, "and the batch after all");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_words_are_passed_on_while_their_request_is_open() {
    const PATH: &str = "/v1/watchdog/last_words";
    let (mut lambda, collector) = Lambda::start(&[]).await;
    let mut process = lambda.connect().await;
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1048576\r\n\r\n{{\"pid\": 8}}\n");
    process.write_all(head.as_bytes()).await.expect("it listens");
    for said in ["Timeout (0:00:01)!\n", "Current thread 0x01 (most recent call first):\n"] {
        process.write_all(said.as_bytes()).await.expect("it listens");
        collector.wait_at(PATH, |body| *body == format!("{{\"pid\": 8}}\n{said}")).await;
    }
    process.write_all(b"and so").await.expect("it listens");
    drop(process);
    collector.wait_at(PATH, |body| *body == "{\"pid\": 8}\nand so").await;
    lambda.shutdown().await;
    assert_eq!(collector.bodies(PATH).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_it_does_what_lambda_demands_and_says_so_once() {
    let (mut lambda, collector) = Lambda::start(&[("OVERRUN_COLLECTOR", ""), ("OVERRUN_MARGIN_MS", "soon")]).await;
    for number in 0..3 {
        lambda.invoke(&format!("r{number}"), Duration::from_secs(1)).await;
    }
    let said = lambda.shutdown().await;
    assert_eq!(said.matches("OVERRUN_COLLECTOR").count(), 1, "{said}");
    assert!(said.contains("expected a number of milliseconds, 150 or more in OVERRUN_MARGIN_MS, found `soon`"), "{said}");
    assert_eq!(collector.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_small() {
    let (mut lambda, _collector) = Lambda::start(&[]).await;
    lambda.invoke("one", Duration::from_secs(3)).await;
    let resident = lambda.resident_kib();
    lambda.shutdown().await;
    // A debug build has more pages of code than the one that is shipped.
    let most_mib = if cfg!(debug_assertions) { 16 } else { 12 };
    assert!(resident < most_mib * 1024, "{resident} KiB resident");
}

impl Collector {
    async fn event(&self, kind: &str) -> serde_json::Value {
        self.wait_for(|event| event["kind"] == kind).await
    }

    async fn event_of(&self, kind: &str, request_id: &str) -> serde_json::Value {
        self.wait_for(|event| event["kind"] == kind && event["request_id"] == request_id).await
    }
}
