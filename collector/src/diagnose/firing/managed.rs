//! What platforms that run code for others say of a request: their own lines are the verdict, and name the limit.
//!
//! Heroku, Google, Azure, Vercel, Cloudflare and Fly differ in their words, which their parsers read, and in what goes on
//! after a limit has fired, which their files beside this one tell.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, Layer, Limit, Millis, Outcome, Product, Reason};

use super::Firing;
use super::proxy::WAITED_MIN;
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};
use crate::documented;

/// A platform, as its lines name it.
pub(super) struct Platform {
    /// The names under which its lines come.
    pub names: &'static [&'static str],
    /// The product that its limits belong to.
    pub product: &'static str,
    /// The layer that acts when no limit says so.
    pub layer: Layer,
    /// What would show the verdict to be wrong.
    pub refuted_by: &'static str,
}

/// What the platform did, by the first of its lines that tells of an end.
pub(super) fn fired(case: &Case<'_>, platform: &Platform) -> Option<Firing> {
    let is_its = |one: &&Evidence| one.claim.platform.as_ref().is_some_and(|product| platform.names.contains(&product.as_str()));
    let told: Vec<&Evidence> =
        case.own.iter().copied().filter(is_its).filter(|one| one.claim.outcome.is_some_and(|outcome| ended(outcome).is_some())).collect();
    // A limit that fired explains the process that died of it; a caller that left is said last.
    let weight = |one: &&&Evidence| match one.claim.outcome {
        Some(ClaimedOutcome::Crash) => 1,
        Some(ClaimedOutcome::ClientClosed) => 2,
        _ => 0,
    };
    let decisive = *told.iter().min_by_key(weight)?;
    let claimed = decisive.claim.outcome?;
    // Clients that close a page at once are no incident.
    if claimed == ClaimedOutcome::ClientClosed && decisive.claim.elapsed_ms.is_some_and(|waited| waited < WAITED_MIN) {
        return None;
    }
    let same: Vec<&Evidence> = told.iter().copied().filter(|one| one.claim.outcome == Some(claimed)).collect();
    let inferred = same.iter().all(|one| one.claim.outcome_confidence == Some(Confidence::Likely));
    let confidence = if inferred { Confidence::Likely } else { Confidence::Certain };
    let mut firing = Firing::new(ended(claimed)?, IncidentState::Confirmed, confidence);
    firing.at = decisive.claim.observed_at.or_else(|| case.ended_at());
    // Who left is the caller; the platform only tells of it.
    firing.product = (claimed != ClaimedOutcome::ClientClosed).then(|| Product::from(platform.product));
    let limits = || told.iter().filter_map(|one| one.claim.limit.as_ref());
    firing.limit = limits().find(|limit| limit.value_ms.is_some()).or_else(|| limits().next()).cloned();
    if let Some(limit) = firing.limit.as_mut().filter(|limit| limit.value_ms.is_none())
        && let Some(known) = case.stated_limit(&limit.product, &limit.setting).cloned().or_else(|| fixed(limit, case.elapsed()))
    {
        *limit = known;
    }
    if matches!(claimed, ClaimedOutcome::Crash | ClaimedOutcome::OutOfMemory | ClaimedOutcome::ClientClosed) {
        firing.limit = None;
    }
    firing.layer = Some(match claimed {
        ClaimedOutcome::ClientClosed => Layer::Client,
        // Whatever runs the code, it is the router in front that connects to it.
        ClaimedOutcome::ConnectTimeout => Layer::Router,
        _ => platform.layer,
    });
    let who = Product::from(platform.product);
    let text = if inferred { format!("what {} says fits nothing else", who.title()) } else { format!("{} says so", who.title()) };
    firing.reasons.push(Reason { text, evidence: cite_all(same) });
    firing.refuted_by = platform.refuted_by.into();
    Some(firing)
}

/// The value of a limit that cannot be set, unless less time than that had passed.
fn fixed(limit: &Limit, elapsed: Option<Millis>) -> Option<Limit> {
    let known = documented::limit(limit.product.as_str(), &limit.setting).filter(|known| known.is_fixed())?.as_default()?;
    elapsed.zip(known.value_ms).is_none_or(|(elapsed, value)| elapsed >= value).then_some(known)
}

/// What an end is called in an incident; `None` for ends that are nobody's overrun.
fn ended(claimed: ClaimedOutcome) -> Option<Outcome> {
    use ClaimedOutcome as C;
    match claimed {
        C::Timeout | C::UpstreamTimeout | C::ConnectTimeout | C::IdleTimeout | C::CpuLimit => Some(Outcome::Timeout),
        C::InitTimeout | C::BootTimeout => Some(Outcome::InitTimeout),
        C::ExitTimeout => Some(Outcome::DroppedAtShutdown),
        C::GatewayTimeout | C::ClientClosed | C::ClientIdleTimeout => Some(Outcome::CallerLeft),
        C::OutOfMemory => Some(Outcome::OutOfMemory),
        C::Crash | C::InitCrash => Some(Outcome::Crash),
        _ => None,
    }
}

/// The application's own account of a request that went on after the platform had given up.
pub(super) fn finished_later<'a>(case: &Case<'a>, names: &[&str], limit: Millis) -> Option<(&'a Evidence, Millis)> {
    let others = case.own.iter().copied().filter(|one| {
        one.claim.kind == Kind::Request
            && one.claim.outcome == Some(ClaimedOutcome::Success)
            && one.claim.platform.as_ref().is_none_or(|product| !names.contains(&product.as_str()))
    });
    others.filter_map(|one| Some((one, one.claim.elapsed_ms?))).find(|(_, elapsed)| *elapsed > limit)
}

/// Says that the request was finished, only too late for whoever waited.
pub(super) fn went_on(mut firing: Firing, later: Option<(&Evidence, Millis)>) -> Firing {
    if let (Some((later, elapsed)), Outcome::Timeout) = (later, firing.outcome) {
        firing.outcome = Outcome::CallerLeft;
        firing.went_on = true;
        firing.reasons.push(Reason { text: format!("the application finished it after {elapsed}"), evidence: vec![cite(later)] });
    }
    firing
}
