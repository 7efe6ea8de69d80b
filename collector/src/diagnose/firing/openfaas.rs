//! OpenFaaS: what its watchdogs and its gateway did, held against the clock.
//!
//! of-watchdog blames `exec_timeout` whatever ended a request. `context canceled` before it means that the caller left, or
//! that the body was not read in time; `context deadline exceeded` is a limit of of-watchdog's own, which the process's age and
//! the gateway's clock tell from an `X-Timeout` header. A 200 after `write_timeout` reached nobody.

mod gateway;
mod stop;

use domain::{Confidence, Evidence, IncidentState, Kind, Layer, Limit, Millis, Note, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::{Case, ran_at_least};
use crate::diagnose::{cite, cite_all};

/// Lines are stamped in whole seconds.
const STAMP: Millis = Millis::from_ms(1000);

/// What they did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let formats = ["of_watchdog", "classic_watchdog", "openfaas_gateway"];
    let decisive = case.own.iter().copied().find(|one| formats.contains(&one.claim.format.as_str()))?;
    if decisive.claim.format == "openfaas_gateway" {
        return gateway::fired(case, decisive);
    }
    let firing = match decisive.claim.kind {
        Kind::TimeoutNotice if decisive.claim.text("error") == Some("context canceled") => caller_left(case, decisive),
        Kind::TimeoutNotice => timed_out(case, decisive),
        Kind::WorkerKilled => killed(case, decisive),
        Kind::RequestError => stop::function_died(case, decisive)?,
        Kind::ServerStopping => stop::drained(case, decisive)?,
        Kind::Request => answered_late(case, decisive)?,
        _ => return None,
    };
    Some(Firing { at: decisive.claim.observed_at, ..firing })
}

fn product(decisive: &Evidence) -> Product {
    decisive.claim.platform.clone().unwrap_or_else(|| Product::from("of_watchdog"))
}

/// A limit of the watchdog's; the second line of a pair may stand by itself.
fn limit(case: &Case<'_>, decisive: &Evidence, setting: &str) -> Limit {
    let claimed = || case.own.iter().find_map(|one| one.claim.limit.clone()).filter(|limit| limit.setting == setting);
    known::limit(case, claimed().unwrap_or_else(|| known::unnamed(Layer::FunctionWatchdog, &product(decisive), setting)))
}

fn base(decisive: &Evidence, outcome: Outcome, confidence: Confidence) -> Firing {
    let mut firing = Firing::new(outcome, IncidentState::Confirmed, confidence);
    firing.layer = Some(Layer::FunctionWatchdog);
    firing.product = Some(product(decisive));
    firing
}

/// The second line blames `exec_timeout`, though what is in the first ended it.
fn blamed<'a>(case: &Case<'a>) -> Option<&'a Evidence> {
    let blames = |one: &&Evidence| one.claim.raw.contains("killed due to exec_timeout");
    case.own.iter().copied().find(blames)
}

/// How long the request can have run: what the gateway measured, else at most the age of the process.
fn ran_at_most(case: &Case<'_>, decisive: &Evidence) -> Option<(Millis, &'static str)> {
    let measured = case.own.iter().find(|one| one.claim.kind == Kind::GatewayRequest).and_then(|one| one.claim.elapsed_ms);
    if let Some(elapsed) = measured {
        return Some((elapsed, "the gateway measured"));
    }
    let starts = case.server.iter().filter(|one| one.claim.kind == Kind::ServerStart).filter_map(|one| one.claim.observed_at);
    Some((Millis::between(starts.min()?, decisive.claim.observed_at?).plus(STAMP), "the process was not older than"))
}

fn timed_out(case: &Case<'_>, decisive: &Evidence) -> Firing {
    let limit = limit(case, decisive, "exec_timeout");
    let could_be_header = decisive.claim.text("error") == Some("context deadline exceeded");
    let ran = ran_at_most(case, decisive);
    if could_be_header
        && let Some((value, (most, how))) = limit.value_ms.zip(ran)
        && most.plus(STAMP) < value
    {
        let mut firing = base(decisive, Outcome::Timeout, Confidence::Likely);
        firing.limit = Some(known::unnamed(Layer::FunctionWatchdog, &product(decisive), "X-Timeout"));
        let text = "a deadline of of-watchdog's own passed: the one that the request's `X-Timeout` header asked for is the only other";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
        let text = format!("exec_timeout ({value}) cannot have elapsed: {how} {most}");
        firing.contradicted.push(Note { text, evidence: cite_all(blamed(case)) });
        firing.refuted_by = "a request that had begun before this process did".into();
        return firing;
    }
    let half = decisive.claim.format == "of_watchdog" && decisive.claim.text("error").is_none();
    let measured = ran.filter(|(_, how)| how.starts_with("the gateway")).zip(limit.value_ms).is_some_and(|((ran, _), value)| ran >= value);
    let confidence = match (half, could_be_header && !measured) {
        (true, _) => Confidence::Possible,
        (false, true) => Confidence::Likely,
        (false, false) => Confidence::Certain,
    };
    let mut firing = base(decisive, Outcome::Timeout, confidence);
    let text = match (half, could_be_header) {
        (true, _) => {
            "of-watchdog blames exec_timeout, but it does so for callers who leave as well: the line before, which would tell, is not there"
        }
        (false, true) => "a deadline of of-watchdog's own passed, and not its caller's",
        (false, false) => "the watchdog says so: it ended the process that it had started for the request",
    };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: cite_all(case.own.iter().copied()) });
    if could_be_header {
        let text = "the function is not stopped by this: its later lines are those of a request that nobody waits for";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    firing.refuted_by = "an answer of this request, or a shorter `X-Timeout` header".into();
    firing.limit = Some(limit);
    firing
}

