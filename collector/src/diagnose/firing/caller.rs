//! The caller: a client's span that ended with an error while the function's own went on.
//!
//! Conclusive, because both ends of the same call are told by those who made and served it. A caller's error at the moment
//! of the function's own end is a consequence of it, not its cause.

use domain::{Confidence, Evidence, IncidentState, Kind, KnownFrom, Layer, Limit, Millis, Outcome, Product, Reason};

use super::Firing;
use crate::correlate::Case;
use crate::diagnose::cite;

/// Two clocks: the caller's end must be earlier by more than they are usually apart.
const CLOCKS_APART: Millis = Millis::from_ms(250);

/// What the caller did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let served = case.own.iter().copied().find(|one| is_served(one))?;
    let parent = served.claim.parent_span_id.as_ref()?;
    let called = case.own.iter().copied().find(|one| one.claim.kind == Kind::Span && one.claim.span_id.as_ref() == Some(parent))?;
    let (left_at, ended_at) = (called.claim.observed_at?, case.ended_at().or(served.claim.observed_at)?);
    let went_on = Millis::between(left_at, ended_at);
    if !is_error(called) || went_on < CLOCKS_APART {
        return None;
    }
    let waited = called.claim.elapsed_ms;
    let mut firing = Firing::new(Outcome::CallerLeft, IncidentState::Confirmed, Confidence::Likely);
    firing.at = Some(left_at);
    firing.went_on = true;
    firing.layer = Some(Layer::Client);
    firing.product = called.claim.function.as_ref().map(|name| Product::from(name.as_str().to_owned()));
    firing.limit = called.claim.millis("client_timeout_ms").map(|value| Limit {
        layer: Layer::Client,
        product: firing.product.clone().unwrap_or_else(|| Product::from("client")),
        setting: "client timeout".to_owned(),
        value_ms: Some(value),
        known_from: KnownFrom::Claimed,
        place: None,
    });
    let waited = waited.map_or(String::new(), |waited| format!(" after {waited}"));
    firing.reasons.push(Reason { text: format!("the caller's own span ends with an error{waited}"), evidence: vec![cite(called)] });
    firing.reasons.push(Reason { text: format!("the function went on for {went_on} after that"), evidence: vec![cite(served)] });
    firing.refuted_by = format!("clocks of caller and function that are more than {went_on} apart").into();
    Some(firing)
}

fn is_served(one: &Evidence) -> bool {
    one.claim.kind == Kind::Span && one.claim.request_id.is_some() && one.claim.text("span_kind") == Some("server")
}

fn is_error(span: &Evidence) -> bool {
    span.claim.text("status") == Some("error") || span.claim.number("http.response.status_code").is_some_and(|status| status >= 499.0)
}
