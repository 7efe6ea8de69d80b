//! Workers that were still busy when the server stopped: gunicorn prints nothing about them, so silence is the sign.

use domain::{Evidence, Instance, Kind, Millis, Product};
use jiff::Timestamp;

use super::set::Set;
use super::workers::worker_class;
use super::{Ending, Knowledge, WorkerEnd};

/// The ends of workers that did not leave by themselves between the order to stop and the stop.
pub fn ends<'a>(set: &Set<'a>, knowledge: &Knowledge) -> Vec<WorkerEnd<'a>> {
    let grace = knowledge.limit(&Product::GUNICORN, "--graceful-timeout").and_then(|limit| limit.value_ms);
    let mut ends = Vec::new();
    for stop in stops(set) {
        for ((instance, pid), lines) in &set.workers {
            if *instance != stop.instance {
                continue;
            }
            let Some(boot) = last(lines, Kind::WorkerBoot, stop.stopping_at) else { continue };
            let booted_at = boot.claim.observed_at;
            let left = lines.iter().copied().find(|one| leaves(one) && one.claim.observed_at >= booted_at);
            let ending = match left {
                None => Ending::Dropped,
                Some(exit) if is_late(exit, stop.stopping_at, grace) => Ending::LeftLate,
                Some(_) => continue,
            };
            let evidence = [Some(stop.stopping), left, Some(stop.stopped)].into_iter().flatten().collect();
            ends.push(WorkerEnd {
                instance: *instance,
                pid: *pid,
                life: lives_until(lines, stop.stopping_at),
                ending,
                at: stop.stopped.claim.observed_at,
                booted_at,
                stopping_at: Some(stop.stopping_at),
                evidence,
                worker_class: worker_class(set, *instance),
            });
        }
    }
    ends
}

/// A server's stop, from the order to the end.
struct Stop<'a> {
    instance: Option<&'a Instance>,
    stopping: &'a Evidence,
    stopping_at: Timestamp,
    stopped: &'a Evidence,
}

fn stops<'a>(set: &Set<'a>) -> Vec<Stop<'a>> {
    let of_server = |(instance, lines): (&Option<&'a Instance>, &Vec<&'a Evidence>)| {
        let stopped = lines.iter().copied().filter(|one| one.claim.kind == Kind::ServerStopped);
        let stop = |stopped: &'a Evidence| {
            // The order to stop that the same arbiter was given last.
            let own: Vec<_> = lines.iter().copied().filter(|one| one.claim.pid == stopped.claim.pid).collect();
            let stopping = last(&own, Kind::ServerStopping, stopped.claim.observed_at?)?;
            Some(Stop { instance: *instance, stopping, stopping_at: stopping.claim.observed_at?, stopped })
        };
        stopped.filter_map(stop).collect::<Vec<_>>()
    };
    set.servers.iter().flat_map(of_server).collect()
}

/// The last line of that kind not after `at`.
fn last<'a>(lines: &[&'a Evidence], kind: Kind, at: Timestamp) -> Option<&'a Evidence> {
    let before = lines.iter().copied().filter(|one| one.claim.kind == kind && one.claim.observed_at.is_some_and(|own| own <= at));
    before.max_by_key(|one| one.claim.observed_at)
}

/// Which life of the process ID it was.
fn lives_until(lines: &[&Evidence], at: Timestamp) -> u32 {
    let boots = lines.iter().filter(|one| one.claim.kind == Kind::WorkerBoot && one.claim.observed_at.is_some_and(|own| own <= at));
    u32::try_from(boots.count()).unwrap_or(u32::MAX).max(1)
}

fn leaves(evidence: &Evidence) -> bool {
    matches!(evidence.claim.kind, Kind::WorkerExit | Kind::ProcessExit | Kind::WorkerKilled | Kind::WorkerTimeout)
}

/// Left when the grace period was over, to the second that its lines are stamped in. Only a known period can tell.
fn is_late(exit: &Evidence, stopping_at: Timestamp, grace: Option<Millis>) -> bool {
    let (Some(grace), Some(left)) = (grace, exit.claim.observed_at) else { return false };
    exit.claim.kind == Kind::WorkerExit && Millis::between(stopping_at, left) >= grace
}
