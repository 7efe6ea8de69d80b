//! `worker_starved`: the worker could not serve this request, through no fault of its own.
//!
//! Looks at: a worker that was given up on although this request had not run for as long as the limit; a class of workers
//! whose heartbeat another thread stopped by holding the interpreter; a server that began a request long after its proxy had.
//! Conclusive where the times are stated. Looks the same: clocks of proxy and server that are apart.
//! What to change: what holds the worker, found in the request that held it; or more workers.

use domain::{Claim, Confidence, Evidence, Kind, Layer, Millis, Outcome, RequestId};

use jiff::Timestamp;

use super::Recognised;
use super::calls::{Calls, SHARE_MIN};
use crate::correlate::{Blame, Case, Ending, is_proxys, is_watchdog};
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// The arbiter looks once a second, and lines are stamped in whole seconds.
const SLACK: Millis = Millis::from_ms(2000);
/// Two clocks of one machine, and the sending of a request.
const GAP_MIN: Millis = Millis::from_ms(1000);

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    let found = match firing.outcome {
        Outcome::Timeout => held_by_another(case, firing).or_else(|| interpreter_held(case)).or_else(|| taken_late(case, firing)),
        Outcome::CallerLeft => taken_late(case, firing),
        _ => None,
    }?;
    Some(Recognised { hidden_by_more_time: Some("what holds the worker"), ..found })
}

/// The worker's heartbeat had stopped before this request could have stopped it.
fn held_by_another(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let end = case.worker.as_ref().filter(|end| end.ending == Ending::TimedOut)?;
    let advice = "Look at the request that held the worker. Run requests that block in processes of their own (sync workers), or keep them from blocking; more workers lessen how many one takes with it.";
    let explained = |found: Recognised, why: String| Some(found.change(plain("free_worker", advice)).says(why));
    if let Blame::Collateral { of, how } = &case.blame {
        let name = of.map_or_else(|| "another request".to_owned(), |id: &RequestId| format!("request {id}"));
        let text = format!("{name} held the worker, and this one ended with it: {how}");
        return explained(Recognised::new(Confidence::Likely).because(text, Vec::new()), format!("{name} had stopped the worker"));
    }
    let limit = firing.limit.as_ref().and_then(|limit| limit.value_ms)?;
    // Only an event of the request's own tells when it began: a line about the worker does not.
    let own = case.own.iter().copied().filter(|one| one.claim.pid == Some(end.pid));
    let (began, at) = own.filter_map(|one| Some((one, began_at(&one.claim)?))).min_by_key(|(_, at)| *at)?;
    let ran = Millis::between(at, end.at?);
    if ran.plus(SLACK) >= limit {
        return None;
    }
    let text = format!(
        "it had run for {ran} when the worker was given up on, whose heartbeat had been silent for {limit}: something else had stopped it"
    );
    explained(Recognised::new(Confidence::Likely).because(text, vec![cite(began)]), "something else had stopped the worker".to_owned())
}

/// When a request began, as a line or event about it says or implies.
fn began_at(claim: &Claim) -> Option<Timestamp> {
    claim.started_at.or_else(|| Some(claim.elapsed_ms?.before(claim.observed_at?)))
}

/// Threads do not stop the heartbeat of a gthread worker, however slow: only one that holds the interpreter does.
fn interpreter_held(case: &Case<'_>) -> Option<Recognised> {
    let end = case.worker.as_ref().filter(|end| end.ending == Ending::TimedOut)?;
    // That of a Puma process also stops with the process, as on a machine that swaps.
    let (server, confidence) = match end.worker_class {
        Some("gthread") => ("gthread", Confidence::Likely),
        _ if end.evidence.first().is_some_and(|one| one.claim.format == "puma") => ("Puma", Confidence::Possible),
        _ => return None,
    };
    let text = format!(
        "this worker's heartbeat (`{server}`) runs beside its requests: a slow request never stops it, only a thread that holds the interpreter in native code"
    );
    let advice = "Find native code that holds the interpreter (a C extension, a large regular expression or serialisation), and run it in a process of its own. `faulthandler` or py-spy on a stuck worker shows it.";
    let evidence = end.evidence.first().map(|one| cite(one)).into_iter().collect();
    let found = Recognised::new(confidence).because(text, evidence).change(plain("free_worker", advice));
    Some(found.says("a thread held the interpreter"))
}

/// The proxy had the request for most of the time before a worker took it.
fn taken_late(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    // A server's own limit counts from when it took the request.
    firing.layer.filter(|layer| *layer < Layer::Platform)?;
    let accepted = case.own.iter().copied().filter(|one| is_proxys(&one.claim) && one.claim.kind == Kind::GatewayRequest);
    let (front, from) = accepted.filter_map(|one| Some((one, one.claim.started_at?))).min_by_key(|(_, from)| *from)?;
    let tells = |kind| kind == Kind::Request || is_watchdog(kind) && kind != Kind::WatchdogTracepoint;
    let served = |one: &&Evidence| tells(one.claim.kind) && !is_proxys(&one.claim) && case.is_of_request(one);
    let began = case.own.iter().copied().filter(served).filter_map(|one| Some((one, began_at(&one.claim)?)));
    let (worker, taken) = began.min_by_key(|(_, at)| *at)?;
    let waited = Millis::between(from, taken);
    let whole = firing.at.map_or_else(|| front.claim.elapsed_ms.unwrap_or(waited), |at| Millis::between(from, at).max(waited));
    if waited < GAP_MIN || waited.as_ms_f64() < whole.as_ms_f64() * SHARE_MIN {
        return None;
    }
    let text =
        format!("the proxy had it for {waited} before a worker began to serve it: all were busy, or their clocks are apart by as much");
    let advice = "Add workers or threads, or shorten what occupies them; a longer limit of the proxy only makes callers wait longer.";
    let found = Recognised { waited_ms: Some(waited), ..Recognised::new(Confidence::Likely) };
    let found = found.because(text, vec![cite(front), cite(worker)]).change(plain("add_capacity", advice));
    Some(found.says(format!("it waited {waited} for a worker")))
}
