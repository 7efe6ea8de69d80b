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

/// A daemon process that nobody's timer ended.
fn killed(lost: &Evidence, died: &Evidence) -> Firing {
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Likely);
    firing.at = lost.claim.observed_at;
    firing.layer = Some(Layer::AppServer);
    firing.product = Some(Product::MOD_WSGI);
    let text = "the daemon process was gone before it answered, and no timer of its had run out: a signal ended it, or it left with that exit status";
    firing.reasons.push(Reason { text: text.to_owned(), evidence: cite_all([lost, died]) });
    firing.refuted_by = "a line of the daemon process itself, just before, that a timer ran out".into();
    firing
}

/// mod_wsgi's daemon processes.
fn daemon(case: &Case<'_>) -> Option<Firing> {
    let is_daemons = |one: &&Evidence| one.claim.limit.as_ref().is_some_and(|limit| limit.product == Product::MOD_WSGI);
    let timed_out = |one: &&Evidence| matches!(one.claim.outcome, Some(ClaimedOutcome::Timeout | ClaimedOutcome::BootTimeout));
    let told: Vec<&Evidence> = case.own.iter().copied().filter(timed_out).filter(is_daemons).collect();
    let decisive = told.iter().find(|one| one.claim.outcome_confidence.is_none()).or(told.first())?;
    if decisive.claim.outcome_confidence.is_some()
        && let Some(died) = case.own.iter().copied().find(|one| one.claim.attributes.contains_key("signal"))
    {
        return Some(killed(decisive, died));
    }
    let claimed = decisive.claim.limit.clone()?;
    let known = |product, setting: &str| case.knowledge.limit(product, setting).cloned();
    // Where it has no limit of its own, mod_wsgi waits for its daemons as long as Apache does for anybody.
    let apaches = || (claimed.setting == "socket-timeout").then(|| known(&Product::APACHE, "Timeout")).flatten();
    let known = known(&Product::MOD_WSGI, &claimed.setting).or_else(apaches);
    let elapsed = case.all(Kind::GatewayRequest).find_map(|one| one.claim.elapsed_ms);
    let is_guess = decisive.claim.outcome_confidence.is_some();
    let reached = known.as_ref().and_then(|limit| limit.value_ms).zip(elapsed).map(|(value, elapsed)| elapsed >= value);
    let confidence = match (is_guess, reached) {
        (false, _) => Confidence::Certain,
        (true, Some(true)) => Confidence::Likely,
        (true, _) => Confidence::Possible,
    };
    let boot = decisive.claim.outcome == Some(ClaimedOutcome::BootTimeout);
    let outcome = if boot { Outcome::InitTimeout } else { Outcome::Timeout };
    let mut firing = Firing::new(outcome, IncidentState::Confirmed, confidence);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::AppServer);
    firing.product = known.as_ref().map(|limit| limit.product.clone()).or(Some(Product::MOD_WSGI));
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
