//! Requests that are run again: from the rule to the endpoint that runs them, and back.

use store::{Retry, RetryState};

use super::*;

/// An incident whose input is known.
fn with_event(number: u32) -> Incident {
    let event = domain::Value::from(serde_json::json!({ "order": number }));
    Incident { original_event: Some(event), ..another(number) }
}

/// Rules that run everything again at the stage's receiver; `more` goes into the action.
async fn set(pool: PgPool, more: &str) -> Stage {
    let stage = Stage::set(pool, "").await;
    let action = format!(
        "[[action]]\nname = 'again'\nkind = 'retry'\n{more}\n\
         target = {{ http = {{ url = 'http://127.0.0.1:{}/again', allow_private = true }} }}\n",
        stage.receiver.port
    );
    stage.rules.send_replace(parse(&format!("[[rule]]\nname = 'r'\nactions = ['again']\n{action}")));
    stage
}

impl Stage {
    /// The only retry of an incident, once it is as wanted.
    async fn retry(&self, incident: &Incident, wanted: impl Fn(&Retry) -> bool) -> Retry {
        let read = async || self.store.retries_of(incident).await.expect("read");
        until_some(async || read().await.pop().filter(&wanted)).await
    }

    /// The first delivery of an incident, once it is as wanted.
    async fn delivery(&self, incident: &Incident, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        let read = async || self.store.deliveries_of(incident.id.as_str()).await.expect("read");
        until_some(async || read().await.into_iter().map(|(delivery, _)| delivery).find(&wanted)).await
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_runs_again_once(pool: PgPool) {
    let stage = set(pool, "enabled = true").await;
    stage.receiver.answers(|| "done".into_response());
    let (daemon, incident) = (stage.daemon(options()), with_event(7));
    stage.change(&incident).await;
    let retry = stage.retry(&incident, |retry| retry.state == RetryState::Succeeded).await;
    assert_eq!((retry.number, retry.rule.as_str(), retry.detail.as_str()), (1, "r", "answered 200 OK: done"));
    assert!(retry.took_ms.is_some());
    let (delivery, attempts) = stage.attempts(&incident, 0, 1).await;
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert!(attempts[0].detail.starts_with("ran again, succeeded in "), "{}", attempts[0].detail);

    let received = stage.requests(1).await.remove(0);
    assert_eq!(received.header("idempotency-key"), format!("\"ovr-{}-1\"", incident.id));
    assert!(received.header("traceparent").starts_with("00-6a3f1c209a8fbf0a9c13eafa397c5a3b-"));
    let body: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!((&body["message"], &body["originalEvent"]), (&"Function timed out".into(), &serde_json::json!({ "order": 7 })));
    assert_eq!((&body["originalRequestId"], &body["overrun"]["attempt"]), (&"request-7".into(), &1.into()));
    assert_eq!(body["overrun"]["idempotencyKey"], retry.id);

    // A person who asks as well is told why not.
    stage.store.ask_for_retries("again", std::slice::from_ref(&incident), stage.clock.now()).await.expect("asked");
    let declined = stage.delivery(&incident, |delivery| delivery.state == DeliveryState::Declined).await;
    assert_eq!(declined.last_error.as_deref(), Some("it was retried before: succeeded"));
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 1);
    assert!(stage.metrics().contains(r#"overrun_alerts_deliveries_total{action_kind="retry",outcome="declined"} 1"#));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_action_that_is_not_enabled_sends_nothing(pool: PgPool) {
    let stage = set(pool, "").await;
    let (daemon, incident) = (stage.daemon(options()), with_event(1));
    stage.change(&incident).await;
    let declined = stage.delivery(&incident, |delivery| delivery.state == DeliveryState::Declined).await;
    assert!(declined.last_error.is_some_and(|why| why.contains("`enabled = true`")));
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_run_that_may_still_run_is_waited_for(pool: PgPool) {
    let stage = set(pool, "enabled = true\nguards = { grace = '1m' }").await;
    let (daemon, incident) = (stage.daemon(options()), with_event(1));
    stage.change(&incident).await;
    let waiting = stage.delivery(&incident, |delivery| delivery.last_error.is_some()).await;
    assert_eq!((waiting.state, waiting.attempts), (DeliveryState::Pending, 0), "waiting is no attempt");
    assert_eq!(
        (waiting.due_at, waiting.last_error.as_deref()),
        (testing::at("2026-11-20T22:24:32.998Z"), Some("its first run may still run"))
    );
    assert_eq!(stage.receiver.received().len(), 0);
    // Meanwhile it turned out that it had finished.
    stage.change(&Incident { state: IncidentState::Survived, ..incident.clone() }).await;
    stage.clock.advance(SignedDuration::from_secs(60));
    let declined = stage.delivery(&incident, |delivery| delivery.state == DeliveryState::Declined).await;
    assert_eq!(declined.last_error.as_deref(), Some("the request finished after all"));
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_crash_after_sending_sends_nothing_twice(pool: PgPool) {
    let stage = set(pool, "enabled = true").await;
    stage.receiver.hangs();
    let (first, incident) = (stage.daemon(options()), with_event(1));
    stage.change(&incident).await;
    stage.requests(1).await;
    first.crash().await;
    let stage = Stage { registry: Registry::new(), ..stage };
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.clock.advance(SignedDuration::from_secs(121));
    let second = stage.daemon(options());
    stage.delivery(&incident, |delivery| delivery.state == DeliveryState::Declined).await;
    let retry = stage.retry(&incident, |retry| retry.state == RetryState::Unknown).await;
    assert_eq!(retry.detail, "the process that sent it died before it heard the answer");
    second.stop().await;
    assert_eq!(stage.receiver.received().len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_not_taken_is_sent_again_under_its_key(pool: PgPool) {
    let stage = set(pool, "enabled = true").await;
    stage.receiver.answers(|| StatusCode::TOO_MANY_REQUESTS.into_response());
    let (daemon, incident) = (stage.daemon(options()), with_event(1));
    stage.change(&incident).await;
    stage.retry(&incident, |retry| retry.state == RetryState::NotTaken).await;
    stage.attempts(&incident, 0, 1).await;
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.clock.advance(SignedDuration::from_secs(7));
    stage.retry(&incident, |retry| retry.state == RetryState::Succeeded).await;
    let received = stage.requests(2).await;
    assert_eq!(received[0].header("idempotency-key"), received[1].header("idempotency-key"));
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_turned_away_is_parked_and_what_fails_is_not_sent_again(pool: PgPool) {
    let stage = set(pool, "enabled = true").await;
    stage.receiver.answers(|| StatusCode::NOT_FOUND.into_response());
    let daemon = stage.daemon(options());
    stage.change(&with_event(1)).await;
    stage.delivery(&with_event(1), |delivery| delivery.state == DeliveryState::Parked).await;
    assert_eq!(stage.retry(&with_event(1), |_| true).await.state, RetryState::NotTaken);
    stage.receiver.answers(|| StatusCode::SERVICE_UNAVAILABLE.into_response());
    stage.change(&with_event(2)).await;
    stage.delivery(&with_event(2), |delivery| delivery.state == DeliveryState::Delivered).await;
    assert_eq!(stage.retry(&with_event(2), |_| true).await.state, RetryState::Failed);
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn caps_hold_for_several_daemons_together(pool: PgPool) {
    let stage = set(pool, "enabled = true\nguards = { per_problem_max = 5, systemic_incidents = 1000 }").await;
    stage.receiver.answers(|| StatusCode::OK.into_response());
    let daemons = [stage.daemon(options()), stage.beside().daemon(options())];
    for number in 0..30 {
        stage.change(&with_event(number)).await;
    }
    for number in 0..30 {
        stage.delivery(&with_event(number), |delivery| delivery.state != DeliveryState::Pending).await;
    }
    for daemon in daemons {
        daemon.stop().await;
    }
    assert_eq!(stage.receiver.received().len(), 5);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_systemic_problem_stops_retries(pool: PgPool) {
    let stage = set(pool, "enabled = true\nguards = { systemic_incidents = 3 }").await;
    for number in 0..3 {
        stage.change(&with_event(number)).await;
    }
    let daemon = stage.daemon(options());
    for number in 0..3 {
        let declined = stage.delivery(&with_event(number), |delivery| delivery.state == DeliveryState::Declined).await;
        assert!(declined.last_error.is_some_and(|why| why.contains("the problem had 3 incidents within 10m")));
    }
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_result_of_what_was_taken_is_found_in_the_evidence(pool: PgPool) {
    let stage = set(pool, "enabled = true").await;
    stage.receiver.answers(|| (StatusCode::ACCEPTED, [("x-call-id", "request-99")]).into_response());
    let (daemon, incident) = (stage.daemon(options()), with_event(1));
    stage.change(&incident).await;
    let retry = stage.retry(&incident, |retry| retry.state == RetryState::Accepted).await;
    assert_eq!(retry.detail, "taken, runs as request-99");
    // It overruns again, and is not run a third time.
    let again = with_event(99);
    stage.change(&again).await;
    stage.clock.advance(SignedDuration::from_secs(2));
    let failed = stage.retry(&incident, |retry| retry.state == RetryState::Failed).await;
    assert_eq!((failed.detail.as_str(), failed.took_ms), (again.summary.as_str(), again.elapsed_ms));
    let declined = stage.delivery(&again, |delivery| delivery.state == DeliveryState::Declined).await;
    assert_eq!(declined.last_error.as_deref(), Some("it is itself a retry, and a retry is not retried"));
    daemon.stop().await;
    assert!(stage.metrics().contains(r#"overrun_alerts_retries{state="failed"} 1"#));
}
