//! Apache: mod_proxy, mod_reqtimeout and mod_wsgi. The number in front of the message decides, not the status.
//!
//! `ProxyTimeout` answers 502. mod_wsgi's `request-timeout` is counted per process and not per request, so that 2 s may fire
//! after 7.5 s; and a daemon process that it ended looks like one that crashed.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, Layer, Limit, Millis, Outcome, Product, Reason};

use super::{Firing, proxy};
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// What Apache did, or its daemon processes.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    daemon(case).or_else(|| proxy::fired(case, &proxy::Proxy { product: Product::APACHE, stands_for }))
}

fn stands_for(setting: &str) -> Vec<String> {
    let names: &[&str] = match setting {
        "ProxyTimeout" => &["ProxyPass timeout", "ProxyTimeout", "Timeout"],
        "ProxyPass connectiontimeout" => &["ProxyPass connectiontimeout", "ProxyPass timeout", "ProxyTimeout", "Timeout"],
        "RequestReadTimeout body" => &["RequestReadTimeout body", "Timeout"],
        _ => &[],
    };
    if names.is_empty() { vec![setting.to_owned()] } else { names.iter().map(|name| (*name).to_owned()).collect() }
}

/// mod_wsgi's daemon processes.
fn daemon(case: &Case<'_>) -> Option<Firing> {
    let is_daemons = |one: &&Evidence| one.claim.limit.as_ref().is_some_and(|limit| limit.product == Product::MOD_WSGI);
    let told: Vec<&Evidence> =
        case.own.iter().copied().filter(|one| one.claim.outcome == Some(ClaimedOutcome::Timeout)).filter(is_daemons).collect();
    let decisive = told.iter().find(|one| one.claim.outcome_confidence.is_none()).or(told.first())?;
    let claimed = decisive.claim.limit.clone()?;
    let known = case.knowledge.limit(&Product::MOD_WSGI, &claimed.setting).cloned();
    let elapsed = case.all(Kind::GatewayRequest).find_map(|one| one.claim.elapsed_ms);
    let is_guess = decisive.claim.outcome_confidence.is_some();
    let reached = known.as_ref().and_then(|limit| limit.value_ms).zip(elapsed).map(|(value, elapsed)| elapsed >= value);
    let confidence = match (is_guess, reached) {
        (false, _) => Confidence::Certain,
        (true, Some(true)) => Confidence::Likely,
        (true, _) => Confidence::Possible,
    };
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, confidence);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::AppServer);
    firing.product = Some(Product::MOD_WSGI);
    let text = match (is_guess, reached) {
        (false, _) => "mod_wsgi names the timer that ran out",
        (true, Some(true)) => {
            "the daemon process was gone before it answered, and the request was older than the limit that ends daemon processes"
        }
        (true, _) => {
            "the daemon process was gone before it answered: ended by a limit or crashed, which its own lines (`LogLevel wsgi:info`) would tell"
        }
    };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
    let others: Vec<&Evidence> = case.own.iter().copied().filter(|one| !std::ptr::eq(*one, *decisive)).collect();
    if !others.is_empty() {
        firing.reasons.push(Reason { text: "other lines about the same request".to_owned(), evidence: cite_all(others) });
    }
    if let Some((value, elapsed)) = known.as_ref().and_then(|limit| limit.value_ms).zip(elapsed) {
        let late = value.plus(Millis::from_us(value.as_us() / 2)) < elapsed;
        let why = if late && claimed.setting == "request-timeout" {
            ": it is averaged over the process's threads, and then shutting down takes its time"
        } else {
            ""
        };
        firing.reasons.push(Reason { text: format!("the request took {elapsed}, the limit is {value}{why}"), evidence: Vec::new() });
    }
    firing.refuted_by = "a core dump, or a kill by the kernel, of that daemon process at that moment".into();
    let limit: Limit = known.unwrap_or(claimed);
    firing.limit = Some(limit);
    Some(firing)
}
