//! Knative: queue-proxy's and activator's own word that a limit of the revision passed.

use domain::{Confidence, Evidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::Firing;
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let told = |one: &&Evidence| one.claim.format == "knative" && one.claim.kind == Kind::TimeoutNotice;
    let notices: Vec<&Evidence> = case.own.iter().copied().filter(told).collect();
    let decisive = notices.first()?;
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::Platform);
    firing.product = Some(Product::from("knative"));
    firing.limit.clone_from(&decisive.claim.limit);
    let owners: Vec<&str> = notices.iter().filter_map(|one| one.claim.text("timeout_owner")).collect();
    firing.reasons.push(Reason { text: format!("Knative says so ({})", owners.join(", ")), evidence: cite_all(notices) });
    if let Some(request) = case.first(Kind::Request) {
        let text = "its request log has a 504 whose time reached that limit";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(request)] });
    }
    firing.refuted_by = "an answer of this request within the limit".into();
    Some(firing)
}
