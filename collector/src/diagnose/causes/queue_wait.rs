//! `queue_wait`: the budget was spent before the handler began.
//!
//! Looks at: what was left when the handler was entered, times that gateways and servers state for their queues, and a limit
//! on the queue itself. Conclusive, because the time before the handler is stated by itself. Looks the same: a slow start
//! (`cold_start`), which is stated apart.
//! What to change: more capacity behind the queue, or shorter work; a longer limit makes the queue longer.

use domain::{Confidence, Evidence, Kind, Millis, Outcome};

use super::Recognised;
use super::calls::{Calls, SHARE_MIN};
use crate::correlate::{Case, is_watchdog};
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Limits on waiting in a queue: when one of them fires, waiting is all there was.
const QUEUE_LIMITS: [(&str, &str); 2] = [("haproxy", "timeout queue"), ("rack_timeout", "wait_timeout")];

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    if !matches!(firing.outcome, Outcome::Timeout | Outcome::CallerLeft | Outcome::NearMiss) {
        return None;
    }
    let found = limit_on_queue(case, firing).or_else(|| at_entry(case)).or_else(|| stated(case, firing)).or_else(|| pool_full(case))?;
    let text = "Add workers, servers or concurrency behind the queue, or shorten what occupies them. A longer limit only makes callers wait longer.";
    Some(Recognised { hidden_by_more_time: Some("the queue"), ..found }.change(plain("add_capacity", text)))
}

fn limit_on_queue(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let limit = firing.limit.as_ref()?;
    QUEUE_LIMITS.iter().find(|(product, setting)| (limit.product.as_str(), limit.setting.as_str()) == (*product, *setting))?;
    let named = |one: &&Evidence| one.claim.limit.as_ref().is_some_and(|named| named.setting == limit.setting);
    let told = case.own.iter().copied().find(named)?;
    let waited = told.claim.millis("waited_ms").or_else(|| told.claim.millis("wait_ms")).or(told.claim.elapsed_ms);
    let found = Recognised { waited_ms: waited, ..Recognised::new(Confidence::Certain) };
    let text = "it stood in the queue for a free server the whole time: the application never saw it";
    let why = waited.map_or_else(|| "it never left the queue".to_owned(), |waited| format!("it waited {waited} for a free server"));
    Some(found.because(text, vec![cite(told)]).says(why))
}

/// What the watchdog found left of the limit when the handler was entered.
fn at_entry(case: &Case<'_>) -> Option<Recognised> {
    let told = |one: &&Evidence| is_watchdog(one.claim.kind) && one.claim.attributes.contains_key("budget_at_entry_ms");
    let event = case.own.iter().copied().find(told)?;
    let left = event.claim.millis("budget_at_entry_ms")?;
    let limit = event.claim.limit.as_ref().and_then(|limit| limit.value_ms).or_else(|| event.claim.millis("limit_ms"))?;
    let spent = limit.minus(left);
    let text = format!("when the handler was entered, {left} of {limit} were left: {spent} had been spent before");
    is_most(spent, limit).then(|| before_handler(spent, text, event))
}

/// Time in a queue that a line states beside the request's own.
fn stated(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let limit = firing.limit.as_ref().and_then(|limit| limit.value_ms);
    // Logs say it; spans and sections, of which there may be many, do not.
    let lines = case.own.iter().filter(|one| !matches!(one.claim.kind, Kind::Span | Kind::WatchdogTracepoint));
    let queued = lines.filter_map(|one| Some((*one, one.claim.millis("queue_ms").or_else(|| one.claim.millis("wait_ms"))?)));
    let (told, waited) = queued.max_by_key(|(_, waited)| *waited)?;
    // OpenWhisk counts the wait apart from the action's own limit: who waited was the caller.
    let counts =
        told.claim.platform.as_ref().is_none_or(|platform| platform.as_str() != "openwhisk") || firing.outcome == Outcome::CallerLeft;
    let whole = limit.or_else(|| case.elapsed())?;
    let text = format!("{waited} went by in the queue before a worker took the request");
    (counts && is_most(waited, whole)).then(|| before_handler(waited, text, told))
}

/// php-fpm had no child to spare while a proxy waited for it, and no line of its tells that one took the request.
fn pool_full(case: &Case<'_>) -> Option<Recognised> {
    let full = case.server.iter().copied().find(|one| one.claim.attributes.contains_key("max_children"))?;
    if case.own.iter().any(|one| one.claim.format == "php_fpm") {
        return None;
    }
    let children = full.claim.number("max_children").unwrap_or_default();
    let text = format!(
        "php-fpm says that all {children} processes of its pool (`pm.max_children`) were busy meanwhile, and no line of its tells that one took the request up"
    );
    Some(Recognised::new(Confidence::Possible).because(text, vec![cite(full)]).says("it may have waited for a free process of php-fpm"))
}

fn is_most(part: Millis, whole: Millis) -> bool {
    part > Millis::ZERO && part.as_ms_f64() >= whole.as_ms_f64() * SHARE_MIN
}

fn before_handler(spent: Millis, text: String, told: &Evidence) -> Recognised {
    let found = Recognised { waited_ms: Some(spent), ..Recognised::new(Confidence::Certain) };
    found.because(text, vec![cite(told)]).says(format!("{spent} had passed before the handler began"))
}
