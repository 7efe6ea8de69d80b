//! uWSGI, unicorn, Puma and php-fpm: servers that end a worker whose request takes too long. Their own word about it is conclusive:
//! no limit of a proxy or platform makes them do that. PHP's own limit ends a script and not its process.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, Layer, Limit, Millis, Note, Outcome, Product, Reason};

use super::gunicorn::begun_too_late;
use super::{Firing, known};
use crate::correlate::{Case, Ending, WorkerEnd, is_php_limit};
use crate::diagnose::{cite, cite_all};

/// What is particular to one server.
struct Server {
    product: &'static str,
    /// How far the time elapsed may be below the limit.
    early: Millis,
    /// How its clock works.
    clock: &'static str,
}

const SERVERS: [Server; 4] = [
    Server {
        product: "uwsgi",
        early: Millis::from_ms(2000),
        clock: "harakiri counts in whole seconds of wall-clock time, and may fire up to one early",
    },
    Server {
        product: "unicorn",
        early: Millis::from_ms(1000),
        clock: "the master looks about once a second, and counts from the worker's last sign of life",
    },
    Server {
        product: "puma",
        early: Millis::from_ms(5000),
        clock: "workers check in every 5 s, beside their requests; the limit counts from the last time",
    },
    Server { product: "php_fpm", early: Millis::from_ms(1000), clock: "the master looks about once a second" },
];

/// What they did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    if let Some(firing) = php(case) {
        return Some(firing);
    }
    let end = case.worker.as_ref()?;
    let product = end.evidence.first()?.claim.platform.clone()?;
    let server = SERVERS.iter().find(|server| server.product == product.as_str())?;
    let firing = match end.ending {
        Ending::TimedOut => timed_out(case, end, server),
        Ending::Killed | Ending::Exited => died(end),
        Ending::FailedToStart | Ending::ToldToQuit | Ending::Dropped | Ending::LeftLate => return None,
    };
    Some(Firing { at: end.at, layer: Some(Layer::AppServer), product: Some(product), ..firing })
}

fn timed_out(case: &Case<'_>, end: &WorkerEnd<'_>, server: &Server) -> Firing {
    let decisive = end.evidence[0];
    let named = decisive.claim.limit.clone();
    let limit: Option<Limit> = named.map(|named| known::limit(case, named));
    let outcome = if decisive.claim.outcome == Some(ClaimedOutcome::BootTimeout) { Outcome::InitTimeout } else { Outcome::Timeout };
    let mut firing = Firing::new(outcome, IncidentState::Confirmed, Confidence::Certain);
    let serving = decisive.claim.text("path").map_or(String::new(), |path| format!("; it was serving `{path}`"));
    let text = format!("the server says so: it ended the worker itself, which no proxy's or platform's limit makes it do{serving}");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    if let Some(value) = limit.as_ref().and_then(|limit| limit.value_ms) {
        firing.reasons.push(arithmetic(decisive, value, server));
    }
    for one in &end.evidence[1..] {
        let note = match one.claim.kind {
            Kind::Other => continue,
            Kind::WorkerTimeout => "tried again",
            _ => "the worker's end",
        };
        firing.consequences.push(Note { text: note.to_owned(), evidence: vec![cite(one)] });
    }
    if let Some(slow) = end.evidence.iter().copied().find(|one| !one.claim.stacks.is_empty()) {
        firing.reasons.extend(stood_in(slow));
    }
    firing.refuted_by = "an answer of this worker to that request".into();
    firing.limit = limit;
    firing
}

/// The time elapsed as far as the line tells, held against the limit.
fn arithmetic(decisive: &Evidence, value: Millis, server: &Server) -> Reason {
    let claim = &decisive.claim;
    let since = claim.started_at.zip(claim.observed_at).map(|(from, to)| Millis::between(from, to));
    let text = match claim.elapsed_ms.or_else(|| claim.millis("silent_for_ms")).or(since) {
        Some(elapsed) if elapsed.plus(server.early) >= value => format!("{elapsed} had passed, the limit is {value}: {}", server.clock),
        Some(elapsed) => format!("only {elapsed} had passed by the line's own times, the limit is {value}"),
        None => format!("the limit is {value}; no line says when the request began"),
    };
    Reason { text, evidence: vec![cite(decisive)] }
}

/// Where a slow log saw the script.
fn stood_in(slow: &Evidence) -> Option<Reason> {
    let frame = slow.claim.stacks.first()?.frames.last()?;
    let place = frame.file.as_deref().map_or(String::new(), |file| format!(" ({file}:{})", frame.line.unwrap_or_default()));
    Some(Reason { text: format!("the slow log saw it in `{}`{place}", frame.function), evidence: vec![cite(slow)] })
}

/// Ended by somebody else, or by itself.
fn died(end: &WorkerEnd<'_>) -> Firing {
    if let Some(firing) = for_memory(end) {
        return firing;
    }
    let decisive = end.evidence[0];
    let how = match (decisive.claim.text("signal"), decisive.claim.number("exit_status")) {
        (Some(signal), _) => format!("by {signal}"),
        (None, Some(code)) => format!("with code {code}"),
        (None, None) => "by itself".to_owned(),
    };
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Likely);
    let text = format!("the worker ended {how}, and the server had not given up on it before: no limit of its fired");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    begun_too_late(end, &mut firing);
    firing.refuted_by = "a line of the server that it ended this process itself, just before".into();
    firing
}

/// Ended by the server for its memory, as the server says.
fn for_memory(end: &WorkerEnd<'_>) -> Option<Firing> {
    let decisive = end
        .evidence
        .iter()
        .copied()
        .find(|one| one.claim.kind != Kind::OomKill && one.claim.outcome == Some(ClaimedOutcome::OutOfMemory))?;
    let setting = decisive.claim.text("memory_setting").unwrap_or("its limit on memory");
    let mut firing = Firing::new(Outcome::OutOfMemory, IncidentState::Confirmed, Confidence::Certain);
    let text = format!("the server says so: it ended the worker because its memory had passed `{setting}`; no limit on time fired");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    for one in end.evidence.iter().filter(|one| !std::ptr::eq(**one, decisive)) {
        firing.consequences.push(Note { text: "the worker's end".to_owned(), evidence: vec![cite(one)] });
    }
    firing.refuted_by = "a limit on memory that is higher than what the line says it used".into();
    Some(firing)
}

/// PHP's own `max_execution_time`: the line is its word, with the value, and php-fpm and the proxy may both pass it on.
fn php(case: &Case<'_>) -> Option<Firing> {
    let told: Vec<&Evidence> = case.own.iter().copied().filter(|one| is_php_limit(&one.claim)).collect();
    let decisive = *told.first()?;
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at;
    firing.layer = Some(Layer::Application);
    firing.product = Some(Product::from("php"));
    firing.limit = decisive.claim.limit.clone().map(|named| known::limit(case, named));
    let place = decisive.claim.text("message").map_or(String::new(), |place| format!(" in {place}"));
    let text = format!("PHP says so{place}; its limit counts processor time, so the script computed and did not wait");
    firing.reasons.push(Reason { text, evidence: cite_all(told) });
    firing.refuted_by = "an answer of this script other than 500".into();
    Some(firing)
}
