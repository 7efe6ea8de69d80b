//! The kernel: it kills a process when memory is full, the machine's or its container's.
//!
//! Conclusive, because it is the kernel's own account of what it did. Whoever kept the process sees a SIGKILL and can only guess.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::Firing;
use crate::correlate::Case;
use crate::diagnose::cite_all;

/// What the kernel did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let is_oom = |one: &&Evidence| one.claim.outcome == Some(ClaimedOutcome::OutOfMemory);
    let is_kernels = |one: &&Evidence| one.claim.kind == Kind::OomKill && one.claim.platform.as_ref() == Some(&Product::LINUX);
    let told: Vec<&Evidence> = case.evidence().filter(is_kernels).collect();
    let decisive = *told.first()?;
    // A platform that says so in its own words is who ran the machine.
    if case.own.iter().copied().filter(is_oom).any(|one| !is_kernels(&one)) {
        return None;
    }
    let mut firing = Firing::new(Outcome::OutOfMemory, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at.or_else(|| case.worker.as_ref()?.at);
    firing.layer = Some(Layer::Platform);
    firing.product = Some(Product::LINUX);
    let process = decisive.claim.text("process").map_or(String::new(), |process| format!(" `{process}`"));
    let text = format!("the kernel says that it killed{process} because memory was full");
    firing.reasons.push(Reason { text, evidence: cite_all(told) });
    firing.refuted_by = "a process of another container that has the same ID".into();
    Some(firing)
}
