//! Pre-fork servers: their lines name a process, not a request.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Evidence, Instance, Key, Kind, Millis, Product, RequestId};
use jiff::Timestamp;

use super::proxies::is_proxys;
use super::servers::Server;
use super::set::{Set, in_order};
use super::{Blame, Case, Ending, Knowledge, WorkerEnd};

/// The ends of all workers that the server gave up on, that a signal ended, or that ended themselves.
pub fn ends<'a>(set: &Set<'a>, servers: &[Server<'a>], knowledge: &Knowledge) -> Vec<WorkerEnd<'a>> {
    let grace = knowledge.limit(&Product::GUNICORN, "--graceful-timeout").and_then(|limit| limit.value_ms);
    let mut ends = Vec::new();
    for ((instance, pid), lines) in &set.workers {
        let there: Vec<&Server<'a>> = servers.iter().filter(|server| server.instance == *instance).collect();
        for (lines, life) in lives(lines).into_iter().zip(1..) {
            let booted_at = lines.iter().find(|one| one.claim.kind == Kind::WorkerBoot).and_then(|one| one.claim.observed_at);
            let Some((ending, decisive)) = ending(&lines, &there, grace) else { continue };
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
                has_served: lines.iter().any(|one| is_of_request(one) || one.claim.attributes.contains_key("has_started")),
                is_server_known: !there.is_empty(),
                reaches_back: reaches_back(set, *instance, &lines, decisive),
            });
        }
    }
    ends
}

/// A process ID may be used again: each boot begins a life.
pub fn lives<'a>(lines: &[&'a Evidence]) -> Vec<Vec<&'a Evidence>> {
    let mut ordered = lines.to_vec();
    in_order(&mut ordered);
    let mut found: Vec<Vec<&'a Evidence>> = vec![Vec::new()];
    for one in ordered {
        let current = found.last_mut().expect("there is always one");
        if one.claim.kind == Kind::WorkerBoot && !current.is_empty() {
            found.push(vec![one]);
        } else {
            current.push(one);
        }
    }
    found
}

/// A server says that it gives up on a worker at most so long before the worker ends: seen up to 3 s.
const WORD_BEFORE_END: Millis = Millis::from_ms(5000);
/// What stands for that in a log without times.
const LINES_BEFORE_END: u64 = 20;

/// Whether the lines of a server begin early enough before a worker's end to hold its own word about it: a log that was cut begins
/// with the consequences.
fn reaches_back(set: &Set<'_>, instance: Option<&Instance>, life: &[&Evidence], end: &Evidence) -> bool {
    let is_early = |one: &Evidence| match (one.claim.observed_at, end.claim.observed_at, &one.origin, &end.origin) {
        (Some(at), Some(ended_at), ..) => Millis::between(at, ended_at) >= WORD_BEFORE_END,
        (_, None, Some(at), Some(ended_at)) => at.file == ended_at.file && at.line + LINES_BEFORE_END <= ended_at.line,
        _ => false,
    };
    // A log that holds the server's start is whole from there on.
    let is_start = |one: &Evidence| one.claim.kind == Kind::ServerStart && one.claim.observed_at <= end.claim.observed_at;
    let of_workers = set.workers.iter().filter(|((place, _), _)| *place == instance).flat_map(|(_, lines)| lines);
    let of_server = set.servers.get(&instance).into_iter().flatten();
    let is_same = |one: &&&Evidence| one.claim.format == end.claim.format;
    life.iter().any(|one| one.claim.kind == Kind::WorkerBoot)
        || of_workers.chain(of_server).filter(is_same).any(|one| is_early(one) || is_start(one))
}

