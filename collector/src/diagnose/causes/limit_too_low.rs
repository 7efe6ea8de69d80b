//! `limit_too_low`: the work went on steadily until the limit ended it; there was simply more of it than the limit allows.
//!
//! Looks at: steps that were seen to finish (spans, calls, named sections), spread over the whole run until shortly before its end.
//! Conclusive as far as it goes, because each step states its own end: nothing stood still. Looks the same: a step that is
//! asked for too often (`repeated_calls`, which is looked for before), and a last call that nobody recorded; hence only where
//! steps of several kinds finished until the very end. What other requests took is no part of this: the history enters with the
//! advice.

use std::collections::BTreeSet;

use domain::{Confidence, Evidence, Kind, Millis, Outcome};
use jiff::Timestamp;

use super::{Calls, Recognised};
use crate::correlate::Case;
use crate::diagnose::cite_all;
use crate::diagnose::firing::Firing;

/// Fewer steps say little about how steady it went.
const STEPS_MIN: usize = 5;
/// Steps of fewer kinds are rather one thing done again and again.
const KINDS_MIN: usize = 3;
/// Without a step for longer than this part of the run, it stood still.
const GAP_MAX: f64 = 0.25;
/// The last step ended within this part of the run before its end: a call that hung would have shown by then.
const LAST_MAX: f64 = 0.125;
/// Steps that are cited: the last ones.
const CITED_MAX: usize = 3;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    if firing.outcome != Outcome::Timeout || firing.limit.is_none() {
        return None;
    }
    let (start, end) = (case.started_at()?, firing.at.or_else(|| case.ended_at())?);
    let whole = Millis::between(start, end);
    if whole <= Millis::ZERO {
        return None;
    }
    let mut steps: Vec<Step<'_>> = case.own.iter().flat_map(|one| steps(one)).filter(|step| (start..=end).contains(&step.at)).collect();
    steps.sort_by(|a, b| (a.at, a.name, &a.evidence.claim).cmp(&(b.at, b.name, &b.evidence.claim)));
    let kinds: BTreeSet<&str> = steps.iter().map(|step| step.name).collect();
    if steps.len() < STEPS_MIN || kinds.len() < KINDS_MIN {
        return None;
    }
    let moments: Vec<Timestamp> = std::iter::once(start).chain(steps.iter().map(|step| step.at)).collect();
    let longest = moments.windows(2).map(|pair| Millis::between(pair[0], pair[1])).max()?;
    let last = Millis::between(*moments.last()?, end);
    let share = |part: Millis| part.as_ms_f64() / whole.as_ms_f64();
    if share(longest) > GAP_MAX || share(last) > LAST_MAX {
        return None;
    }
    let text = format!(
        "{} steps of {} kinds finished one after the other, the last {last} before the end; nothing stood still for more than {longest} of {whole}",
        steps.len(),
        kinds.len()
    );
    let evidence = cite_all(steps.iter().rev().take(CITED_MAX).rev().map(|step| step.evidence));
    Some(Recognised::new(Confidence::Likely).because(text, evidence).says("it went on steadily until then"))
}

/// Something that is known to have finished.
struct Step<'a> {
    at: Timestamp,
    name: &'a str,
    evidence: &'a Evidence,
}

fn steps(evidence: &Evidence) -> Vec<Step<'_>> {
    let claim = &evidence.claim;
    match claim.kind {
        // The request's own span ends with it, and an open one has no end.
        Kind::Span if claim.request_id.is_some() => Vec::new(),
        Kind::Span => {
            let name = claim.calls.first().map_or_else(|| claim.text("name").unwrap_or("span"), |call| call.operation.as_str());
            claim.observed_at.filter(|_| !claim.attributes.contains_key("open")).map(|at| Step { at, name, evidence }).into_iter().collect()
        }
        Kind::WatchdogTracepoint if claim.text("phase") == Some("closed") => {
            claim.observed_at.zip(claim.text("section")).map(|(at, name)| Step { at, name, evidence }).into_iter().collect()
        }
        _ => claim.calls.iter().filter_map(|call| Some(Step { at: call.ended_at?, name: &call.operation, evidence })).collect(),
    }
}
