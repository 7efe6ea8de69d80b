//! `cold_start`: starting took the share of the budget that was missing.
//!
//! Looks at: an initialisation that ran into the limit by itself; an init inside the invocation without which the handler
//! would have had time left; a worker that was ended while booting. Conclusive, because the platform states both durations.
//! Looks the same: an ordinary cold start before a slow request. Lambda does not count an init of its own phase against
//! `Timeout`, so `Init Duration` alone is no cause.

use domain::{Kind, Millis, Outcome, Reason};

use super::Recognised;
use crate::correlate::Case;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    if firing.outcome == Outcome::InitTimeout {
        let init = case.own.iter().filter(|one| one.claim.kind == Kind::InitReport).filter_map(|one| one.claim.elapsed_ms).max();
        return Some(Recognised { operation: None, waited_ms: init, reasons: Vec::new() });
    }
    if firing.outcome != Outcome::Timeout {
        return None;
    }
    // An init inside the invocation is counted against its limit.
    let init = case.all(Kind::InitReport).find(|one| one.claim.text("phase") == Some("invoke"))?;
    let (spent, elapsed) = (init.claim.elapsed_ms?, case.elapsed()?);
    let handler = elapsed.minus(spent);
    // Worth naming when it took at least as much as it left.
    if spent < handler || spent <= Millis::ZERO {
        return None;
    }
    let text = format!("initialisation was run inside the invocation and took {spent} of its {elapsed}");
    Some(Recognised { operation: None, waited_ms: Some(spent), reasons: vec![Reason { text, evidence: vec![cite(init)] }] })
}
