//! From a change in the database to a request received, with everything that can go wrong between.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::{Claim, Evidence, Folded, Incident, IncidentState, Kind, ManualClock};
use prometheus::Encoder;
use sqlx::PgPool;
use store::{AttemptRow, Batch, Delivery, DeliveryState};
use tokio::task::JoinHandle;

use super::*;
use crate::testing;
use crate::testing::receiver::{Received, Receiver};

mod personal_mails;
mod receivers;
mod retries;
mod rules;

/// Everything that a test needs, on a database of its own.
#[derive(Clone)]
struct Stage {
    store: Store,
    clock: Arc<ManualClock>,
    receiver: Receiver,
    rules: watch::Sender<Arc<Rules>>,
    registry: Registry,
}

/// A worker that runs.
struct Daemon {
    stop: CancellationToken,
    task: JoinHandle<Result<(), AlertsError>>,
}

impl Daemon {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("it ran");
    }

    /// Ends it as a power cut would: nothing is written any more.
    async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.is_err(), "it was still running");
    }
}

fn options() -> AlertOptions {
    AlertOptions { poll_interval_ms: 20, http_timeout_ms: 60_000, stop_timeout_ms: 200, ..AlertOptions::default() }
}

fn parse(text: &str) -> Arc<Rules> {
    Arc::new(Rules::parse(text, "rules.toml").unwrap_or_else(|error| panic!("{error}")))
}

impl Stage {
    /// The same for a second daemon on the same database, which has metrics and rules of its own.
    fn beside(&self) -> Self {
        let rules = watch::Sender::new(self.rules.borrow().clone());
        Self { rules, registry: Registry::new(), ..self.clone() }
    }

    /// `rule` is what one rule says beside its name and action.
    async fn set(pool: PgPool, rule: &str) -> Self {
        testing::install_tls();
        let receiver = Receiver::start().await;
        let rules = parse(&format!("{}[[rule]]\nname = 'r'\nactions = ['hook']\n{rule}", receiver.action("hook")));
        let clock = Arc::new(ManualClock::new(testing::at("2026-11-20T22:24:00Z")));
        Self { store: Store::from_pool(pool), clock, receiver, rules: watch::Sender::new(rules), registry: Registry::new() }
    }

    /// Starts a worker; a second one on the same stage is another process on the same database.
    fn daemon(&self, options: AlertOptions) -> Daemon {
        let stop = CancellationToken::new();
        let (store, rules, clock) = (self.store.clone(), self.rules.subscribe(), Arc::clone(&self.clock) as Arc<dyn Clock>);
        let (registry, stopped) = (self.registry.clone(), stop.clone());
        Daemon { stop, task: tokio::spawn(async move { run(store, rules, clock, options, &registry, stopped).await }) }
    }

    /// Lets the collector's part happen: evidence comes, and the incident is what it is now.
    async fn change(&self, incident: &Incident) {
        static BATCHES: AtomicU32 = AtomicU32::new(0);
        let number = BATCHES.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now();
        let mut claim = Claim::new(Kind::WatchdogFired, "watchdog", &number.to_string());
        claim.request_id = incident.request_id.clone();
        let (stack, source) = (incident.stack.clone(), "test".into());
        let evidence = Evidence { stack: stack.clone(), source, received_at: now, origin: None, claim };
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        let batch = Batch {
            digest,
            stack,
            source: "test".into(),
            format: "watchdog".to_owned(),
            received_at: now,
            bytes: 1,
            evidence: vec![evidence],
            ignored: 0,
            rejected: Vec::new(),
        };
        self.store.append(&[batch]).await.expect("appended");
        let fold = |_: &[Evidence], _| Folded { incidents: vec![incident.clone()], recheck_at: None };
        self.store.recompute(now, 10, fold).await.expect("recomputed");
    }

