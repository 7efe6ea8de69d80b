//! One guard after the other, with everything else in order.

use jiff::SignedDuration;
use serde_json::json;

use domain::Value;

use super::*;
use crate::testing::{self, at};

/// Twelve seconds after the worker was killed: the grace is over.
const NOW: &str = "2026-11-20T22:23:45Z";

fn guards() -> Guards {
    Guards { enabled: true, ..Guards::default() }
}

/// A case for which everything speaks.
fn case() -> RetryCase {
    let mut incident = testing::incident();
    incident.original_event = Some(Value::from(json!({ "order": 7 })));
    RetryCase { incident, evidence: Vec::new(), history: RetryHistory { struck: 1, ..RetryHistory::default() } }
}

/// A retry of another request that ended a minute ago.
fn earlier(state: RetryState) -> Retry {
    Retry {
        id: "ovr-other-1".to_owned(),
        incident_id: "other".to_owned(),
        attempt: 1,
        number: 1,
        rule: "r".to_owned(),
        action: "again".to_owned(),
        state,
        begun_at: at("2026-11-20T22:22:00Z"),
        ended_at: Some(at("2026-11-20T22:22:45Z")),
        took_ms: None,
        detail: String::new(),
        result_request_id: None,
    }
}

fn own(state: RetryState) -> Retry {
    let incident = testing::incident().id.to_string();
    Retry { id: format!("ovr-{incident}-1"), incident_id: incident, ..earlier(state) }
}

fn check(change: impl FnOnce(&mut Guards, &mut RetryCase), expected: Decision) {
    let (mut guards, mut case) = (guards(), case());
    change(&mut guards, &mut case);
    assert_eq!(vec![decide(&guards, Asked::ByRule, &case, at(NOW))], vec![expected]);
}

fn runs() -> Decision {
    Decision::Run { id: format!("ovr-{}-1", testing::incident().id), number: 1 }
}

#[test]
fn a_request_for_which_everything_speaks_runs_again() {
    check(|_, _| {}, runs());
}

#[test]
fn nothing_runs_unless_it_is_said() {
    check(|guards, _| guards.enabled = false, Decision::Refuse(Why::NotEnabled));
}

#[test]
fn what_did_not_fail_is_left() {
    for outcome in [Outcome::CallerLeft, Outcome::NearMiss, Outcome::Ok] {
        let left = Decision::Refuse(Why::DidNotFail(IncidentState::Confirmed, outcome));
        check(|_, case| case.incident.outcome = outcome, left);
    }
    let survived = Decision::Refuse(Why::DidNotFail(IncidentState::Survived, Outcome::Timeout));
    check(|_, case| case.incident.state = IncidentState::Survived, survived);
    let suspected = |guards: &mut Guards, case: &mut RetryCase| {
        guards.run_max = Some(SignedDuration::from_secs(30));
        case.incident.state = IncidentState::Suspected;
    };
    check(suspected, Decision::Refuse(Why::Unconfirmed));
}

#[test]
fn a_retry_is_not_retried() {
    check(|_, case| case.history.is_a_retry = true, Decision::Refuse(Why::IsARetry));
    let wrapped = json!({ "message": "Function timed out", "originalEvent": {}, "overrun": { "idempotencyKey": "ovr-1-1", "attempt": 1 } });
    check(|_, case| case.incident.original_event = Some(Value::from(wrapped)), Decision::Refuse(Why::IsARetry));
}

#[test]
fn a_run_that_may_still_run_is_waited_for() {
    let until = at("2026-11-20T22:23:42.998Z");
    for (now, waits) in [("2026-11-20T22:23:33Z", true), ("2026-11-20T22:23:42.997Z", true), ("2026-11-20T22:23:42.998Z", false)] {
        let expected = if waits { Decision::Wait { until, why: Why::MayStillRun } } else { runs() };
        assert_eq!(decide(&guards(), Asked::ByRule, &case(), at(now)), expected, "{now}");
    }
    let proxy = |_: &mut Guards, case: &mut RetryCase| case.incident.diagnosis.layer = Some(domain::Layer::Router);
    check(proxy, Decision::Refuse(Why::EndNotKnown));
}

#[test]
fn an_attempt_is_retried_once() {
    for state in RetryState::ALL.into_iter().filter(|state| *state != RetryState::NotTaken) {
        check(|_, case| case.history.of_request = vec![own(state)], Decision::Refuse(Why::AlreadyRetried(state)));
    }
    check(|_, case| case.history.of_request = vec![own(RetryState::NotTaken)], runs());
}

