//! Requests that a watchdog's stop cut off, and functions that died under a request.

use domain::{Confidence, Evidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::super::{Firing, known};
use super::{base, limit};
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// The function's process ended while it was asked.
pub fn function_died(case: &Case<'_>, decisive: &Evidence) -> Option<Firing> {
    let exit = case.own.iter().copied().find(|one| one.claim.kind == Kind::ProcessExit)?;
    let order = case.own.iter().copied().find(|one| one.claim.kind == Kind::ServerStopping);
    let told = exit.claim.text("signal") == Some("SIGTERM");
    let (outcome, text) = match order {
        Some(_) if told => (
            Outcome::DroppedAtShutdown,
            "the order to stop is passed on to the function, which did not handle SIGTERM and ended at once: nothing was drained",
        ),
        _ => (Outcome::Crash, "the function's process ended while it was serving: no limit on time fired"),
    };
    let mut firing = base(decisive, outcome, Confidence::Certain);
    firing.reasons.push(Reason { text: text.to_owned(), evidence: cite_all([decisive, exit].into_iter().chain(order)) });
    firing.refuted_by = "an answer of this request".into();
    Some(firing)
}

/// A drain that was cut short, by its own limit or from outside.
pub fn drained(case: &Case<'_>, decisive: &Evidence) -> Option<Firing> {
    if decisive.claim.text("shutdown_error").is_some() {
        let mut firing = base(decisive, Outcome::DroppedAtShutdown, Confidence::Certain);
        let stopped = case.own.iter().find(|one| one.claim.kind == Kind::ServerStopped);
        let left = stopped.and_then(|one| one.claim.number("active_connections"));
        let left = left.map_or(String::new(), |count| format!(" with {count} of them unanswered"));
        let text = format!("the drain ran into its limit, which `write_timeout` sets, and the process ended{left}");
        firing.reasons.push(Reason { text, evidence: cite_all(case.own.iter().copied()) });
        firing.refuted_by = "answers of all requests that were in flight".into();
        firing.limit = Some(limit(case, decisive, "write_timeout"));
        return Some(firing);
    }
    let count = decisive.claim.number("draining")?;
    let mut firing = Firing::new(Outcome::DroppedAtShutdown, IncidentState::Lost, Confidence::Likely);
    firing.layer = Some(Layer::Platform);
    firing.limit = Some(known::unnamed(Layer::Platform, &Product::from("orchestrator"), "termination grace period"));
    let text = format!("it was draining {count} requests and was never heard of again: neither its own limit nor their end ended it");
    firing.reasons.push(Reason { text, evidence: case.own.iter().copied().map(cite).collect() });
    firing.refuted_by = "an `Exiting` line of this process, for instance in a log that goes on elsewhere".into();
    Some(firing)
}
