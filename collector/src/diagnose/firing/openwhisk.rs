//! OpenWhisk: the activation record's own word, with the limit beside it.

use domain::{ClaimedOutcome, Confidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::Firing;
use crate::correlate::Case;
use crate::diagnose::cite;

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let told = |one: &&domain::Evidence| one.claim.kind == Kind::Invocation && one.claim.format == "openwhisk";
    let decisive = case.own.iter().copied().find(told)?;
    let outcome = match decisive.claim.outcome? {
        ClaimedOutcome::Timeout => Outcome::Timeout,
        ClaimedOutcome::InitTimeout => Outcome::InitTimeout,
        ClaimedOutcome::OutOfMemory => Outcome::OutOfMemory,
        ClaimedOutcome::Crash | ClaimedOutcome::InitCrash => Outcome::Crash,
        _ => return None,
    };
    let mut firing = Firing::new(outcome, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::Platform);
    firing.product = Some(Product::from("openwhisk"));
    let timed_out = matches!(outcome, Outcome::Timeout | Outcome::InitTimeout);
    firing.limit = decisive.claim.limit.clone().filter(|_| timed_out);
    let words = decisive.claim.text("message").map_or(String::new(), |words| format!(": `{words}`"));
    firing.reasons.push(Reason { text: format!("the activation record says so{words}"), evidence: vec![cite(decisive)] });
    firing.refuted_by = "an activation record of this ID with another outcome".into();
    Some(firing)
}