    /// Waits until so many requests have come.
    async fn requests(&self, count: usize) -> Vec<Received> {
        until_some(async || Some(self.receiver.received()).filter(|received| received.len() >= count)).await
    }

    /// Waits until the delivery of `incident` with this index has had so many attempts that ended.
    async fn attempts(&self, incident: &Incident, index: usize, count: usize) -> (Delivery, Vec<AttemptRow>) {
        let read = async || self.store.deliveries_of(incident.id.as_str()).await.expect("read");
        until_some(async || Some(read().await).filter(|found| found.len() > index && found[index].1.len() >= count)).await;
        // Deliveries are read before their attempts: what ended in between is seen whole the second time.
        read().await.swap_remove(index)
    }

    /// Waits until every change has been routed, and answers how many deliveries there are.
    async fn deliveries_when_routed(&self) -> usize {
        let unrouted = "select count(*) from incident_changes where routed_at is null";
        until_some(async || (sqlx::query_scalar::<_, i64>(unrouted).fetch_one(self.store.pool()).await.expect("read") == 0).then_some(()))
            .await;
        self.store.deliveries(1_000).await.expect("read").len()
    }

    fn metrics(&self) -> String {
        let mut text = Vec::new();
        prometheus::TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("encodes");
        String::from_utf8(text).expect("text")
    }
}

/// Asks until there is an answer.
async fn until_some<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it happens in time")
}

fn incident(state: IncidentState) -> Incident {
    Incident { state, ..testing::incident() }
}

