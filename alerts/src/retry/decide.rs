//! The decision.

use jiff::Timestamp;
use store::{NewRetry, Retry, RetryCase, RetryHistory, RetryState};

use domain::{IncidentState, Outcome};

use super::guards::{FAILED_PAUSE, Guards, REMEMBERED};
use super::{Why, first_run, platform};
use crate::original_event;

/// Who asks for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A rule: what is too old is left alone.
    ByRule,
    /// A person, who has seen what will be done.
    ByHand,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Run it again, under this identity.
    Run {
        /// The idempotency key.
        id: String,
        /// Which retry of the request it is, from 1.
        number: u32,
    },
    /// Ask again at that moment.
    Wait {
        /// Not before.
        until: Timestamp,
        /// What is waited for.
        why: Why,
    },
    /// Leave it.
    Refuse(Why),
}

impl Decision {
    /// The row to write before it is sent.
    pub(crate) fn row(&self, rule: &str, delivery_id: &str, token_digest: Option<String>) -> Option<NewRetry> {
        let Self::Run { id, number } = self else { return None };
        Some(NewRetry { id: id.clone(), number: *number, rule: rule.to_owned(), delivery_id: delivery_id.to_owned(), token_digest })
    }
}

/// Decides about one incident. What needs no history comes first, then what passes with time, then what others' retries say.
pub(crate) fn decide(guards: &Guards, asked: Asked, case: &RetryCase, now: Timestamp) -> Decision {
    decided(guards, asked, case, now).unwrap_or_else(|stop| stop)
}

/// The same, with whatever is not to run as the error.
fn decided(guards: &Guards, asked: Asked, case: &RetryCase, now: Timestamp) -> Result<Decision, Decision> {
    let refuse = Decision::Refuse;
    if !guards.enabled {
        return Err(refuse(Why::NotEnabled));
    }
    let incident = &case.incident;
    let is_failure = !matches!(incident.outcome, Outcome::CallerLeft | Outcome::NearMiss | Outcome::Ok);
    if incident.state == IncidentState::Survived || !is_failure {
        return Err(refuse(Why::DidNotFail(incident.state, incident.outcome)));
    }
    if case.history.is_a_retry {
        return Err(refuse(Why::IsARetry));
    }
    let event = original_event::whole(incident).map_err(|lack| refuse(Why::Event(lack)))?;
    if let Some(is_a_retry) = is_wrapped(event) {
        return Err(refuse(is_a_retry));
    }
    platform::check(incident, event, &case.evidence, guards.nobody_else).map_err(refuse)?;
    let (id, number) = identity(guards, case).map_err(refuse)?;
    wait_for_the_end(guards, case, now)?;
    if incident.state == IncidentState::Suspected {
        return Err(refuse(Why::Unconfirmed));
    }
    let is_older_than = |age| incident.at().is_some_and(|at| now.duration_since(at) > age);
    if is_older_than(REMEMBERED) {
        return Err(refuse(Why::Forgotten(REMEMBERED)));
    }
    if asked == Asked::ByRule && is_older_than(guards.age_max) {
        return Err(refuse(Why::TooOld(guards.age_max)));
    }
    let history = &case.history;
    if history.struck >= guards.systemic_incidents {
        return Err(refuse(Why::Systemic(history.struck, guards.systemic_window)));
    }
    if fails(history, guards.failed_max, now) {
        return Err(refuse(Why::RetriesFail(guards.failed_max)));
    }
    if counted(&history.of_problem).count() >= guards.per_problem_max as usize {
        return Err(refuse(Why::ProblemCap(guards.per_problem_max)));
    }
    wait_for_the_hour(guards, history)?;
    Ok(Decision::Run { id, number })
}

/// What our own retries wrap an event in: a function that is given one and overruns is not run a third time.
fn is_wrapped(event: &domain::Value) -> Option<Why> {
    let domain::Value::Map(fields) = event else { return None };
    let Some(domain::Value::Map(ours)) = fields.get("overrun") else { return None };
    ours.contains_key("idempotencyKey").then_some(Why::IsARetry)
}

/// Under which identity this attempt would be retried: once, and the request as often as it may be.
fn identity(guards: &Guards, case: &RetryCase) -> Result<(String, u32), Why> {
    let (incident, earlier) = (case.incident.id.as_str(), &case.history.of_request);
    let of_this = || earlier.iter().filter(|retry| retry.incident_id == incident);
    if let Some(ran) = of_this().find(|retry| retry.state != RetryState::NotTaken) {
        return Err(Why::AlreadyRetried(ran.state));
    }
    if counted(earlier).count() >= guards.per_request_max as usize {
        return Err(Why::RequestCap(guards.per_request_max));
    }
    // What was not taken has not run: it is the same retry that is sent again.
    if let Some(not_taken) = of_this().next() {
        return Ok((not_taken.id.clone(), not_taken.number));
    }
    let number = earlier.iter().map(|retry| retry.number).max().unwrap_or(0) + 1;
    Ok((format!("ovr-{incident}-{number}"), number))
}

fn wait_for_the_end(guards: &Guards, case: &RetryCase, now: Timestamp) -> Result<(), Decision> {
    let over = first_run::over_at(&case.incident, &case.evidence, guards.run_max);
    let surely = over.ok_or(Decision::Refuse(Why::EndNotKnown))?.saturating_add(guards.grace).unwrap_or(Timestamp::MAX);
    if now < surely { Err(Decision::Wait { until: surely, why: Why::MayStillRun }) } else { Ok(()) }
}

/// Waits until the oldest of the retries that fill the hour is an hour old.
fn wait_for_the_hour(guards: &Guards, history: &RetryHistory) -> Result<(), Decision> {
    let mut begun: Vec<_> = counted(&history.of_action).map(|retry| retry.begun_at).collect();
    begun.sort_unstable();
    let Some(excess) = begun.len().checked_sub(guards.per_hour_max as usize) else { return Ok(()) };
    let until = begun[excess].saturating_add(store::ACTION_SPAN).unwrap_or(Timestamp::MAX);
    Err(Decision::Wait { until, why: Why::HourCap(guards.per_hour_max) })
}

/// Those that ran or may have run.
fn counted(retries: &[Retry]) -> impl Iterator<Item = &Retry> {
    retries.iter().filter(|retry| retry.state != RetryState::NotTaken)
}

/// Whether the latest retries of the problem, as many as `most`, all failed, and the last of them not long ago.
fn fails(history: &RetryHistory, most: u32, now: Timestamp) -> bool {
    let mut ended: Vec<_> = history.of_problem.iter().filter_map(|retry| Some((retry.ended_at?, retry.state))).collect();
    ended.retain(|(_, state)| *state != RetryState::NotTaken);
    ended.sort_by_key(|(at, _)| *at);
    let latest = &ended[ended.len().saturating_sub(most as usize)..];
    let all_failed = latest.len() == most as usize && latest.iter().all(|(_, state)| *state != RetryState::Succeeded);
    all_failed && latest.last().is_some_and(|(at, _)| now.duration_since(*at) < FAILED_PAUSE)
}

#[cfg(test)]
mod tests;
