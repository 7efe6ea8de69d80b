//! Decisions under one lock, results, and what a person asks for.

use sqlx::PgPool;

use super::*;
use crate::testing::{at, batch, line, settle, timeout};
use crate::{BY_HAND, DeliveryState};

async fn with_incident(pool: PgPool) -> (Store, Incident) {
    let store = Store::from_pool(pool);
    store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
    settle(&store, 0).await;
    let incident = store.incidents(&filter()).await.unwrap().remove(0).incident;
    (store, incident)
}

fn filter() -> crate::IncidentFilter {
    crate::IncidentFilter { limit: 10, ..crate::IncidentFilter::default() }
}

fn scope(minute: i64) -> RetryScope<'static> {
    RetryScope { action: "again", struck_since: at(minute - 10), now: at(minute) }
}

fn new(id: &str) -> NewRetry {
    let token_digest = Some("digest".to_owned());
    NewRetry { id: id.to_owned(), number: 1, rule: "r".to_owned(), delivery_id: "d".to_owned(), token_digest }
}

fn step(state: RetryState) -> RetryStep {
    RetryStep { state, took: None, detail: "said\0".to_owned(), result_request_id: Some("r2".to_owned()) }
}

/// Runs it unless history knows one that ran.
async fn once(store: &Store, incident: &Incident, minute: i64) -> bool {
    let decide = |case: &RetryCase| {
        let runs = case.history.of_request.iter().all(|retry| retry.state == RetryState::NotTaken);
        (runs, runs.then(|| new("ovr-1")))
    };
    store.begin_retry(incident.id.as_str(), scope(minute), decide).await.unwrap().expect("the incident is there")
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn of_many_that_decide_at_once_one_runs(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    let ask = || once(&store, &incident, 1);
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!([a, b, c, d].into_iter().filter(|ran| *ran).count(), 1);
    let known = store.retries_of(&incident).await.unwrap();
    assert_eq!((known.len(), known[0].state, known[0].begun_at), (1, RetryState::Begun, at(1)));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_was_not_taken_is_the_same_retry_when_it_is_sent_again(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    assert!(once(&store, &incident, 1).await);
    store.step_retry("ovr-1", &step(RetryState::NotTaken), at(1)).await.unwrap();
    assert!(once(&store, &incident, 2).await);
    store.step_retry("ovr-1", &step(RetryState::Accepted), at(2)).await.unwrap();
    assert!(!once(&store, &incident, 3).await);
    let known = store.retries_of(&incident).await.unwrap();
    assert_eq!((known.len(), known[0].state, known[0].ended_at), (1, RetryState::Accepted, None));
    assert_eq!((known[0].begun_at, known[0].detail.as_str()), (at(2), "said\u{fffd}"));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn history_is_of_the_request_the_problem_and_the_action(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    once(&store, &incident, 1).await;
    let case = async |minute| store.retry_case(incident.id.as_str(), scope(minute)).await.unwrap().expect("there").history;
    let seen = case(30).await;
    assert_eq!((seen.of_request.len(), seen.of_problem.len(), seen.of_action.len(), seen.struck), (1, 1, 1, 0));
    assert_eq!(case(5).await.struck, 1, "it happened within ten minutes");
    let later = case(62).await;
    assert_eq!((later.of_problem.len(), later.of_action.len()), (1, 0));
    let next_day = case(60 * 25).await;
    assert_eq!((next_day.of_request.len(), next_day.of_problem.len()), (1, 0));
    // Its result is known under an ID: that request is one of our own.
    store.step_retry("ovr-1", &step(RetryState::Accepted), at(2)).await.unwrap();
    store.append(&[batch(3, [timeout("r2", 3)])]).await.unwrap();
    settle(&store, 3).await;
    let second = store.incidents(&filter()).await.unwrap().into_iter().find(|stored| stored.incident.request_id != incident.request_id);
    let second = store.retry_case(second.expect("an incident").incident.id.as_str(), scope(5)).await.unwrap().expect("there");
    assert!(second.history.is_a_retry && !case(5).await.is_a_retry);
    assert!(store.retry_case("none", scope(5)).await.unwrap().is_none());
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_result_is_looked_for_by_one_at_a_time_and_less_often_the_older_it_is(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    once(&store, &incident, 0).await;
    let due = async |minute| store.claim_retry_results(at(minute), 10).await.unwrap().len();
    assert_eq!(due(1).await, 0, "it is still being sent");
    store.step_retry("ovr-1", &step(RetryState::Accepted), at(0)).await.unwrap();
    assert_eq!((due(4).await, due(4).await), (1, 0));
    assert_eq!((due(5).await, due(40).await, due(44).await, due(45).await), (1, 1, 0, 1), "five minutes apart at most");
    store.append(&[batch(1, [line("r2", 1, "end")])]).await.unwrap();
    let ended = RetryStep { took: Some(Millis::from_ms(3_100)), ..step(RetryState::Succeeded) };
    store.step_retry("ovr-1", &ended, at(50)).await.unwrap();
    store.step_retry("ovr-1", &step(RetryState::Failed), at(51)).await.unwrap();
    let known = store.retries_of(&incident).await.unwrap().remove(0);
    assert_eq!((known.state, known.ended_at, known.took_ms), (RetryState::Succeeded, Some(at(50)), Some(Millis::from_ms(3_100))));
    assert_eq!(due(10_000).await, 0);
    assert_eq!(store.retries_by_state(at(0)).await.unwrap(), [(RetryState::Succeeded, 1)]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_result_is_taken_from_who_knows_the_token(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    once(&store, &incident, 0).await;
    let post = async |token: &str| {
        let took = Some(Millis::from_ms(500));
        store.post_retry_result("ovr-1", token, RetryState::Failed, took, "answered 500", at(1)).await.unwrap()
    };
    assert!(!post("other").await);
    assert!(post("digest").await);
    assert!(!post("digest").await, "known already");
    assert_eq!(store.retries_of(&incident).await.unwrap()[0].state, RetryState::Failed);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_sending_whose_process_died_is_given_up_as_not_known(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    once(&store, &incident, 0).await;
    assert_eq!(store.give_up_begun_retries(at(0), at(1)).await.unwrap(), 0);
    assert_eq!(store.give_up_begun_retries(at(1), at(2)).await.unwrap(), 1);
    assert!(!once(&store, &incident, 3).await, "it may have run");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_person_asks_once_for_what_is_on_its_way(pool: PgPool) {
    let (store, incident) = with_incident(pool).await;
    let incidents = [incident];
    assert_eq!(store.ask_for_retries("again", &incidents, at(1)).await.unwrap(), 1);
    assert_eq!(store.ask_for_retries("again", &incidents, at(2)).await.unwrap(), 0);
    assert_eq!(store.ask_for_retries("other", &incidents, at(2)).await.unwrap(), 1);
    let asked = store.deliveries(10).await.unwrap().remove(1);
    assert_eq!((asked.rule.as_str(), asked.action.as_str(), asked.state), (BY_HAND, "again", DeliveryState::Pending));
    assert_eq!((asked.incident.id, asked.due_at), (incidents[0].id.clone(), at(1)));
}
