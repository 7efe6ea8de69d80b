//! The watchdog inside the function: what it saw before the platform acted, and what its silence means.
//!
//! An event with negative time left, or for a request that had ended by then, comes from a timer that outlived its request
//! (freeze and thaw) and is no timeout. It even tells that the process outlived the deadline.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, Layer, Millis, Outcome, Reason};
use jiff::Timestamp;

use super::Firing;
use crate::correlate::{Case, is_watchdog};
use crate::diagnose::{cite, cite_all};

/// How long after a deadline silence counts as death: logs of a request that was ended in time arrive within it.
pub const GRACE: Millis = Millis::from_ms(60_000);

/// What the watchdog tells.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let events: Vec<&Evidence> = case.own.iter().copied().filter(|one| is_watchdog(one.claim.kind)).collect();
    let closed = events.iter().copied().find(|one| one.claim.kind == Kind::WatchdogClosed);
    let ended = closed.or_else(|| case.own.iter().copied().find(|one| ended_well(one)));
    let alarms: Vec<&Evidence> =
        events.iter().copied().filter(|one| one.claim.kind == Kind::WatchdogFired && !is_stale(case, one, ended)).collect();
    let is_silent = silent_from(case, &alarms).is_some_and(|at| at <= case.as_of);
    let overdue = is_silent && !events.iter().any(|one| is_after_deadline(one));
    match (alarms.first(), ended) {
        (Some(alarm), Some(end)) => Some(survived(case, alarm, end)),
        (Some(_), None) if overdue => Some(open(case, &alarms, IncidentState::Lost)),
        (Some(_), None) => Some(open(case, &alarms, IncidentState::Suspected)),
        // The first tells that it was watched, the last how long.
        (None, None) if overdue => Some(open(case, &ends(&events), IncidentState::Lost)),
        (None, Some(end)) => {
            let near = events.iter().copied().find(|one| one.claim.kind == Kind::WatchdogNearMiss)?;
            was_close(case, end).then(|| survived(case, near, end))
        }
        (None, None) => None,
    }
}

/// The first and the last, or the only one.
fn ends<'a>(events: &[&'a Evidence]) -> Vec<&'a Evidence> {
    match events {
        [first, .., last] => vec![first, last],
        few => few.to_vec(),
    }
}

/// When to look again at a case that nothing has closed yet.
#[must_use]
pub fn recheck_at(case: &Case<'_>) -> Option<Timestamp> {
    let events: Vec<&Evidence> = case.own.iter().copied().filter(|one| is_watchdog(one.claim.kind)).collect();
    let open = !events.is_empty()
        && !case.own.iter().any(|one| one.claim.kind == Kind::WatchdogClosed || one.claim.kind == Kind::InvocationReport);
    let alarms: Vec<&Evidence> = events.into_iter().filter(|one| one.claim.kind == Kind::WatchdogFired).collect();
    silent_from(case, &alarms).filter(|at| open && case.worker.is_none() && *at > case.as_of)
}

/// From when on it is a loss that nobody has said how it ended. Where no event tells the time, as the classic wrapper's does
/// not, its deadline lies before the arrival of the alarm and the time that was left then.
fn silent_from(case: &Case<'_>, alarms: &[&Evidence]) -> Option<Timestamp> {
    let at_the_latest = |alarm: &&Evidence| {
        alarm.claim.millis("left_ms").unwrap_or(Millis::ZERO).after(alarm.claim.observed_at.unwrap_or(alarm.received_at))
    };
    let deadline = case.deadline().or_else(|| alarms.iter().map(at_the_latest).max())?;
    Some(GRACE.after(deadline))
}

/// The platform's own account of an invocation without an error. Where the limit was reached all the same, `lambda` says so.
fn ended_well(one: &Evidence) -> bool {
    one.claim.is_good_report()
}

