//! `event_loop_not_empty`: the handler had answered, and what it left open kept the invocation alive until the limit.
//!
//! Looks at: a `closed` event, or the function's own span, that ended well before the limit struck, and the handles that a
//! Node watchdog saw open. Conclusive together: Node's runtime client on Lambda waits for an empty loop before it hands the
//! answer on. Looks the same: an extension that keeps the invocation open after the runtime is done (`telemetry_overhead`);
//! then the platform says that the runtime was done.
//! What to change: close what is open, or set `context.callbackWaitsForEmptyEventLoop = false`.

use domain::{Advice, ClaimedOutcome, Confidence, Evidence, Kind, Millis, Outcome, Value};
use jiff::Timestamp;

use super::{Calls, Recognised};
use crate::correlate::{Case, is_watchdog};
use crate::diagnose::advice::change;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// An answer this long before the end was not what the limit struck.
const AFTER_MIN: Millis = Millis::from_ms(250);
/// How many handles are named.
const NAMED_MAX: usize = 4;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    let platforms = case.own.iter().any(|one| one.claim.platform.as_ref() == Some(&domain::Product::AWS_LAMBDA));
    if firing.outcome != Outcome::Timeout || !platforms || is_runtime_done(case) {
        return None;
    }
    let (answer, at) = answered(case)?;
    let idle = Millis::between(at, firing.at.or_else(|| case.ended_at())?);
    if idle < AFTER_MIN {
        return None;
    }
    let (told, handles) = open_handles(case)?;
    let names = handles.join(", ");
    let found =
        Recognised { waited_ms: Some(idle), hidden_by_more_time: Some("what keeps the loop alive"), ..Recognised::new(Confidence::Likely) };
    let found = found
        .because(format!("the handler had ended well {idle} before that"), vec![cite(answer)])
        .because(format!("what it left open kept the event loop alive: {names}"), vec![cite(told)]);
    Some(found.change(advice()).says(format!("the handler had answered {idle} earlier; {} kept it alive", handles[0])))
}

/// The runtime itself said that it was done: its loop was empty.
fn is_runtime_done(case: &Case<'_>) -> bool {
    case.all(Kind::RuntimeDone).any(|one| one.claim.outcome == Some(ClaimedOutcome::Success))
}

/// The handler's own end: a watchdog's word, or the span of the invocation.
pub fn answered<'a>(case: &Case<'a>) -> Option<(&'a Evidence, Timestamp)> {
    let closed = case.all(Kind::WatchdogClosed).find(|one| one.claim.outcome != Some(ClaimedOutcome::Error));
    let span = || {
        case.all(Kind::Span).find(|one| {
            one.claim.request_id.is_some() && one.claim.text("span_kind") == Some("server") && one.claim.text("status") != Some("error")
        })
    };
    let one = closed.or_else(span)?;
    Some((one, one.claim.observed_at?))
}

/// The last list of open handles that names any.
fn open_handles<'a>(case: &Case<'a>) -> Option<(&'a Evidence, Vec<&'a str>)> {
    let events = case.own.iter().copied().filter(|one| is_watchdog(one.claim.kind));
    let mut named = events.filter_map(|one| {
        let Some(Value::List(handles)) = one.claim.attributes.get("open_handles") else { return None };
        let names: Vec<&str> = handles.iter().filter_map(Value::as_text).take(NAMED_MAX).collect();
        (!names.is_empty()).then_some((one, names))
    });
    named.next_back()
}

fn advice() -> Advice {
    let text = "Close or `unref()` what the handler leaves open (timers, sockets, pools). Where a pool is meant to stay for the next invocation, set `context.callbackWaitsForEmptyEventLoop = false` in the handler: then the answer is sent at once.";
    Advice {
        from: Some("true".to_owned()),
        to: Some("false".to_owned()),
        ..change("set_in_code", "context.callbackWaitsForEmptyEventLoop", "the handler", text)
    }
}
