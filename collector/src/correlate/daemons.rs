//! mod_wsgi's daemon processes: what one says of its own end, or its parent of it, belongs to the requests that Apache lost with it.
//!
//! Apache says in a request's own line only that the answer broke off. Why stands in another process's line, at level info.

use std::collections::BTreeMap;

use domain::{Claim, Evidence, Millis, Product, RequestId};

use super::set::place;

/// From a timer to the end of what it ended: `shutdown-timeout` is 5 s unless set.
const SHUTDOWN: Millis = Millis::from_ms(10_000);
/// From an end to the moment at which the parent, which looks once a second, says so.
const NOTICED: Millis = Millis::from_ms(2000);

/// Hands the lines about each daemon's end to the requests that were lost with it. What fits none stays by itself.
pub fn join<'a>(requests: &mut BTreeMap<&'a RequestId, Vec<&'a Evidence>>, alone: &mut Vec<Vec<&'a Evidence>>) {
    let (mut ends, rest): (Vec<_>, Vec<_>) =
        std::mem::take(alone).into_iter().partition(|lines| lines.iter().all(|one| is_end(&one.claim)));
    *alone = rest;
    let mut taken = vec![false; ends.len()];
    for lines in requests.values_mut().chain(alone.iter_mut()) {
        let Some(lost) = lines.iter().copied().find(|one| one.claim.attributes.contains_key("daemon_gone")) else { continue };
        for (index, end) in ends.iter().enumerate().filter(|(_, end)| end.iter().any(|one| took(one, lost))) {
            lines.extend(end);
            taken[index] = true;
        }
    }
    let mut taken = taken.into_iter();
    ends.retain(|_| !taken.next().unwrap_or_default());
    alone.extend(ends);
}

/// Whether a line tells of the end of a daemon process and of no request.
fn is_end(claim: &Claim) -> bool {
    let by_timer = claim
        .limit
        .as_ref()
        .is_some_and(|limit| limit.product == Product::MOD_WSGI && !matches!(limit.setting.as_str(), "socket-timeout" | "queue-timeout"));
    let is_request = claim.attributes.contains_key("daemon_gone");
    claim.attributes.contains_key("daemon") && !is_request && (by_timer || claim.attributes.contains_key("signal"))
}

/// Whether the request can have been lost with that end: of the same group of processes, in the same log, at that moment.
fn took(end: &Evidence, lost: &Evidence) -> bool {
    let same = place(end) == place(lost) && end.claim.text("daemon") == lost.claim.text("daemon");
    let apart = end.claim.observed_at.zip(lost.claim.observed_at).map(|(end, lost)| Millis::between(end, lost));
    same && apart.is_some_and(|apart| (Millis::ZERO.minus(NOTICED)..=SHUTDOWN).contains(&apart))
}