#[test]
fn a_request_is_retried_as_often_as_it_may_be() {
    check(|_, case| case.history.of_request = vec![earlier(RetryState::Succeeded)], Decision::Refuse(Why::RequestCap(1)));
    let twice = |guards: &mut Guards, case: &mut RetryCase| {
        guards.per_request_max = 2;
        case.history.of_request = vec![earlier(RetryState::Succeeded)];
    };
    check(twice, Decision::Run { id: format!("ovr-{}-2", testing::incident().id), number: 2 });
}

#[test]
fn what_is_old_runs_only_when_a_person_asks() {
    let (guards, case, later) = (guards(), case(), at("2026-11-21T22:23:45Z"));
    assert_eq!(decide(&guards, Asked::ByRule, &case, later), Decision::Refuse(Why::TooOld(guards.age_max)));
    assert_eq!(decide(&guards, Asked::ByHand, &case, later), runs());
    let much_later = at("2026-12-21T22:23:45Z");
    for asked in [Asked::ByRule, Asked::ByHand] {
        assert_eq!(decide(&guards, asked, &case, much_later), Decision::Refuse(Why::Forgotten(SignedDuration::from_hours(720))));
    }
}

#[test]
fn a_systemic_problem_stops_retries() {
    check(|_, case| case.history.struck = 9, runs());
    let systemic = Decision::Refuse(Why::Systemic(10, SignedDuration::from_mins(10)));
    check(|_, case| case.history.struck = 10, systemic);
}

#[test]
fn retries_that_do_not_help_stop_retries() {
    use RetryState::{Accepted, Failed, NotTaken, Succeeded, Unknown};
    let after = |states: &'static [RetryState]| {
        move |_: &mut Guards, case: &mut RetryCase| case.history.of_problem = states.iter().copied().map(earlier).collect()
    };
    let stop = || Decision::Refuse(Why::RetriesFail(3));
    check(after(&[Failed, Failed, Failed]), stop());
    check(after(&[Succeeded, Failed, Unknown, Failed]), stop());
    check(after(&[Failed, Failed]), runs());
    check(after(&[Failed, Failed, Succeeded]), runs());
    check(after(&[Failed, Failed, NotTaken]), runs());
    let waiting = Retry { ended_at: None, ..earlier(Accepted) };
    check(|_, case| case.history.of_problem = vec![earlier(Failed), earlier(Failed), waiting], runs());
    // An hour later it is tried once more.
    let mut case = case();
    case.history.of_problem = vec![earlier(Failed), earlier(Failed), earlier(Failed)];
    assert_eq!(decide(&guards(), Asked::ByHand, &case, at("2026-11-20T23:22:45Z")), runs());
}

#[test]
fn caps_hold() {
    let ten = |_: &mut Guards, case: &mut RetryCase| case.history.of_problem = vec![earlier(RetryState::Succeeded); 10];
    check(ten, Decision::Refuse(Why::ProblemCap(10)));
    let full = |guards: &mut Guards, case: &mut RetryCase| {
        guards.per_hour_max = 2;
        let begun = ["2026-11-20T22:10:00Z", "2026-11-20T21:50:00Z", "2026-11-20T22:20:00Z"];
        case.history.of_action = begun.map(|begun| Retry { begun_at: at(begun), ..earlier(RetryState::Succeeded) }).into();
    };
    check(full, Decision::Wait { until: at("2026-11-20T23:10:00Z"), why: Why::HourCap(2) });
    check(|_, case| case.history.of_action = vec![earlier(RetryState::NotTaken); 100], runs());
}

#[test]
fn reasons_are_sentences() {
    insta::assert_snapshot!(Why::Systemic(12, SignedDuration::from_mins(10)), @"it is not this request alone: the problem had 12 incidents within 10m");
    insta::assert_snapshot!(Why::RequestCap(1), @"the request was retried once already");
    insta::assert_snapshot!(Why::AlreadyRetried(RetryState::Unknown), @"it was retried before, and nobody can tell whether that ran");
    insta::assert_snapshot!(Why::Forgotten(SignedDuration::from_hours(720)), @"it happened more than 30 days ago, and whether it was run again since may be forgotten");
    insta::assert_snapshot!(Why::TooOld(SignedDuration::from_hours(1)), @"it happened more than 1h ago; `overrun retry` runs older requests again");
}
