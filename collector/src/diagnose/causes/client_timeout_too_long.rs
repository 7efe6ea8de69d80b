//! `client_timeout_too_long`: one call covers most of the time, and its client timeout is longer than what was left.
//!
//! Looks at: the longest call with the client timeout that its watchdog states, against the time from the call's beginning to
//! the limit. Conclusive, because such a timeout can only fire after the request is dead. Looks the same: a timeout that counts
//! each read by itself, which is shorter and never fired either; that is `waiting_on_downstream`.
//! What to change: the timeout, to what leaves time to answer.

use domain::Millis;

use super::waiting_on_downstream::{client_timeout_advice, time_left, waited_for};
use super::{Calls, Recognised, calls};
use crate::correlate::Case;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !calls::is_asked(firing.outcome) {
        return None;
    }
    let (made, whole) = calls.longest()?;
    let timeout = made.call.client_timeout_ms.filter(|timeout| *timeout > Millis::ZERO)?;
    let left = time_left(case, firing, &made)?;
    if timeout < left {
        return None;
    }
    let text = format!("its client timeout is {timeout}; only {left} were left when it began, so it could not fire in time");
    let found = waited_for(&made, whole).and(text).change(client_timeout_advice(case, firing, &made));
    let why = format!("{} went into {}, whose client timeout ({timeout}) is longer than what was left", made.wait(), made.spoken());
    Some(found.says(why))
}
