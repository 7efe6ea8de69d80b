//! rack-timeout: its line has request, limit and time elapsed, and is conclusive. The error that it raises names no request.

use domain::{Confidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::Case;
use crate::diagnose::cite;

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let told =
        |one: &&domain::Evidence| one.claim.format == "rack_timeout" && matches!(one.claim.kind, Kind::TimeoutNotice | Kind::RequestError);
    let decisive = case.own.iter().copied().find(told)?;
    let limit = known::limit(case, decisive.claim.limit.clone()?);
    let by_error = decisive.claim.kind == Kind::RequestError;
    let confidence = if by_error { Confidence::Likely } else { Confidence::Certain };
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, confidence);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::AppServer);
    firing.product = Some(Product::from("rack_timeout"));
    let never_served = decisive.claim.text("state") == Some("expired");
    let text = match (limit.setting.as_str(), decisive.claim.elapsed_ms) {
        _ if never_served => "rack-timeout says so: the request had waited too long in front of the server, and was not served".to_owned(),
        ("wait_timeout", _) => {
            "rack-timeout says so: it ended the request when its wait in front of the server and its service were too long together"
                .to_owned()
        }
        (_, Some(elapsed)) => format!("rack-timeout says so: it raised an exception in the request's thread after {elapsed}"),
        (_, None) => "the server prints the error that rack-timeout raises; it does not say in which request".to_owned(),
    };
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    if let Some(completed) = case.first(Kind::Request).filter(|one| one.claim.format == "rack_timeout") {
        let text = "`state=completed` after it means that the exception was handled, and not that the request was answered well";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(completed)] });
    }
    firing.refuted_by = "an answer of this request other than an error".into();
    firing.limit = Some(limit);
    Some(firing)
}
