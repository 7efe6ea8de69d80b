//! `waiting_on_downstream`: one call to somebody else covers most of the time.
//!
//! Looks at: calls that the watchdog saw open, client spans that lasted, never ended or were open at their last heartbeat, a
//! stack that stands at a socket.
//! Conclusive, because the callee, the beginning and the end of the wait are all stated. Looks the same: a callee that is
//! slow because we asked it too often (`repeated_calls`), a connection that never came up (`connect_hang`).

use domain::{Call, Evidence, Frame, Kind, Millis, Reason};
use jiff::Timestamp;

use super::Recognised;
use crate::correlate::{Case, is_open};
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// The share of the time from which on a call counts as the culprit.
const SHARE_MIN: f64 = 0.5;

/// How many intervals may pass without a heartbeat before it is missed: the processors look at their spans once an interval of
/// their own, by default as long as the one between heartbeats, and then the record is still to be sent.
const HEARTBEATS_DUE: f64 = 3.0;

/// Functions in which Python stands while it waits for somebody else's bytes, with their files where the name alone could
/// be anybody's. Seen in stacks of `http.client`, `urllib`, `requests`, `redis` and TLS, November 2026. Not `select`: an
/// event loop stands there whatever it waits for, a timer included.
const AT_A_SOCKET: [(&str, &str); 10] = [
    ("readinto", "socket.py"),
    ("_read_from_socket", "socket.py"),
    ("read", "ssl.py"),
    ("recv", ""),
    ("recv_into", ""),
    ("recvfrom", ""),
    ("sendall", ""),
    ("create_connection", ""),
    ("getaddrinfo", ""),
    ("do_handshake", ""),
];

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    if !crate::diagnose::is_death(firing.outcome) && firing.outcome != domain::Outcome::NearMiss {
        return None;
    }
    longest_call(case, firing).or_else(|| at_a_socket(case))
}

/// The call that took the largest part, if that is most of the time.
fn longest_call(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let (start, end) = (case.started_at(), firing.at.or_else(|| case.ended_at())?);
    let calls = case.own.iter().flat_map(|one| one.claim.calls.iter().map(move |call| (*one, call)));
    let waits = calls.filter_map(|(one, call)| Some((waited(call, start, known_open_until(one, end))?, one, call)));
    let (wait, one, call) = waits.max_by_key(|(wait, one, _)| (*wait, std::cmp::Reverse(&one.claim)))?;
    let whole = start.map_or(Millis::ZERO, |start| Millis::between(start, end));
    if whole <= Millis::ZERO || wait.as_ms_f64() < whole.as_ms_f64() * SHARE_MIN {
        return None;
    }
    let operation = spoken(call);
    let answered = call.ended_at.is_some_and(|ended| ended < end);
    let outcome = if answered {
        "was answered late"
    } else if known_open_until(one, end) < end {
        "was open when it was last heard of"
    } else {
        "had not been answered"
    };
    let text = format!("{wait} of {whole} went into {operation}, which {outcome}");
    let mut reasons = vec![Reason { text, evidence: vec![cite(one)] }];
    if let Some(open_for) = one.claim.elapsed_ms.filter(|_| is_open(&one.claim)) {
        let text = format!("its span was still open at its last heartbeat, {open_for} after it had begun");
        reasons.push(Reason { text, evidence: vec![cite(one)] });
    }
    if call.no_client_timeout {
        reasons
            .push(Reason { text: "that call has no client timeout: it would have waited for ever".to_owned(), evidence: vec![cite(one)] });
    } else if let Some(timeout) = call.client_timeout_ms {
        reasons.push(Reason { text: format!("its client timeout is {timeout}"), evidence: vec![cite(one)] });
    }
    Some(Recognised { operation: Some(operation), waited_ms: Some(wait), reasons })
}

/// How long the request waited for the call, as far as it lies within the request.
fn waited(call: &Call, start: Option<Timestamp>, end: Timestamp) -> Option<Millis> {
    let from = call.started_at.max(start)?;
    let to = call.ended_at.map_or(end, |ended| ended.min(end));
    Some(Millis::between(from, to)).filter(|wait| *wait > Millis::ZERO)
}

/// Up to when a call that was not seen to end is known to have been open: up to the end, unless heartbeats that were due by
/// then have not come. A process that is stopped or blocked sends none, nor does one whose call has ended.
fn known_open_until(one: &Evidence, end: Timestamp) -> Timestamp {
    let (seen_at, every) = (one.claim.observed_at.filter(|_| is_open(&one.claim)), one.claim.millis("heartbeat_every_ms"));
    match seen_at.zip(every) {
        Some((seen_at, every)) if Millis::between(seen_at, end).as_ms_f64() > every.as_ms_f64() * HEARTBEATS_DUE => seen_at,
        _ => end,
    }
}

/// `POST payments.internal`.
fn spoken(call: &Call) -> String {
    match &call.target {
        Some(target) => format!("{} {target}", call.operation),
        None => call.operation.clone(),
    }
}

/// A sample of the serving thread that stands in a network call, taken while the request was stuck.
fn at_a_socket(case: &Case<'_>) -> Option<Recognised> {
    let sampled = case.evidence().filter(|one| matches!(one.claim.kind, Kind::WatchdogFired | Kind::RequestError));
    let (one, frame, caller) =
        sampled.filter_map(|one| Some((one, standing(one)?))).map(|(one, (frame, caller))| (one, frame, caller)).next()?;
    let place = |frame: &Frame| frame.file.as_deref().map_or(String::new(), |file| format!(" ({file}:{})", frame.line.unwrap_or_default()));
    let from = caller.map_or(String::new(), |caller| format!(", called from `{}`{}", caller.function, place(caller)));
    let text = format!("the serving thread stood in `{}`{}{from}", frame.function, place(frame));
    Some(Recognised { operation: None, waited_ms: None, reasons: vec![Reason { text, evidence: vec![cite(one)] }] })
}

/// The innermost frame, if it waits for the network, and the nearest frame of the user's own code above it.
fn standing(one: &Evidence) -> Option<(&Frame, Option<&Frame>)> {
    let stack = one.claim.stacks.iter().find(|stack| stack.serving).or_else(|| one.claim.stacks.first())?;
    let file = |frame: &Frame| frame.file.clone().unwrap_or_default();
    let waits = |frame: &&Frame| AT_A_SOCKET.iter().any(|(function, place)| frame.function == *function && file(frame).ends_with(place));
    let innermost = stack.frames.last().filter(waits)?;
    // The server itself reads what the client still has to send.
    if stack.frames.iter().rev().take(4).any(|frame| file(frame).contains("/gunicorn/http/")) {
        return None;
    }
    let own = |frame: &&Frame| {
        frame.file.as_deref().is_some_and(|file| !["site-packages", "node_modules", "/lib/python"].iter().any(|part| file.contains(part)))
    };
    Some((innermost, stack.frames.iter().rev().find(own)))
}
