//! `connect_hang`: it was stuck in connecting or in resolving a name, not in waiting for an answer.
//!
//! Looks at: the longest call, where it is a connection or a look-up by itself; a stack that stands in one; a proxy that says
//! that no connection to the server behind it came up in time; what a Node process had open. Conclusive, because no byte
//! of a request can have been sent. Looks the same: a callee whose queue of connections is full, which also never answers.
//! What to change: the path through the network (security group, routing, NAT, DNS), and a connect timeout.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, Millis, Outcome, Value};

use super::Recognised;
use super::calls::{self, Calls, Made};
use super::stack::{self, Standing};
use super::waiting_on_downstream::{client_timeout_advice, waited_for};
use crate::correlate::Case;
use crate::diagnose::advice::plain;
use crate::diagnose::firing::Firing;
use crate::diagnose::{cite, cite_all};

/// What instrumentations call the setting up of a connection, as whole words of an operation or a span's name.
const CONNECTS: [&str; 5] = ["connect", "handshake", "dial", "tcp.connect", "tls.connect"];
const RESOLVES: [&str; 5] = ["dns", "lookup", "resolve", "getaddrinfo", "dns.lookup"];
/// What Node's `process.getActiveResourcesInfo()` calls them.
const NODE_CONNECTS: [&str; 2] = ["TCPConnectWrap", "GetAddrInfoReqWrap"];

const ADVICE: &str = "Look at the path to it: security groups and firewalls (dropped packets look like this, refused ones do not), routes, NAT or VPC endpoint of a function in a VPC, DNS. A connect timeout of a second or two makes it fail at once.";

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !calls::is_asked(firing.outcome) {
        return None;
    }
    in_a_call(case, firing, calls).or_else(|| in_a_proxy(case, firing)).or_else(|| in_a_stack(case)).or_else(|| in_a_handle(case, calls))
}

fn in_a_call(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    let (made, whole) = calls.longest()?;
    let stuck = phase(&made)?;
    let mut found = waited_for(&made, whole).change(plain("check_network", ADVICE)).change(client_timeout_advice(case, firing, &made));
    found.hidden_by_more_time = Some("the connection that does not come up");
    let why = format!("{} went into {stuck}{}", made.wait(), made.call.target.as_ref().map_or(String::new(), |to| format!(" {to}")));
    Some(found.says(why))
}

/// What a call was about, if it was no more than a connection.
fn phase(made: &Made<'_>) -> Option<&'static str> {
    let operation = made.call.operation.to_ascii_lowercase();
    let has = |names: &[&str]| operation.split([' ', '/', ':']).any(|word| names.contains(&word));
    let phases: [(&[&str], &str); 2] = [(&CONNECTS, "connecting to"), (&RESOLVES, "resolving")];
    phases.into_iter().find(|(names, _)| has(names)).map(|(_, stuck)| stuck)
}

/// A proxy whose connect timeout ran out.
fn in_a_proxy(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let could_not = |claim: &Claim| claim.outcome == Some(ClaimedOutcome::ConnectTimeout);
    let told: Vec<_> = case.own.iter().copied().filter(|one| could_not(&one.claim)).collect();
    let ours = told.iter().any(|one| match (&one.claim.limit, &firing.limit) {
        (Some(named), Some(fired)) => named.setting == fired.setting,
        (None, None) => firing.outcome == Outcome::Timeout,
        _ => false,
    });
    if !ours {
        return None;
    }
    let waited = told.iter().find_map(|one| one.claim.millis("waited_ms"));
    let target = told.iter().find_map(|one| one.claim.text("upstream"));
    let to = target.map_or_else(|| "the server behind it".to_owned(), |target| format!("the server behind it ({target})"));
    let text = format!("no connection to {to} came up: not a byte of the request was sent");
    let advice = "Look at the server behind first: its queue of connections is full, its address is wrong, or packets are dropped on the way. A longer wait cures none of these.";
    let found = Recognised {
        operation: target.map(|target| format!("connect {target}")),
        waited_ms: waited,
        hidden_by_more_time: Some("the connection that does not come up"),
        ..Recognised::new(Confidence::Certain)
    };
    Some(found.because(text, cite_all(told)).change(plain("check_network", advice)).says(format!("it could not connect to {to}")))
}

fn in_a_stack(case: &Case<'_>) -> Option<Recognised> {
    let samples = stack::samples(case);
    let sample = samples.first().filter(|sample| matches!(sample.standing, Standing::Connecting | Standing::Resolving))?;
    let what = if sample.standing == Standing::Connecting { "connecting" } else { "resolving a name" };
    let found = Recognised { hidden_by_more_time: Some("the connection that does not come up"), ..Recognised::new(Confidence::Likely) };
    let found = found.because(sample.spoken(), vec![cite(sample.told)]).change(plain("check_network", ADVICE));
    Some(found.says(format!("it was still {what}")))
}

/// A Node process that had such a request of the operating system's open when the watchdog looked.
fn in_a_handle(case: &Case<'_>, calls: &Calls<'_>) -> Option<Recognised> {
    if calls.made().iter().any(|made| made.wait() > Millis::ZERO) {
        return None;
    }
    let alarm = case.all(Kind::WatchdogFired).last()?;
    let Some(Value::List(handles)) = alarm.claim.attributes.get("open_handles") else { return None };
    let stuck = handles.iter().filter_map(Value::as_text).find(|handle| NODE_CONNECTS.iter().any(|name| handle.contains(name)))?;
    let text = format!("when the watchdog looked, `{stuck}` was open: a connection or a look-up that had not come back");
    let found = Recognised::new(Confidence::Possible).because(text, vec![cite(alarm)]).change(plain("check_network", ADVICE));
    Some(found.says("it was still connecting"))
}