/// `context canceled`.
fn caller_left(case: &Case<'_>, decisive: &Evidence) -> Firing {
    let has_body = matches!(decisive.claim.text("method"), Some("POST" | "PUT" | "PATCH"));
    let confidence = if has_body { Confidence::Possible } else { Confidence::Likely };
    let mut firing = Firing { layer: Some(Layer::Client), ..Firing::new(Outcome::CallerLeft, IncidentState::Confirmed, confidence) };
    let text = "`context canceled`: whoever called closed the connection before the function had answered";
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
    if has_body {
        let text = "where `http_buffer_req_body` is on, a body that was not read within `read_timeout` looks the same";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    if let Some(blamed) = blamed(case) {
        let text = "exec_timeout did not fire: of-watchdog names it whenever a request is cancelled";
        firing.contradicted.push(Note { text: text.to_owned(), evidence: vec![cite(blamed)] });
    }
    firing.refuted_by = "a caller that still waited at that moment".into();
    firing
}

/// `signal: killed`: of a process that was started for one request.
fn killed(case: &Case<'_>, decisive: &Evidence) -> Firing {
    let limit = limit(case, decisive, "exec_timeout");
    let request = case.own.iter().copied().find(|one| one.claim.kind == Kind::Request);
    let mut firing = match (request, limit.value_ms) {
        (Some(request), Some(value)) => {
            let mut firing = base(decisive, Outcome::Timeout, Confidence::Certain);
            let elapsed = request.claim.elapsed_ms.unwrap_or(value);
            let text = format!("the process that served it was killed after {elapsed}; the limit is {value}");
            firing.reasons.push(Reason { text, evidence: vec![cite(decisive), cite(request)] });
            if request.claim.number("status") == Some(200.0) {
                let text = "the log says 200, but the process was killed before it had answered";
                firing.contradicted.push(Note { text: text.to_owned(), evidence: vec![cite(request)] });
            }
            if elapsed.as_ms_f64() > value.as_ms_f64() * 1.5 {
                let text = "only the process itself is killed at the limit; a process that it had started kept the answer open for longer";
                firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(request)] });
            }
            firing
        }
        (_, None) => {
            let mut firing = base(decisive, Outcome::Timeout, Confidence::Possible);
            let text =
                "a process that served a request was killed; `exec_timeout` does that, full memory as well, and its value is not known";
            firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
            firing
        }
        (None, Some(value)) => {
            let mut firing = base(decisive, Outcome::Crash, Confidence::Possible);
            let text = format!(
                "a process that served a request was killed, and none had run for as long as exec_timeout ({value}): memory may have run out"
            );
            firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
            firing
        }
    };
    firing.refuted_by = "a kernel log that names the process as ended for memory".into();
    firing.limit = (firing.outcome == Outcome::Timeout).then_some(limit);
    firing
}

/// Answered after the time in which an answer may be written: Go notices only then, and the caller gets nothing.
fn answered_late(case: &Case<'_>, request: &Evidence) -> Option<Firing> {
    let limit = limit(case, request, "write_timeout");
    let value = limit.value_ms.filter(|value| *value > Millis::ZERO)?;
    let order = case.own.iter().copied().find(|one| one.claim.kind == Kind::ServerStopping);
    let (ran, how) = match (request.claim.elapsed_ms, order) {
        (Some(elapsed), _) => (elapsed, format!("it took {elapsed}")),
        (None, Some(order)) => {
            let ran = ran_at_least(request, order)?;
            (ran, format!("it was answered {ran} after new requests were refused"))
        }
        (None, None) => return None,
    };
    if ran < value {
        return None;
    }
    let mut firing = base(request, Outcome::Timeout, Confidence::Likely);
    let text = format!("{how}; after {value} an answer can no longer be written");
    firing.reasons.push(Reason { text, evidence: [request].into_iter().chain(order).map(cite).collect() });
    let text = "the log says that it was answered; its caller got an empty reply";
    firing.contradicted.push(Note { text: text.to_owned(), evidence: vec![cite(request)] });
    firing.refuted_by = "a caller who got this answer whole".into();
    firing.limit = Some(limit);
    Some(firing)
}
