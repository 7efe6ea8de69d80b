//! The gateway: it answers 502 both when its `upstream_timeout` fired and when its caller had left.

use domain::{Confidence, Evidence, IncidentState, Layer, Note, Outcome, Product, Reason};

use super::super::{Firing, known};
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// What it did.
pub fn fired(case: &Case<'_>, decisive: &Evidence) -> Option<Firing> {
    let mut firing = match decisive.claim.text("error")? {
        "context deadline exceeded" => upstream_timeout(case, decisive),
        "context canceled" => caller_left(decisive),
        _ => return None,
    };
    firing.at = decisive.claim.observed_at;
    let watchdogs: Vec<&Evidence> = case.own.iter().copied().filter(|one| one.claim.format != "openfaas_gateway").collect();
    if !watchdogs.is_empty() {
        let text = "the function's watchdog saw the same path cancelled in the same moment";
        firing.consequences.push(Note { text: text.to_owned(), evidence: cite_all(watchdogs.iter().copied()) });
        let blames = watchdogs.iter().copied().filter(|one| one.claim.raw.contains("killed due to exec_timeout"));
        let evidence = cite_all(blames);
        if !evidence.is_empty() {
            let text = "the watchdog's exec_timeout did not fire: it names it whenever a request is cancelled";
            firing.contradicted.push(Note { text: text.to_owned(), evidence });
        }
    }
    Some(firing)
}

fn upstream_timeout(case: &Case<'_>, decisive: &Evidence) -> Firing {
    let product = Product::from("openfaas_gateway");
    let limit = known::limit(case, known::unnamed(Layer::Gateway, &product, "upstream_timeout"));
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, Confidence::Certain);
    firing.layer = Some(Layer::Gateway);
    firing.product = Some(product);
    let text = match (decisive.claim.elapsed_ms, limit.value_ms) {
        (Some(elapsed), Some(value)) => format!("the gateway waited {elapsed} for the function; its limit is {value}"),
        _ => "a deadline of the gateway's own passed, and not its caller's".to_owned(),
    };
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    let text = "the caller got a 502, which for this gateway is how time running out looks";
    firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    firing.refuted_by = "an answer of the function's within `upstream_timeout`".into();
    firing.limit = Some(limit);
    firing
}

fn caller_left(decisive: &Evidence) -> Firing {
    let mut firing = Firing::new(Outcome::CallerLeft, IncidentState::Confirmed, Confidence::Likely);
    firing.layer = Some(Layer::Client);
    let waited = decisive.claim.elapsed_ms.map_or(String::new(), |elapsed| format!(" after {elapsed}"));
    let text = format!("`context canceled`: the gateway's caller closed the connection{waited}; the 502 reached nobody");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    firing.refuted_by = "a caller that still waited at that moment".into();
    firing
}
