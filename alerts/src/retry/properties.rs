//! What must hold whatever happened before: a world is generated, in which requests fail, retries are asked for at any time
//! and in any order, and end in any way; each decision to run is written into its history, as the store does.

use std::collections::BTreeMap;

use domain::{IncidentId, IncidentState, Key, Value};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::json;
use store::{ACTION_SPAN, PROBLEM_SPAN, Retry, RetryCase, RetryHistory, RetryState};

use super::guards::FAILED_PAUSE;
use super::{Asked, Decision, Guards, decide};
use crate::testing;

/// Somebody asks for the retry of one attempt at one request.
#[derive(Clone, Debug)]
struct Ask {
    request: u8,
    attempt: u32,
    by_hand: bool,
    /// Seconds after the ask before it.
    after_s: i64,
    /// How a retry ends that is allowed, and how many seconds later.
    ends: RetryState,
    ends_after_s: i64,
}

fn ask() -> impl Strategy<Value = Ask> {
    let ends = prop::sample::select(RetryState::ALL.to_vec());
    (0_u8..6, 1_u32..4, any::<bool>(), 0_i64..900, ends, 0_i64..600)
        .prop_map(|(request, attempt, by_hand, after_s, ends, ends_after_s)| Ask { request, attempt, by_hand, after_s, ends, ends_after_s })
}

fn guards() -> impl Strategy<Value = Guards> {
    (1_u32..4, 1_u32..6, 1_u32..6, 1_u32..4, 2_u32..8, 0_i64..120).prop_map(|(request, problem, hour, failed, systemic, grace_s)| Guards {
        enabled: true,
        per_request_max: request,
        per_problem_max: problem,
        per_hour_max: hour,
        failed_max: failed,
        systemic_incidents: systemic,
        grace: SignedDuration::from_secs(grace_s),
        ..Guards::default()
    })
}

/// When the attempts of a request were ended, one by one.
fn ended_at(start: Timestamp, request: u8, attempt: u32) -> Timestamp {
    start + SignedDuration::from_secs(i64::from(request) * 97 + i64::from(attempt) * 31)
}

struct World {
    guards: Guards,
    start: Timestamp,
    retries: Vec<(u8, Retry)>,
    /// When each of them ran, and whether the ask that led to it was a person's.
    runs: Vec<(Timestamp, u8, u32)>,
}

impl World {
    fn case(&self, ask: &Ask, now: Timestamp) -> RetryCase {
        let mut incident = testing::incident();
        let key = Key::Request(format!("request-{}", ask.request).into());
        incident.id = IncidentId::derive(&incident.stack, &key, ask.attempt);
        incident.subject = key.to_string();
        incident.request_id = Some(format!("request-{}", ask.request).into());
        incident.attempt = ask.attempt;
        incident.state = IncidentState::Confirmed;
        incident.ended_at = Some(ended_at(self.start, ask.request, ask.attempt));
        incident.original_event = Some(Value::from(json!({ "order": ask.request })));
        let seen = |retry: &Retry| {
            // What has not ended yet is seen as being on its way.
            let open = retry.ended_at.is_some_and(|ended| ended > now);
            let state = if open { RetryState::Begun } else { retry.state };
            Retry { state, ended_at: retry.ended_at.filter(|_| !open), ..retry.clone() }
        };
        let within =
            |span| self.retries.iter().map(|(_, retry)| seen(retry)).filter(move |retry| now.duration_since(retry.begun_at) < span);
        RetryCase {
            incident,
            evidence: Vec::new(),
            history: RetryHistory {
                of_request: self.retries.iter().filter(|(request, _)| *request == ask.request).map(|(_, retry)| seen(retry)).collect(),
                of_problem: within(PROBLEM_SPAN).collect(),
                of_action: within(ACTION_SPAN).collect(),
                struck: self.struck(now),
                is_a_retry: false,
            },
        }
    }

    fn struck(&self, now: Timestamp) -> u32 {
        let all = (0..6).flat_map(|request| (1..4).map(move |attempt| (request, attempt)));
        let recent = all.filter(|(request, attempt)| {
            let age = now.duration_since(ended_at(self.start, *request, *attempt));
            !age.is_negative() && age < self.guards.systemic_window
        });
        u32::try_from(recent.count()).expect("few")
    }

