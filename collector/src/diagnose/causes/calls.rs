//! The calls that a request made: what watchdogs saw open and what client spans tell, each as far as it lies within the request.

use std::collections::BTreeSet;

use domain::{Call, Evidence, Kind, Millis, Outcome, SpanId};
use jiff::Timestamp;

use crate::correlate::{Case, is_open};
use crate::diagnose::firing::Firing;

/// The share of the time from which on a call counts as the culprit.
pub const SHARE_MIN: f64 = 0.5;

/// One call of the request's.
#[derive(Clone, Copy)]
pub struct Made<'a> {
    /// The claim that tells of it.
    pub told: &'a Evidence,
    /// The call.
    pub call: &'a Call,
    /// When the request began to wait for it.
    pub from: Timestamp,
    /// When it had its answer, or when time ran out.
    pub to: Timestamp,
    /// Whether it was answered within the request.
    pub answered: bool,
    /// Whether its heartbeats had stopped before time ran out: it was open until then at least.
    pub fell_silent: bool,
}

/// How many intervals may pass without a heartbeat before it is missed: the processors look at their spans once an interval of
/// their own, by default as long as the one between heartbeats, and then the record is still to be sent.
const HEARTBEATS_DUE: f64 = 3.0;

impl Made<'_> {
    /// How long the request waited for it.
    pub fn wait(&self) -> Millis {
        Millis::between(self.from, self.to)
    }

    /// `POST payments.internal`.
    pub fn spoken(&self) -> String {
        match &self.call.target {
            Some(target) => format!("{} {target}", self.call.operation),
            None => self.call.operation.clone(),
        }
    }
}

/// The stretch of time in question: from the request's beginning to the moment when time ran out.
pub fn window(case: &Case<'_>, firing: &Firing) -> Option<(Timestamp, Timestamp)> {
    let end = firing.at.or_else(|| case.ended_at())?;
    case.started_at().filter(|start| *start < end).map(|start| (start, end))
}

/// Whether a request with this outcome is asked what it was doing.
pub fn is_asked(outcome: Outcome) -> bool {
    // What a process was doing when it crashed or was killed for memory did not end it.
    matches!(outcome, Outcome::Timeout | Outcome::CallerLeft | Outcome::NearMiss | Outcome::DroppedAtShutdown)
}

/// The calls of a request, read once for all causes.
pub struct Calls<'a> {
    made: Vec<Made<'a>>,
    longest: Option<(Made<'a>, Millis)>,
}

impl<'a> Calls<'a> {
    /// Reads them.
    pub fn of(case: &Case<'a>, firing: &Firing) -> Self {
        let made = made(case, firing);
        let longest = longest(case, firing, &made);
        Self { made, longest }
    }

    /// The calls that were made within the request, in the order in which they are told.
    pub fn made(&self) -> &[Made<'a>] {
        &self.made
    }

    /// The call that took the largest part, if that is most of the time; with the whole of the time.
    pub fn longest(&self) -> Option<(Made<'a>, Millis)> {
        self.longest
    }
}

fn made<'a>(case: &Case<'a>, firing: &Firing) -> Vec<Made<'a>> {
    let Some((start, end)) = window(case, firing) else { return Vec::new() };
    let told: Vec<&'a Evidence> = case.own.iter().copied().filter(|one| !one.claim.calls.is_empty()).collect();
    if told.is_empty() {
        return Vec::new();
    }
    let callers = callers(case);
    let made_by_it = |one: &&'a Evidence| match &one.claim.span_id {
        Some(id) if one.claim.kind == Kind::Span => {
            let is_root = one.claim.parent_span_id.is_none() && one.claim.started_at.is_some_and(|from| from < start);
            !callers.contains(id) && !is_root
        }
        _ => true,
    };
    let calls = told.iter().copied().filter(made_by_it).flat_map(|one| one.claim.calls.iter().map(move |call| (one, call)));
    calls
        .filter_map(|(one, call)| {
            let ended_at = call.ended_at.or_else(|| last_seen(&told, one, call));
            let from = call.started_at?.max(start);
            let to = ended_at.map_or_else(|| known_open_until(one, end), |ended| ended.min(end));
            let answered = ended_at.is_some_and(|ended| ended < end);
            (from < to).then_some(Made { told: one, call, from, to, answered, fell_silent: ended_at.is_none() && to < end })
        })
        .collect()
}

fn longest<'a>(case: &Case<'a>, firing: &Firing, made: &[Made<'a>]) -> Option<(Made<'a>, Millis)> {
    let (start, end) = window(case, firing)?;
    let whole = Millis::between(start, end);
    let most = made.iter().copied().filter(|made| made.wait().as_ms_f64() >= whole.as_ms_f64() * SHARE_MIN);
    most.max_by_key(|made| (made.wait(), std::cmp::Reverse(&made.told.claim))).map(|longest| (longest, whole))
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

/// Spans above the request's own: whoever called it.
fn callers<'a>(case: &Case<'a>) -> BTreeSet<&'a SpanId> {
    let spans: Vec<&'a Evidence> = case.all(Kind::Span).collect();
    let parent = |id: &SpanId| spans.iter().find(|one| one.claim.span_id.as_ref() == Some(id))?.claim.parent_span_id.as_ref();
    let mut above = BTreeSet::new();
    for served in spans.iter().filter(|one| one.claim.request_id.is_some() && one.claim.calls.is_empty()) {
        let mut at = served.claim.parent_span_id.as_ref();
        while let Some(id) = at.filter(|id| above.insert(*id)) {
            at = parent(id);
        }
    }
    above
}

/// When a call was last seen open, where the same watchdog later listed open calls and this was none of them.
fn last_seen(told: &[&Evidence], one: &Evidence, call: &Call) -> Option<Timestamp> {
    if one.claim.kind == Kind::Span {
        return None;
    }
    let at = one.claim.observed_at?;
    let same = |other: &Call| (&other.operation, &other.target, other.started_at) == (&call.operation, &call.target, call.started_at);
    let later = told.iter().filter(|other| other.claim.kind != Kind::Span && other.claim.observed_at.is_some_and(|later| later > at));
    later.min_by_key(|other| other.claim.observed_at).filter(|next| !next.claim.calls.iter().any(same)).map(|_| at)
}
