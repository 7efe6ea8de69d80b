//! Pre-fork servers: their lines name a process, not a request.

use domain::{Evidence, Key, Kind, Millis};
use jiff::Timestamp;

use super::set::{Set, in_order};
use super::{Case, Ending, WorkerEnd};

/// The ends of all workers that the server gave up on or that a signal ended.
pub fn ends<'a>(set: &Set<'a>) -> Vec<WorkerEnd<'a>> {
    let mut ends = Vec::new();
    for ((instance, pid), lines) in &set.workers {
        for (lines, life) in lives(lines).into_iter().zip(1..) {
            let booted_at = lines.iter().find(|one| one.claim.kind == Kind::WorkerBoot).and_then(|one| one.claim.observed_at);
            let Some((ending, decisive)) = ending(&lines) else { continue };
            let mut evidence = vec![decisive];
            evidence.extend(lines.iter().copied().filter(|one| tells_of_end(one) && !std::ptr::eq(*one, decisive)));
            let worker_class = worker_class(set, *instance);
            ends.push(WorkerEnd {
                instance: *instance,
                pid: *pid,
                life,
                ending,
                at: decisive.claim.observed_at,
                booted_at,
                stopping_at: None,
                evidence,
                worker_class,
            });
        }
    }
    ends
}

/// A process ID may be used again: each boot begins a life.
fn lives<'a>(lines: &[&'a Evidence]) -> Vec<Vec<&'a Evidence>> {
    let mut lines = lines.to_vec();
    in_order(&mut lines);
    let mut lives: Vec<Vec<&'a Evidence>> = vec![Vec::new()];
    for one in lines {
        let current = lives.last_mut().expect("there is always one");
        if one.claim.kind == Kind::WorkerBoot && !current.is_empty() {
            lives.push(vec![one]);
        } else {
            current.push(one);
        }
    }
    lives
}

/// What ended it: the server's own word before the signal that followed from it.
fn ending<'a>(lines: &[&'a Evidence]) -> Option<(Ending, &'a Evidence)> {
    let first = |kind| lines.iter().copied().find(|one| one.claim.kind == kind);
    if let Some(timeout) = first(Kind::WorkerTimeout) {
        return Some((Ending::TimedOut, timeout));
    }
    // SIGTERM, SIGINT and SIGQUIT are how workers are asked to leave.
    let killed = first(Kind::WorkerKilled).filter(|one| !matches!(one.claim.text("signal"), Some("SIGTERM" | "SIGINT" | "SIGQUIT")))?;
    Some((Ending::Killed, killed))
}

fn tells_of_end(evidence: &Evidence) -> bool {
    matches!(evidence.claim.kind, Kind::WorkerTimeout | Kind::WorkerKilled | Kind::WorkerExit | Kind::ProcessExit | Kind::RequestError)
}

/// The class of workers that the server's banner names.
pub fn worker_class<'a>(set: &Set<'a>, instance: Option<&domain::Instance>) -> Option<&'a str> {
    set.servers.get(&instance)?.iter().find_map(|one| one.claim.text("worker_class"))
}

/// Gives the end to the requests that the worker had in flight. False when none is known.
pub fn claim<'a>(end: &WorkerEnd<'a>, cases: &mut [Case<'a>]) -> bool {
    let serving: Vec<usize> = (0..cases.len()).filter(|index| was_in_flight(&cases[*index], end)).collect();
    for index in &serving {
        cases[*index].worker = Some(end.clone());
        cases[*index].in_flight = serving.len();
    }
    !serving.is_empty()
}

/// Whether the request was being served by that worker when it ended.
fn was_in_flight(case: &Case<'_>, end: &WorkerEnd<'_>) -> bool {
    let own: Vec<&Evidence> =
        case.own.iter().copied().filter(|one| one.claim.pid == Some(end.pid) && one.claim.instance.as_ref() == end.instance).collect();
    let Some(at) = end.at else { return false };
    if own.is_empty() || !matches!(case.subject, Key::Request(_)) || case.worker.is_some() {
        return false;
    }
    let closed = own.iter().find_map(|one| match one.claim.kind {
        Kind::WatchdogClosed => one.claim.observed_at,
        _ => None,
    });
    if closed.is_some_and(|closed| apart(closed, at) < -SAME_MOMENT_MS) {
        return false;
    }
    let access = own.iter().filter(|one| one.claim.kind == Kind::Request);
    let mut lines = access.peekable();
    if lines.peek().is_some() {
        return lines.any(|line| ended_by(line, at));
    }
    case.started_at().is_none_or(|start| {
        let running_ms = apart(at, start);
        // Longer than any request is let run; an older one has ended without our being told.
        (-SAME_MOMENT_MS..24 * 60 * 60 * 1000).contains(&running_ms)
    })
}

/// Server lines are stamped in whole seconds, and the worker writes its access line while it is being ended.
const SAME_MOMENT_MS: i64 = 1500;

/// An access line written at the moment of the end is that of the request cut off, unless it was an ordinary quick one:
/// a worker that answered within the last second was not stuck.
fn ended_by(line: &Evidence, at: Timestamp) -> bool {
    let Some(written) = line.claim.observed_at else { return false };
    let long = line.claim.elapsed_ms.is_some_and(|elapsed| elapsed >= Millis::from_ms(1000));
    let failed = line.claim.number("status") == Some(500.0);
    apart(written, at).abs() <= SAME_MOMENT_MS && (long || failed)
}

/// Milliseconds from `b` to `a`.
fn apart(a: Timestamp, b: Timestamp) -> i64 {
    a.as_millisecond() - b.as_millisecond()
}