    fn ask(&mut self, ask: &Ask, now: Timestamp) {
        let asked = if ask.by_hand { Asked::ByHand } else { Asked::ByRule };
        let case = self.case(ask, now);
        let decision = decide(&self.guards, asked, &case, now);
        if let Decision::Wait { until, .. } = &decision {
            assert!(*until > now, "a wait that is over is no wait");
        }
        let Decision::Run { id, number } = decision else { return };
        let over = ended_at(self.start, ask.request, ask.attempt) + self.guards.grace;
        assert!(now >= over, "the first run may run until {over}, and it is {now}");
        assert!(case.history.struck < self.guards.systemic_incidents, "the problem is systemic");
        assert!(!self.failing(now), "the latest retries failed");
        let ended_at = now + SignedDuration::from_secs(ask.ends_after_s);
        let retry = Retry {
            id: id.clone(),
            incident_id: case.incident.id.to_string(),
            attempt: ask.attempt,
            number,
            rule: "r".to_owned(),
            action: "again".to_owned(),
            state: ask.ends,
            begun_at: now,
            ended_at: (!matches!(ask.ends, RetryState::Begun | RetryState::Accepted)).then_some(ended_at),
            took_ms: None,
            detail: String::new(),
            result_request_id: None,
        };
        let known = self.retries.iter().position(|(_, retry)| retry.id == id);
        match known {
            Some(place) => {
                assert_eq!(self.retries[place].1.state, RetryState::NotTaken, "only what was not taken is sent again");
                self.retries[place].1 = retry;
            }
            None => self.retries.push((ask.request, retry)),
        }
        if ask.ends != RetryState::NotTaken {
            self.runs.push((now, ask.request, ask.attempt));
        }
    }

    /// Whether the latest ended retries, as many as may fail, all failed, the last within the pause.
    fn failing(&self, now: Timestamp) -> bool {
        let ended = self.retries.iter().filter_map(|(_, retry)| Some((retry.ended_at.filter(|ended| *ended <= now)?, retry.state)));
        let mut ended: Vec<_> = ended.filter(|(_, state)| *state != RetryState::NotTaken).collect();
        ended.sort_by_key(|(at, _)| *at);
        ended.reverse();
        let most = self.guards.failed_max as usize;
        let unhappy = ended.iter().take(most).filter(|(_, state)| *state != RetryState::Succeeded).count() == most;
        unhappy && ended.first().is_some_and(|(at, _)| now.duration_since(*at) < FAILED_PAUSE)
    }

    /// The caps, over everything that ran.
    fn check(&self) {
        let mut of_attempt: BTreeMap<(u8, u32), u32> = BTreeMap::new();
        let mut of_request: BTreeMap<u8, u32> = BTreeMap::new();
        for (_, request, attempt) in &self.runs {
            *of_attempt.entry((*request, *attempt)).or_default() += 1;
            *of_request.entry(*request).or_default() += 1;
        }
        assert!(of_attempt.values().all(|runs| *runs == 1), "an attempt is retried once: {of_attempt:?}");
        assert!(of_request.values().all(|runs| *runs <= self.guards.per_request_max), "{of_request:?}");
        for (from, ..) in &self.runs {
            let within = |span| {
                let age = |at: Timestamp| at.duration_since(*from);
                self.runs.iter().filter(|(at, ..)| !age(*at).is_negative() && age(*at) < span).count()
            };
            assert!(within(ACTION_SPAN) <= self.guards.per_hour_max as usize, "in an hour from {from}");
            assert!(within(PROBLEM_SPAN) <= self.guards.per_problem_max as usize, "in a day from {from}");
        }
    }
}

/// The order of decisions, as an action that answered with a moment is asked again then.
fn live(guards: Guards, asks: &[Ask]) -> World {
    let start = testing::at("2026-11-20T12:00:00Z");
    let mut world = World { guards, start, retries: Vec::new(), runs: Vec::new() };
    let mut now = start;
    for ask in asks {
        now += SignedDuration::from_secs(ask.after_s);
        world.ask(ask, now);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_history_leads_beyond_the_guards(guards in guards(), asks in prop::collection::vec(ask(), 1..80)) {
        live(guards, &asks).check();
    }
}

/// The property above would hold if nothing ever ran.
#[test]
fn something_runs_in_such_worlds() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (guards(), prop::collection::vec(ask(), 1..80));
    let runs: usize = (0..50)
        .map(|_| {
            let (guards, asks) = strategy.new_tree(&mut runner).expect("generated").current();
            live(guards, &asks).runs.len()
        })
        .sum();
    assert!(runs > 50, "{runs}");
}