/// What ended it: the server's own word before the signal that followed from it. What belongs to a stop is not told here.
fn ending<'a>(lines: &[&'a Evidence], servers: &[&Server<'_>], grace: Option<Millis>) -> Option<(Ending, &'a Evidence)> {
    let first = |kind| lines.iter().copied().find(|one| one.claim.kind == kind);
    if let Some(timeout) = first(Kind::WorkerTimeout) {
        return Some((Ending::TimedOut, timeout));
    }
    if let Some(cut_off) = lines.iter().copied().find(|one| one.claim.attributes.contains_key("told_to_quit")) {
        return Some((Ending::ToldToQuit, cut_off));
    }
    if let Some(fault) = first(Kind::Fault) {
        return Some((Ending::FailedToStart, fault));
    }
    if let Some(killed) = first(Kind::WorkerKilled) {
        let signal = killed.claim.text("signal");
        // SIGTERM, SIGINT and SIGQUIT are how workers are asked to leave; SIGKILL is how a stop ends.
        let asked = matches!(signal, Some("SIGTERM" | "SIGINT" | "SIGQUIT"));
        let at = killed.claim.observed_at;
        let stopped = signal == Some("SIGKILL") && at.is_some_and(|at| servers.iter().any(|server| server.ends_grace_at(at, grace)));
        return (!asked && !stopped).then_some((Ending::Killed, killed));
    }
    if let Some(killed) = first(Kind::OomKill) {
        return Some((Ending::Killed, killed));
    }
    let exit = lines.iter().copied().find(|one| one.claim.kind == Kind::ProcessExit && one.claim.number("exit_status") != Some(0.0))?;
    // uvicorn says the same of a worker that took its leave: `Finished server process` stands before it.
    if exit.claim.number("exit_status").is_none() && first(Kind::WorkerExit).is_some() {
        return None;
    }
    let ending = if is_boot_failure(exit) { Ending::FailedToStart } else { Ending::Exited };
    let stopping = exit.claim.observed_at.is_some_and(|at| servers.iter().any(|server| server.is_stopping_at(at)));
    (!stopping).then_some((ending, exit))
}

/// gunicorn's own exit codes for a worker that could not be started and an application that could not be loaded.
fn is_boot_failure(exit: &Evidence) -> bool {
    exit.claim.number("exit_status").is_some_and(|code| [3.0, 4.0].contains(&code))
}

fn tells_of_end(evidence: &Evidence) -> bool {
    matches!(
        evidence.claim.kind,
        Kind::WorkerTimeout | Kind::WorkerKilled | Kind::OomKill | Kind::WorkerExit | Kind::ProcessExit | Kind::RequestError | Kind::Fault
    ) || !evidence.claim.stacks.is_empty()
}

fn is_of_request(evidence: &Evidence) -> bool {
    matches!(evidence.claim.kind, Kind::Request | Kind::RequestError)
}

/// Whether one of the requests that name the process was served in that life of it.
pub fn has_served(end: &WorkerEnd<'_>, served: &Served<'_>, cases: &[Case<'_>]) -> bool {
    let in_its_life = |one: &&Evidence| {
        one.claim.pid == Some(end.pid)
            && is_of_request(one)
            && one.claim.observed_at.is_some_and(|at| end.booted_at.is_none_or(|booted| at >= booted) && end.at.is_none_or(|end| at <= end))
    };
    let known = served.get(&(end.instance, end.pid)).into_iter().flatten();
    end.has_served || known.flat_map(|index| &cases[*index].own).any(in_its_life)
}

/// The class of workers that the server's banner names.
pub fn worker_class<'a>(set: &Set<'a>, instance: Option<&Instance>) -> Option<&'a str> {
    set.servers.get(&instance)?.iter().find_map(|one| one.claim.text("worker_class"))
}

/// Which requests each process is known to have served, as indices into the cases.
pub type Served<'a> = BTreeMap<(Option<&'a Instance>, u32), BTreeSet<usize>>;

/// Which requests each process is known to have served.
pub fn served<'a>(cases: &[Case<'a>]) -> Served<'a> {
    let mut served = Served::new();
    for (index, case) in cases.iter().enumerate() {
        for one in &case.own {
            if let Some(pid) = one.claim.pid {
                served.entry((one.claim.instance.as_ref(), pid)).or_default().insert(index);
            }
        }
    }
    served
}

/// Gives the end to the requests that the worker had in flight. False when none is known.
pub fn claim<'a>(end: &WorkerEnd<'a>, served: &Served<'a>, cases: &mut [Case<'a>], knowledge: &Knowledge) -> bool {
    let known = served.get(&(end.instance, end.pid)).into_iter().flatten().copied();
    let serving: Vec<usize> = known.filter(|index| was_in_flight(&cases[*index], end)).collect();
    let blames = blames(end, &serving, cases, knowledge);
    let ids: Vec<Option<&'a RequestId>> = serving.iter().map(|index| cases[*index].request_id()).collect();
    for (at, (index, blame)) in serving.iter().zip(blames).enumerate() {
        let case = &mut cases[*index];
        case.worker = Some(end.clone());
        case.blame = blame;
        case.companions = ids.iter().enumerate().filter(|(other, _)| *other != at).filter_map(|(_, id)| *id).collect();
    }
    !serving.is_empty()
}

