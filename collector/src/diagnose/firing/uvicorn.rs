//! uvicorn: requests that were cancelled because a stop took longer than `--timeout-graceful-shutdown`. It has no other limit.

use domain::{Confidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
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
