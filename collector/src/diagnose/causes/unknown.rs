//! `unknown`: no cause is recognised. What is known all the same: where the serving thread stood, and whether the process computed
//! or waited. Neither says why it took so long, so nothing is concluded from them but what to send.

use domain::{Advice, Confidence, Outcome};

use super::Recognised;
use super::processor::Used;
use super::stack;
use crate::correlate::{Case, is_proxys};
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// What to say of a case whose cause nothing shows.
pub fn told(case: &Case<'_>, firing: &Firing) -> Recognised {
    let mut found = Recognised::new(Confidence::Unknown);
    if !matches!(firing.outcome, Outcome::Timeout | Outcome::DroppedAtShutdown) {
        return found;
    }
    let used = Used::of(case);
    let has_waited = used.as_ref().is_some_and(Used::waited);
    if let Some(used) = used {
        let so = if has_waited { ": it waited" } else { "" };
        found = found.because(format!("the process used {}{so}", used.spoken()), used.evidence);
    }
    let sample = stack::samples(case).into_iter().next();
    let place = sample.and_then(|sample| sample.place());
    let is_said = place.as_ref().is_some_and(|place| firing.reasons.iter().any(|reason| reason.text.contains(place)));
    if let Some(sample) = sample.filter(|_| !is_said) {
        found = found.because(sample.spoken(), vec![cite(sample.told)]);
    }
    match place {
        Some(place) if has_waited => found.says(format!("it waited in {place}")),
        Some(place) => found.says(format!("it stood in {place}")),
        None if has_waited => found.says("it was waiting, not computing"),
        None => found,
    }
}

/// What to send, so that the next one is known.
pub fn send_more(case: &Case<'_>) -> Option<Advice> {
    if case.evidence().any(|one| !one.claim.stacks.is_empty()) {
        return None;
    }
    if case.request_id().is_none() && case.own.iter().all(|one| is_proxys(&one.claim)) {
        let text = "Nothing says what it was doing. Spans and watchdog events of the application behind would, and the proxy has to log what they are \
                    found by: a request ID that it hands on (`X-Request-ID`), or at least how long each request took.";
        return Some(plain("send_more", text));
    }
    let has_waited = Used::of(case).is_some_and(|used| used.waited());
    let what = if has_waited { "Nothing says what it waited for." } else { "Nothing says what it was doing." };
    Some(plain("send_more", &format!("{what} Send spans or watchdog events of this function: they name the call that was in flight.")))
}