/// Which of the requests that ended with a worker held it: the one whose own thread its watchdog found blocked, else the only
/// one that had run for as long as the heartbeat was silent.
fn blames<'a>(end: &WorkerEnd<'a>, serving: &[usize], cases: &[Case<'a>], knowledge: &Knowledge) -> Vec<Blame<'a>> {
    if serving.len() < 2 || end.ending != Ending::TimedOut {
        return vec![Blame::Alone; serving.len()];
    }
    let only = |held: Vec<bool>| {
        let culprit = held.iter().position(|held| *held)?;
        (held.iter().filter(|held| **held).count() == 1).then_some(culprit)
    };
    let blocked = |index: &usize| {
        cases[*index].own.iter().any(|one| one.claim.stacks.iter().any(|stack| stack.serving && stack.blocked == Some(true)))
    };
    let limit = knowledge.limit(&Product::GUNICORN, "--timeout").and_then(|limit| limit.value_ms);
    let long_enough = |index: &usize| match (cases[*index].started_at(), end.at, limit) {
        (Some(start), Some(at), Some(limit)) => Millis::between(start, at).plus(Millis::from_ms(SAME_MOMENT_MS)) >= limit,
        _ => true,
    };
    let by_stack = only(serving.iter().map(blocked).collect()).map(|culprit| (culprit, "its own thread was found blocked"));
    let by_time = || {
        let culprit = only(serving.iter().map(long_enough).collect())?;
        Some((culprit, "no other had run for as long as the heartbeat was silent"))
    };
    let Some((culprit, how)) = by_stack.or_else(by_time) else { return vec![Blame::Undecided; serving.len()] };
    let of = cases[serving[culprit]].request_id();
    let blame = |at: usize| if at == culprit { Blame::Culprit { how } } else { Blame::Collateral { of, how } };
    (0..serving.len()).map(blame).collect()
}

/// Whether the request was being served by that worker when it ended.
fn was_in_flight(case: &Case<'_>, end: &WorkerEnd<'_>) -> bool {
    let own: Vec<&Evidence> = case
        .own
        .iter()
        .copied()
        .filter(|one| !is_proxys(&one.claim) && one.claim.pid == Some(end.pid) && one.claim.instance.as_ref() == end.instance)
        .collect();
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
    let mut access = own.iter().filter(|one| one.claim.kind == Kind::Request).peekable();
    if access.peek().is_some() {
        return access.any(|line| ended_by(line, end, at));
    }
    case.started_at().is_none_or(|start| {
        let running_ms = apart(at, start);
        // Longer than any request is let run; an older one has ended without our being told.
        (-SAME_MOMENT_MS..24 * 60 * 60 * 1000).contains(&running_ms)
    })
}

/// Server lines are stamped in whole seconds, and the worker writes its access line while it is being ended.
const SAME_MOMENT_MS: i64 = 1500;

/// An access line means that the request was answered, with one exception: while the arbiter's abort unwinds a sync worker,
/// the request cut off gets its line, a 500 from 22.0.0 on, before that what had been sent of a streamed answer. Never before
/// the arbiter's own line.
fn ended_by(line: &Evidence, end: &WorkerEnd<'_>, at: Timestamp) -> bool {
    let Some(written) = line.claim.observed_at else { return false };
    let after = apart(written, at);
    let failed = line.claim.number("status") == Some(500.0);
    let streamed = end.worker_class.is_none_or(|class| class == "sync")
        && line.claim.elapsed_ms.is_some_and(|elapsed| elapsed >= Millis::from_ms(1000));
    end.ending == Ending::TimedOut && (-STAMP_MS..=SAME_MOMENT_MS).contains(&after) && (failed || streamed)
}

/// What whole seconds in one of two lines may hide.
const STAMP_MS: i64 = 999;

/// Milliseconds from `b` to `a`.
fn apart(a: Timestamp, b: Timestamp) -> i64 {
    a.as_millisecond() - b.as_millisecond()
}
