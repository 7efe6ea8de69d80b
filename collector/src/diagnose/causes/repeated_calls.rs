//! `repeated_calls`: many like calls, one after the other, make up the time.
//!
//! Looks at: calls with the same operation and target, numbers and IDs apart, that hardly overlap and together cover most of
//! the time. Conclusive, because each is told with its beginning and end. Looks the same: a fan-out, whose calls run at
//! once; those overlap, and the longest of them is the wait.
//! What to change: ask once for many (a join, a batch), or try fewer times.

use std::collections::BTreeMap;

use domain::{Advice, Confidence, Millis};

use super::Recognised;
use super::calls::{self, Calls, Made, SHARE_MIN};
use crate::correlate::Case;
use crate::diagnose::advice::plain;
use crate::diagnose::cite_all;
use crate::diagnose::fingerprint::steady;
use crate::diagnose::firing::Firing;

/// From how many on it is a pattern; failed ones are retries, of which fewer say enough.
const COUNT_MIN: usize = 5;
const RETRIES_MIN: usize = 2;
/// How much of their sum calls in sequence may overlap.
const OVERLAP_MAX: f64 = 0.2;
/// How many of them are cited.
const CITED_MAX: usize = 5;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !calls::is_asked(firing.outcome) {
        return None;
    }
    let (start, end) = calls::window(case, firing)?;
    let whole = Millis::between(start, end);
    let mut groups: BTreeMap<String, Vec<Made<'_>>> = BTreeMap::new();
    for made in calls.made().iter().copied() {
        groups.entry(steady::operation(&made.spoken())).or_default().push(made);
    }
    let mut found: Vec<(Millis, Vec<Made<'_>>)> = groups.into_values().filter_map(|group| in_sequence(group, whole)).collect();
    found.sort_by_key(|(covered, group)| (std::cmp::Reverse(*covered), group[0].spoken()));
    let (covered, group) = found.into_iter().next()?;
    let retried = failed(&group) * 2 > group.len();
    let (count, operation) = (group.len(), group[0].spoken());
    let text = if retried {
        format!("{count} tries of {operation}, most of which failed, took {covered} of {whole}, one after the other")
    } else {
        format!("{count} calls of {operation} took {covered} of {whole}, one after the other")
    };
    let found = Recognised {
        operation: Some(operation.clone()),
        waited_ms: Some(covered),
        hidden_by_more_time: Some("the repeated calls"),
        ..Recognised::new(Confidence::Certain)
    };
    let evidence = cite_all(group.iter().map(|made| made.told).take(CITED_MAX));
    let what = if retried { "tries" } else { "calls" };
    Some(found.because(text, evidence).change(advice(retried)).says(format!("{count} {what} of {operation} took {covered}")))
}

/// The calls in order, if they are many, hardly overlap and cover most of the time; with the time that they cover.
fn in_sequence(mut group: Vec<Made<'_>>, whole: Millis) -> Option<(Millis, Vec<Made<'_>>)> {
    group.sort_by_key(|made| (made.from, made.to));
    // One call may be told by several events.
    group.dedup_by_key(|made| made.from);
    let needed = if failed(&group) * 2 > group.len() { RETRIES_MIN } else { COUNT_MIN };
    if group.len() < needed {
        return None;
    }
    let sum = group.iter().map(Made::wait).fold(Millis::ZERO, Millis::plus);
    let (mut covered, mut until) = (Millis::ZERO, group[0].from);
    for made in &group {
        covered = covered.plus(Millis::between(made.from.max(until), made.to.max(until)));
        until = until.max(made.to);
    }
    let overlap = sum.minus(covered).as_ms_f64() / sum.as_ms_f64().max(1.0);
    (overlap <= OVERLAP_MAX && covered.as_ms_f64() >= whole.as_ms_f64() * SHARE_MIN).then_some((covered, group))
}

fn failed(group: &[Made<'_>]) -> usize {
    group.iter().filter(|made| made.told.claim.text("status") == Some("error")).count()
}

fn advice(retried: bool) -> Advice {
    let text = if retried {
        "Try fewer times, and let all tries together have a limit that leaves time to answer."
    } else {
        "Ask once for all of them: a join, a batch, a list of IDs. Else make them at the same time, within bounds."
    };
    plain("call_less", text)
}
