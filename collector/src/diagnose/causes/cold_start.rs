//! `cold_start`: starting took the share of the budget that was missing.
//!
//! Looks at: an initialisation that ran into the limit by itself; an init inside the invocation without which the handler
//! would have had time left; an outer limit that counts the start, which the inner one does not; a worker that was ended while
//! booting. Conclusive, because the platform states both durations. Looks the same: an ordinary cold start before a slow
//! request. Lambda does not count an init of its own phase against `Timeout`, so `Init Duration` alone is no cause.
//! What to change: what the start consists of; the limit only if the start is meant to take this long.

use domain::{ClaimedOutcome, Confidence, Evidence, Kind, Millis, Outcome};

use super::{Calls, Recognised};
use crate::correlate::{Case, is_watchdog};
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::{Firing, gunicorn};

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    let found = match firing.outcome {
        Outcome::InitTimeout => Some(never_started(case)),
        Outcome::Timeout => inside_invocation(case)
            .or_else(|| run_again(case))
            .or_else(|| within_limit(case, firing))
            .or_else(|| while_booting(case, firing)),
        Outcome::CallerLeft | Outcome::NearMiss => within_limit(case, firing),
        _ => None,
    }?;
    let text = "Shorten the start: precompute, reuse between requests, strip what is not needed, load lazily, or replace what dominates.";
    Some(Recognised { hidden_by_more_time: Some("the slow start"), ..found }.change(plain("shorten_start", text)))
}

fn never_started(case: &Case<'_>) -> Recognised {
    let init = case.own.iter().filter(|one| one.claim.kind == Kind::InitReport).filter_map(|one| one.claim.elapsed_ms).max();
    took(init, Confidence::Certain)
}

fn took(init: Option<Millis>, confidence: Confidence) -> Recognised {
    let found = Recognised { waited_ms: init, ..Recognised::new(confidence) };
    match init {
        Some(init) => found.says(format!("starting took {init}")),
        None => found,
    }
}

/// An init inside the invocation is counted against its limit.
fn inside_invocation(case: &Case<'_>) -> Option<Recognised> {
    let init = case.all(Kind::InitReport).find(|one| one.claim.text("phase") == Some("invoke"))?;
    let (spent, elapsed) = (init.claim.elapsed_ms?, case.elapsed()?);
    let handler = elapsed.minus(spent);
    // Worth naming when it took at least as much as it left.
    if spent < handler || spent <= Millis::ZERO {
        return None;
    }
    let text = format!("initialisation was run inside the invocation and took {spent} of its {elapsed}");
    Some(took(Some(spent), Confidence::Certain).because(text, vec![cite(init)]))
}

/// An init that ran into its own limit is run again inside the invocation; where nothing tells that the handler was reached,
/// it never was.
fn run_again(case: &Case<'_>) -> Option<Recognised> {
    let init = case.all(Kind::InitReport).find(|one| one.claim.outcome == Some(ClaimedOutcome::InitTimeout))?;
    let of_handler = |one: &&Evidence| {
        is_watchdog(one.claim.kind) || matches!(one.claim.kind, Kind::AppLog | Kind::Span | Kind::Request | Kind::RequestError)
    };
    if case.own.iter().copied().any(|one| of_handler(&one)) {
        return None;
    }
    let text = "initialisation ran into its own limit, was run again inside the invocation, and nothing tells that the handler was ever reached: it hangs, or crashed in a way that is reported as a timeout";
    Some(took(None, Confidence::Likely).because(text, vec![cite(init)]).says("it may never have finished starting"))
}

/// A limit that counts the start: OpenWhisk's own, and that of a gateway in front of Lambda, which does not.
fn within_limit(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let limit = firing.limit.as_ref()?;
    let value = limit.value_ms?;
    let (one, init) = case.own.iter().copied().find_map(|one| Some((one, init_duration(one)?)))?;
    let share = init.as_ms_f64() / value.as_ms_f64().max(1.0);
    let text = if limit.product.as_str() == "openwhisk" && firing.outcome != Outcome::CallerLeft {
        (share >= 0.5).then(|| format!("starting took {init}, and counts against the limit of {value}"))
    } else {
        let handler = one.claim.elapsed_ms.filter(|_| firing.outcome == Outcome::CallerLeft)?;
        let decided = handler < value && handler.plus(init) >= value && share >= 0.25;
        decided
            .then(|| format!("starting took {init} and the handler {handler}: without the start it would have kept the limit of {value}"))
    }?;
    Some(took(Some(init), Confidence::Likely).because(text, vec![cite(one)]))
}

fn init_duration(one: &Evidence) -> Option<Millis> {
    let of_request = matches!(one.claim.kind, Kind::InvocationReport | Kind::Invocation);
    one.claim.millis("init_duration_ms").filter(|init| of_request && *init > Millis::ZERO)
}

/// A worker that was given up on as soon after its boot as the limit allows, and that is not known to have served anybody.
fn while_booting(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let end = case.worker.as_ref().filter(|_| case.own.is_empty())?;
    if !gunicorn::may_have_been_booting(end, firing.limit.as_ref()?) {
        return None;
    }
    let age = Millis::between(end.booted_at?, end.at?);
    let boot = end.evidence.first().map(|one| cite(one)).into_iter().collect();
    let text = format!(
        "the worker was {age} old when it was given up on, and no line tells of a request of its: it may never have finished starting"
    );
    Some(took(None, Confidence::Possible).because(text, boot).says("it may still have been starting"))
}
