//! `no_client_timeout`: one call covers most of the time, and its client would have waited for ever.
//!
//! Looks at: the longest call, where its watchdog says that no timeout is set, which is more than not knowing one.
//! Conclusive, because the sender read the client's own setting. Looks the same: a timeout that is set further out (a
//! cancelled context, a task's own limit), which the client does not know of.
//! What to change: set one, short enough to answer when it fires.

use super::waiting_on_downstream::{client_timeout_advice, waited_for};
use super::{Calls, Recognised, calls};
use crate::correlate::Case;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !calls::is_asked(firing.outcome) {
        return None;
    }
    let (made, whole) = calls.longest().filter(|(made, _)| made.call.no_client_timeout)?;
    let found = waited_for(&made, whole)
        .and("that call has no client timeout: it would have waited for ever")
        .change(client_timeout_advice(case, firing, &made));
    let why = format!("{} went into {}, which has no client timeout", made.wait(), made.spoken());
    Some(found.says(why))
}
