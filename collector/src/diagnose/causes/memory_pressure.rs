//! `memory_pressure`: memory stood at its cap although the line says timeout.
//!
//! Looks at: `Max Memory Used` against `Memory Size` in REPORT of a timeout, or the memory that a watchdog saw in use. Not
//! conclusive by itself (the emulator always prints them equal, and a full page cache looks the same), hence only where
//! nothing better is known, and told apart from kills for memory, which are an outcome of their own.
//! What to change: the memory, or what fills it.

use domain::{Advice, Confidence, Evidence, Kind, Outcome, Product, Reason};

use super::{Calls, Recognised};
use crate::correlate::{Case, is_watchdog};
use crate::diagnose::advice::{LAMBDA_PLACE, change, plain};
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Lambda's MB are MiB.
const MIB: f64 = 1_048_576.0;
/// From this share of the size on memory counts as full when a watchdog saw it.
const FULL_MIN: f64 = 0.95;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    let found = match firing.outcome {
        Outcome::OutOfMemory => Recognised::new(Confidence::Certain),
        Outcome::Timeout => {
            let reason = at_cap(case)?;
            let found = Recognised::new(Confidence::Possible).because(reason.text, reason.evidence);
            found.says("memory stood at its cap")
        }
        _ => return None,
    };
    Some(found.change(advice(case)))
}

fn at_cap(case: &Case<'_>) -> Option<Reason> {
    let report = case.first(Kind::InvocationReport)?;
    let size = report.claim.number("memory_size_mb")?;
    let used = report.claim.number("max_memory_used_mb").filter(|used| *used >= size && !is_emulators(report)).map(|used| (used, report));
    let seen = || {
        let events = case.own.iter().copied().filter(|one| is_watchdog(one.claim.kind));
        let used = events.filter_map(|one| Some((one.claim.number("memory_bytes")? / MIB, one))).next_back()?;
        Some(used).filter(|(used, _)| *used >= size * FULL_MIN)
    };
    let (used, told) = used.or_else(seen)?;
    let text = format!(
        "memory stood at its cap ({used:.0} of {size} MB): a runtime that collects garbage or swaps pages without end looks like this"
    );
    Some(Reason { text, evidence: vec![cite(told)] })
}

/// The emulator prints a size as used whatever was used, and gives itself away by the order of its fields.
fn is_emulators(report: &Evidence) -> bool {
    let place = |field| report.claim.raw.find(field);
    place("Init Duration").zip(place("\tDuration")).is_some_and(|(init, duration)| init < duration)
}

/// Lambda has a setting for it; elsewhere the place is the container's.
fn advice(case: &Case<'_>) -> Advice {
    let lambdas = case.any(|claim| claim.platform.as_ref().filter(|platform| **platform == Product::AWS_LAMBDA).cloned());
    let size = case.any(|claim| claim.number("memory_size_mb"));
    if lambdas.is_none() {
        return plain("raise_memory", "Raise the memory that the platform grants, or find what fills it.");
    }
    let text = "Raise the memory (on Lambda processor time grows with it) or find what fills it.";
    Advice { from: size.map(|mb| format!("{mb} MB")), ..change("raise_memory", "MemorySize", LAMBDA_PLACE, text) }
}