/// One more incident of the same problem.
fn another(number: u32) -> Incident {
    let mut incident = testing::incident();
    let key = domain::Key::Request(format!("request-{number}").into());
    incident.id = domain::IncidentId::derive(&incident.stack, &key, 1);
    incident.subject = key.to_string();
    incident.request_id = Some(format!("request-{number}").into());
    incident
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_change_is_received_once(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    let daemon = stage.daemon(options());
    let incident = incident(IncidentState::Confirmed);
    stage.change(&incident).await;
    let (delivery, attempts) = stage.attempts(&incident, 0, 1).await;
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!(
        (attempts[0].number, attempts[0].outcome.as_str(), attempts[0].detail.as_str()),
        (1, "delivered", "answered 204 No Content")
    );
    let received = stage.requests(1).await.remove(0);
    assert_eq!(received.header("webhook-id"), delivery.id);
    let event: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!(event["data"]["link"], format!("http://127.0.0.1:4319/incidents/{}", incident.id));
    // What is only told in more detail is told once.
    stage.change(&Incident { summary: "more is known".to_owned(), ..incident }).await;
    assert_eq!(stage.deliveries_when_routed().await, 1);
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 1);
    let metrics = stage.metrics();
    for line in [
        r#"overrun_alerts_deliveries_total{action_kind="webhook",outcome="delivered"} 1"#,
        r#"overrun_alerts_deliveries_total{action_kind="email",outcome="delivered"} 0"#,
        "overrun_alerts_changes_total 2",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn changes_from_before_the_start_are_found(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.change(&incident(IncidentState::Lost)).await;
    let daemon = stage.daemon(options());
    stage.requests(1).await;
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_suspicion_is_told_when_it_is_confirmed(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    let daemon = stage.daemon(options());
    stage.change(&incident(IncidentState::Suspected)).await;
    assert_eq!(stage.deliveries_when_routed().await, 0);
    stage.change(&incident(IncidentState::Confirmed)).await;
    stage.requests(1).await;
    stage.change(&incident(IncidentState::Survived)).await;
    assert_eq!(stage.deliveries_when_routed().await, 1);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_crash_between_claim_and_answer_repeats_the_delivery_under_its_id(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.hangs();
    let first = stage.daemon(options());
    stage.change(&testing::incident()).await;
    stage.requests(1).await;
    first.crash().await;
    stage.receiver.answers(|| StatusCode::OK.into_response());
    let stage = Stage { registry: Registry::new(), ..stage };
    let second = stage.daemon(options());
    // The lease of the one that died holds until it is over.
    stage.clock.advance(SignedDuration::from_secs(119));
    let of_another_problem = Incident { problem: domain::ProblemId::derive(&["another"]), ..another(1) };
    stage.change(&of_another_problem).await;
    stage.attempts(&of_another_problem, 0, 1).await;
    assert_eq!(stage.receiver.received().len(), 2);
    stage.clock.advance(SignedDuration::from_secs(2));
    let received = stage.requests(3).await;
    assert_eq!(received[0].header("webhook-id"), received[2].header("webhook-id"));
    assert_eq!(received[0].body, received[2].body);
    let (delivery, attempts) = stage.attempts(&testing::incident(), 0, 1).await;
    assert_eq!((delivery.state, delivery.attempts, attempts[0].number), (DeliveryState::Delivered, 2, 2));
    second.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_fails_is_tried_again_when_its_time_has_come(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::BAD_GATEWAY.into_response());
    let daemon = stage.daemon(options());
    let incident = testing::incident();
    stage.change(&incident).await;
    let began = stage.clock.now();
    let (delivery, attempts) = stage.attempts(&incident, 0, 1).await;
    assert_eq!((delivery.state, attempts[0].outcome.as_str()), (DeliveryState::Pending, "retry"));
    assert!(delivery.last_error.as_deref().is_some_and(|error| error.contains("502")), "{delivery:?}");
    let wait = delivery.due_at.duration_since(began);
    assert!((4..=6).contains(&wait.as_secs()), "{wait:?}");
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.clock.advance(SignedDuration::from_secs(7));
    let (delivery, attempts) = stage.attempts(&incident, 0, 2).await;
    assert_eq!((delivery.state, attempts[1].outcome.as_str()), (DeliveryState::Delivered, "delivered"));
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_tenth_failure_parks(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let daemon = stage.daemon(options());
    let incident = testing::incident();
    stage.change(&incident).await;
    for count in 1..=10 {
        stage.attempts(&incident, 0, count).await;
        stage.clock.advance(SignedDuration::from_hours(30));
    }
    let (delivery, attempts) = stage.attempts(&incident, 0, 10).await;
    assert_eq!(delivery.state, DeliveryState::Parked);
    assert!(attempts[9].detail.starts_with("given up after 10 attempts"), "{}", attempts[9].detail);
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 10);
    assert!(stage.metrics().contains(r#"{action_kind="webhook",outcome="exhausted"} 1"#));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_refused_is_parked_at_once(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::GONE.into_response());
    let daemon = stage.daemon(options());
    stage.change(&testing::incident()).await;
    let (delivery, attempts) = stage.attempts(&testing::incident(), 0, 1).await;
    assert_eq!((delivery.state, attempts.len(), attempts[0].outcome.as_str()), (DeliveryState::Parked, 1, "refused"));
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_group_is_told_once_until_its_time_is_over(pool: PgPool) {
    let stage = Stage::set(pool, "group_by = ['problem']\nrepeat_interval = '4h'").await;
    let daemon = stage.daemon(options());
    for number in 0..5 {
        stage.change(&another(number)).await;
    }
    assert_eq!(stage.deliveries_when_routed().await, 1);
    stage.clock.advance(SignedDuration::from_hours(4));
    stage.change(&another(5)).await;
    stage.change(&another(6)).await;
    assert_eq!(stage.deliveries_when_routed().await, 2);
    stage.requests(2).await;
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_message_that_reached_nobody_keeps_no_group_silent(pool: PgPool) {
    let stage = Stage::set(pool, "group_by = ['problem']").await;
    stage.receiver.answers(|| StatusCode::FORBIDDEN.into_response());
    let daemon = stage.daemon(options());
    stage.change(&another(0)).await;
    stage.attempts(&another(0), 0, 1).await;
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.change(&another(1)).await;
    let (delivery, _) = stage.attempts(&another(1), 0, 1).await;
    assert_eq!(delivery.state, DeliveryState::Delivered);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_daemons_share_the_work_and_tell_once(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    let daemons = [stage.daemon(options()), stage.beside().daemon(options())];
    for number in 0..30 {
        stage.change(&another(number)).await;
    }
    stage.requests(30).await;
    assert_eq!(stage.deliveries_when_routed().await, 30);
    for daemon in daemons {
        daemon.stop().await;
    }
    let received = stage.receiver.received();
    let ids: std::collections::BTreeSet<_> = received.iter().map(|received| received.header("webhook-id").to_owned()).collect();
    assert_eq!((received.len(), ids.len()), (30, 30));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn new_rules_take_effect_and_what_lost_its_action_is_parked(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::SERVICE_UNAVAILABLE.into_response());
    let daemon = stage.daemon(options());
    stage.change(&another(0)).await;
    stage.attempts(&another(0), 0, 1).await;
    let text = format!("{}[[rule]]\nname = 'r2'\nactions = ['new']", stage.receiver.action("new"));
    stage.rules.send_replace(parse(&text));
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.clock.advance(SignedDuration::from_secs(60));
    let (delivery, attempts) = stage.attempts(&another(0), 0, 2).await;
    assert_eq!(delivery.state, DeliveryState::Parked);
    insta::assert_snapshot!(attempts[1].detail, @"there is no action `hook` in the rules file any more");
    stage.change(&another(1)).await;
    let (delivery, _) = stage.attempts(&another(1), 0, 1).await;
    assert_eq!((delivery.rule.as_str(), delivery.state), ("r2", DeliveryState::Delivered));
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn stopping_puts_back_what_does_not_end(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.hangs();
    let daemon = stage.daemon(options());
    stage.change(&testing::incident()).await;
    stage.requests(1).await;
    daemon.stop().await;
    let (delivery, attempts) = stage.attempts(&testing::incident(), 0, 0).await;
    assert_eq!((delivery.state, delivery.attempts, attempts.len()), (DeliveryState::Pending, 0, 0));
    // Nobody has to wait for its lease.
    let now = stage.clock.now();
    assert_eq!(
        stage
            .store
            .claim_deliveries(Lease { now, until: now, limit: 10, order: store::DeliveryOrder::default() })
            .await
            .expect("claimed")
            .len(),
        1
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn no_more_attempts_run_than_may(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.hangs();
    let daemon = stage.daemon(AlertOptions { attempts_concurrent_max: 3, ..options() });
    for number in 0..10 {
        let problem = domain::ProblemId::derive(&["problem", &number.to_string()]);
        stage.change(&Incident { problem, ..another(number) }).await;
    }
    stage.requests(3).await;
    until_some(async || stage.metrics().contains("overrun_alerts_deliveries_pending 10").then_some(())).await;
    assert!(stage.metrics().contains("overrun_alerts_attempts_running 3"));
    assert_eq!(stage.receiver.received().len(), 3);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_rules_nothing_is_sent_and_nothing_is_kept_for_later(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.rules.send_replace(Arc::default());
    let daemon = stage.daemon(options());
    stage.change(&testing::incident()).await;
    assert_eq!(stage.deliveries_when_routed().await, 0);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_database_that_fails_is_waited_for(pool: PgPool) {
    let stage = Stage::set(pool.clone(), "").await;
    stage.change(&testing::incident()).await;
    sqlx::query("alter table deliveries rename to away").execute(&pool).await.expect("renamed");
    let daemon = stage.daemon(options());
    until_some(async || stage.metrics().contains("overrun_alerts_database_faults_total 1").then_some(())).await;
    sqlx::query("alter table away rename to deliveries").execute(&pool).await.expect("renamed");
    stage.requests(1).await;
    daemon.stop().await;
}