/// Sent by a timer that outlived its request.
fn is_stale(case: &Case<'_>, alarm: &Evidence, ended: Option<&Evidence>) -> bool {
    let after_end = alarm.claim.observed_at.zip(ended.and_then(|end| end.claim.observed_at)).is_some_and(|(alarm, end)| alarm > end);
    // The classic wrapper's event has no time: a request that had most of its limit left was not near it.
    let had_time = || {
        let limit = case.any(|claim| claim.limit.as_ref()?.value_ms).or_else(|| case.knowledge.of(case.function()).next()?.value_ms);
        ended.and_then(|end| end.claim.elapsed_ms).zip(limit).is_some_and(|(elapsed, limit)| elapsed.plus(elapsed) < limit)
    };
    is_after_deadline(alarm) || after_end || is_timeless(alarm) && had_time()
}

fn is_after_deadline(event: &Evidence) -> bool {
    event.claim.millis("left_ms").is_some_and(|left| left < Millis::ZERO)
}

fn is_timeless(alarm: &Evidence) -> bool {
    alarm.claim.observed_at.is_none() && alarm.claim.millis("left_ms").is_none()
}

/// Whether a request that ended in time had used most of its limit: watchdogs say that a share is gone from half of it on.
fn was_close(case: &Case<'_>, end: &Evidence) -> bool {
    const SHARE_MIN: f64 = 0.8;
    let limit =
        case.own.iter().find_map(|one| one.claim.limit.as_ref().and_then(|limit| limit.value_ms).or_else(|| one.claim.millis("limit_ms")));
    let elapsed = end.claim.elapsed_ms.or_else(|| case.elapsed());
    limit.zip(elapsed).is_some_and(|(limit, elapsed)| elapsed.as_ms_f64() >= limit.as_ms_f64() * SHARE_MIN)
}

fn survived(case: &Case<'_>, alarm: &Evidence, end: &Evidence) -> Firing {
    // A REPORT without a status is what success looks like, and what the old style of a timeout looks like in part.
    let confidence = match end.claim.kind {
        _ if is_timeless(alarm) => Confidence::Possible,
        Kind::WatchdogClosed => Confidence::Certain,
        _ => Confidence::Likely,
    };
    let mut firing = base(case, Outcome::NearMiss, IncidentState::Survived, confidence);
    firing.at = end.claim.observed_at;
    let text = match alarm.claim.kind {
        Kind::WatchdogNearMiss => "the watchdog said that most of the budget was gone",
        _ if is_timeless(alarm) => "the watchdog fired; its event does not say when, and a timer that outlives its request sends the same",
        _ => "the watchdog fired shortly before the deadline",
    };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(alarm)] });
    let error = end.claim.outcome == Some(ClaimedOutcome::Error);
    let text = if error { "the request then ended with an error of its own" } else { "the request then finished in time" };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(end)] });
    firing.refuted_by = "a platform line that says it timed out".into();
    firing
}

/// Nothing says how it ended.
fn open(case: &Case<'_>, told: &[&Evidence], state: IncidentState) -> Firing {
    let has_deadline = case.deadline().is_some() || told.iter().any(|one| one.claim.attributes.contains_key("left_ms"));
    let is_sure = state == IncidentState::Lost && has_deadline;
    let mut firing = base(case, Outcome::Timeout, state, if is_sure { Confidence::Likely } else { Confidence::Possible });
    firing.at = case.deadline().or_else(|| told.iter().find_map(|one| one.claim.observed_at));
    let text = match state {
        IncidentState::Lost => {
            "the watchdog was armed or fired, the deadline and a minute more have passed, and nobody said that the request ended"
        }
        _ => "the watchdog fired; no platform or server line has arrived yet",
    };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: cite_all(told.iter().copied()) });
    firing.refuted_by = "a `closed` event, or a platform line that says that the request ended in time".into();
    firing
}

fn base(case: &Case<'_>, outcome: Outcome, state: IncidentState, confidence: Confidence) -> Firing {
    let limit = case.own.iter().find_map(|one| one.claim.limit.clone());
    let product = limit.as_ref().map(|limit| limit.product.clone()).or_else(|| case.any(|claim| claim.platform.clone()));
    // Without a limit the watchdog does not know whose deadline it is.
    let layer = limit.as_ref().map_or(Layer::Platform, |limit| limit.layer);
    let layer = (limit.is_some() || product.is_some()).then_some(layer);
    Firing { layer, product, limit, ..Firing::new(outcome, state, confidence) }
}
