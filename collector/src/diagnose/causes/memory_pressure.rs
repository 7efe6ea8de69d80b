//! `memory_pressure`: memory stood at its cap although the line says timeout.
//!
//! Looks at: `Max Memory Used` against `Memory Size` in REPORT of a timeout. Not conclusive by itself (the emulator always
//! prints them equal, and a full page cache looks the same), hence only where nothing better is known, and told apart from
//! kills for memory, which are an outcome of their own.

use domain::{Kind, Outcome, Reason};

use super::Recognised;
use crate::correlate::Case;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    if firing.outcome == Outcome::OutOfMemory {
        return Some(Recognised { operation: None, waited_ms: None, reasons: Vec::new() });
    }
    if firing.outcome != Outcome::Timeout {
        return None;
    }
    let report = case.first(Kind::InvocationReport)?;
    let (used, size) = (report.claim.number("max_memory_used_mb")?, report.claim.number("memory_size_mb")?);
    // The emulator prints a size as used whatever was used, and gives itself away by the order of its fields.
    let emulator =
        report.claim.raw.find("Init Duration").zip(report.claim.raw.find("\tDuration")).is_some_and(|(init, duration)| init < duration);
    if used < size || emulator {
        return None;
    }
    let text = format!(
        "memory stood at its cap ({used} of {size} MB): a runtime that collects garbage or swaps pages without end looks like this"
    );
    Some(Recognised { operation: None, waited_ms: None, reasons: vec![Reason { text, evidence: vec![cite(report)] }] })
}
