//! uvicorn: requests that were cancelled because a stop took longer than `--timeout-graceful-shutdown`, and workers that ended. It
//! has no limit on requests.

use domain::{Confidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::{Case, Ending};
use crate::diagnose::{cite, cite_all};

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    cancelled(case).or_else(|| ended(case))
}

fn cancelled(case: &Case<'_>) -> Option<Firing> {
    let decisive = case.own.iter().copied().find(|one| one.claim.format == "uvicorn" && one.claim.kind == Kind::TimeoutNotice)?;
    let mut firing = Firing::new(Outcome::DroppedAtShutdown, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::AppServer);
    firing.product = Some(Product::from("uvicorn"));
    let count = decisive.claim.number("cancelled").map_or(String::new(), |count| format!("{count} running "));
    let text = format!("the server was being stopped and cancelled {count}requests when its grace period was over");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    let cut_off: Vec<_> = case.all(Kind::RequestError).collect();
    if let Some(frame) = cut_off.first().and_then(|one| one.claim.stacks.first()?.frames.last()) {
        let place = frame.file.as_deref().map_or(String::new(), |file| format!(" ({file}:{})", frame.line.unwrap_or_default()));
        firing.reasons.push(Reason { text: format!("one stood in `{}`{place}", frame.function), evidence: cite_all(cut_off) });
    }
    firing.refuted_by = "answers of all requests that were in flight".into();
    firing.limit = decisive.claim.limit.clone().map(|named| known::limit(case, named));
    Some(firing)
}

/// A worker's end. uvicorn has one line for all that it finds dead and for what it kills itself, because it answered no health
/// check: read in `supervisors/multiprocess.py` of 0.30 and 0.54.
fn ended(case: &Case<'_>) -> Option<Firing> {
    let end = case.worker.as_ref()?;
    let decisive = end.evidence.first().filter(|one| one.claim.format == "uvicorn")?;
    let (confidence, text, refuted_by) = match end.ending {
        Ending::FailedToStart => (
            Confidence::Certain,
            "uvicorn says so: the worker ended before it could serve, and the server stopped with it",
            "a request that this worker served",
        ),
        Ending::Exited => (
            Confidence::Possible,
            "the worker had not taken its leave; uvicorn says the same of one that ended by itself or by a signal and of one that it \
             killed because its process answered no health check for `--timeout-worker-healthcheck` (5 s unless set)",
            "`Finished server process` of this worker before, or a line of the system or of the process that says what ended it",
        ),
        _ => return None,
    };
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, confidence);
    firing.at = end.at;
    firing.layer = Some(Layer::AppServer);
    firing.product = Some(Product::from("uvicorn"));
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
    firing.refuted_by = refuted_by.into();
    Some(firing)
}
