//! Puma: requests whose threads were ended because a stop had waited for `force_shutdown_after`. What it does to workers is told
//! with the other pre-fork servers.

use domain::{Confidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::Case;
use crate::diagnose::cite;

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let decisive = case.own.iter().copied().find(|one| one.claim.format == "puma" && one.claim.kind == Kind::TimeoutNotice)?;
    let mut firing = Firing::new(Outcome::DroppedAtShutdown, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::AppServer);
    firing.product = Some(Product::from("puma"));
    let serving = decisive.claim.text("path").map_or(String::new(), |path| format!("; it was serving `{path}`"));
    let text = format!("the server was being stopped and ended the request's thread when it had waited long enough{serving}");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    firing.refuted_by = "an answer of this request other than 503".into();
    firing.limit = decisive.claim.limit.clone().map(|named| known::limit(case, named));
    Some(firing)
}
