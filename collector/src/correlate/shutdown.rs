//! Workers that were still busy when the server stopped: gunicorn prints little or nothing about them, so silence is the sign.

use std::collections::BTreeSet;

use domain::{Evidence, Instance, Kind, Millis, Product};
use jiff::Timestamp;

use super::servers::{STAMP, Server, running};
use super::set::Set;
use super::workers::{lives, worker_class};
use super::{Ending, Knowledge, WorkerEnd};

/// The ends of workers that did not leave by themselves between the order to stop and the stop. Those whose end is `told`
/// already are none of them.
pub fn ends<'a>(set: &Set<'a>, servers: &[Server<'a>], knowledge: &Knowledge, told: &[WorkerEnd<'a>]) -> Vec<WorkerEnd<'a>> {
    let grace = knowledge.limit(&Product::GUNICORN, "--graceful-timeout").and_then(|limit| limit.value_ms);
    let told: BTreeSet<_> = told.iter().map(|end| (end.instance, end.pid, end.life)).collect();
    let is_told = |end: &WorkerEnd<'a>| told.contains(&(end.instance, end.pid, end.life));
    servers.iter().filter_map(Stop::of).flat_map(|stop| stop.ends(set, servers, grace)).filter(|end| !is_told(end)).collect()
}

/// A server's stop, from the order to the end.
struct Stop<'s, 'a> {
    server: &'s Server<'a>,
    stopping: &'a Evidence,
    stopping_at: Timestamp,
    stopped: &'a Evidence,
    stopped_at: Timestamp,
}

/// A worker of the server that stops.
struct Worker<'a> {
    pid: u32,
    life: u32,
    booted_at: Timestamp,
    /// The line that tells of its end.
    left: Option<(&'a Evidence, Timestamp)>,
    /// The last line of any kind about it.
    last_at: Timestamp,
}

impl<'s, 'a> Stop<'s, 'a> {
    fn of(server: &'s Server<'a>) -> Option<Self> {
        let ((stopping, stopping_at), (stopped, stopped_at)) = (server.stopping?, server.stopped?);
        Some(Self { server, stopping, stopping_at, stopped, stopped_at })
    }

    fn ends(&self, set: &Set<'a>, servers: &[Server<'a>], grace: Option<Millis>) -> Vec<WorkerEnd<'a>> {
        let workers = self.workers(set, servers);
        let busy: Vec<&Worker<'a>> = workers.iter().filter(|worker| worker.left.is_none() && self.is_gone(worker)).collect();
        let waited = self.waited_for(&workers, grace) && busy.len() > vanished(&workers, self.stopping_at);
        let ending = |worker: &Worker<'a>| match worker.left {
            None => (waited && self.is_gone(worker)).then_some(Ending::Dropped),
            Some((line, at)) if is_sigkill(line) => self.server.ends_grace_at(at, grace).then_some(Ending::Dropped),
            // Only a known period can tell that somebody left when it was over.
            Some((line, at)) => {
                let late = at <= STAMP.after(self.stopped_at) && grace.is_some_and(|grace| Millis::between(self.stopping_at, at) >= grace);
                (line.claim.kind == Kind::WorkerExit && late).then_some(Ending::LeftLate)
            }
        };
        workers.iter().filter_map(|worker| Some(self.end(set, worker, ending(worker)?))).collect()
    }

    /// The server's workers, each with its last life before the stop.
    fn workers(&self, set: &Set<'a>, servers: &[Server<'a>]) -> Vec<Worker<'a>> {
        let of_instance = set.workers.iter().filter(|((instance, _), _)| *instance == self.server.instance);
        let worker = |((instance, pid), lines): (&(Option<&'a Instance>, u32), &Vec<&'a Evidence>)| {
            let lives = lives(lines).into_iter().zip(1..).filter_map(|(life, number)| {
                let booted_at = life.iter().find(|one| one.claim.kind == Kind::WorkerBoot)?.claim.observed_at?;
                (booted_at <= self.stopping_at).then_some((life, number, booted_at))
            });
            let (life, number, booted_at) = lives.last()?;
            let own = running(servers, *instance, booted_at).is_some_and(|server| std::ptr::eq(server, self.server));
            // Who had been given up on before is told of as that. Else the signal that ends the grace period says more than the
            // worker's own leave-taking at that moment.
            let first = |tells: fn(&Evidence) -> bool| life.iter().copied().find(|one| tells(one));
            let told = first(|one| one.claim.kind == Kind::WorkerTimeout).or_else(|| first(is_sigkill)).or_else(|| first(leaves));
            let left = told.and_then(|one| Some((one, one.claim.observed_at?)));
            let last_at = life.iter().filter_map(|one| one.claim.at()).max().unwrap_or(booted_at);
            own.then_some(Worker { pid: *pid, life: number, booted_at, left, last_at })
        };
        of_instance.filter_map(worker).collect()
    }

    /// Nothing was heard of it after the stop: it was no other server's.
    fn is_gone(&self, worker: &Worker<'_>) -> bool {
        worker.last_at <= STAMP.after(self.stopped_at)
    }

    /// Whether the server can have waited for a worker that did not leave.
    fn waited_for(&self, workers: &[Worker<'_>], grace: Option<Millis>) -> bool {
        let waited = Millis::between(self.stopping_at, self.stopped_at);
        // Of lines stamped in whole seconds, two that are a second apart prove no wait at all.
        let stamped = [self.stopping_at, self.stopped_at].iter().all(|at| at.subsec_nanosecond() == 0);
        let shortest = if stamped { Millis::from_ms(2000) } else { Millis::from_ms(1000) };
        let explained =
            |worker: &Worker<'_>| worker.left.is_some_and(|(_, at)| Millis::between(at, self.stopped_at) <= STAMP && at > self.stopping_at);
        match grace {
            Some(grace) => waited >= shortest && waited.plus(STAMP) >= grace,
            // It stopped because its last worker had left.
            None => waited >= shortest && !workers.iter().any(explained),
        }
    }

    fn end(&self, set: &Set<'a>, worker: &Worker<'a>, ending: Ending) -> WorkerEnd<'a> {
        WorkerEnd {
            instance: self.server.instance,
            pid: worker.pid,
            life: worker.life,
            ending,
            at: Some(self.stopped_at),
            booted_at: Some(worker.booted_at),
            stopping_at: Some(self.stopping_at),
            evidence: [Some(self.stopping), worker.left.map(|(line, _)| line), Some(self.stopped)].into_iter().flatten().collect(),
            worker_class: worker_class(set, self.server.instance),
            has_served: false,
            is_server_known: true,
            reaches_back: true,
        }
    }
}

/// How many workers had died without a word before the stop: those that are more than the server keeps. Up to 20.0.4 a
/// killed worker leaves no line, later ones leave none when they end themselves with code 0; each is replaced.
fn vanished(workers: &[Worker<'_>], stopping_at: Timestamp) -> usize {
    let mut boots: Vec<Timestamp> = workers.iter().map(|worker| worker.booted_at).collect();
    boots.sort();
    // The server's first workers come up one right after the other.
    let apart = |pair: &&[Timestamp]| Millis::between(pair[0], pair[1]) > STAMP;
    let Some(first_burst) = boots.first().map(|first| boots.windows(2).find(apart).map_or(*boots.last().unwrap_or(first), |pair| pair[0]))
    else {
        return 0;
    };
    let alive_at =
        |at: Timestamp| workers.iter().filter(|worker| worker.booted_at <= at && worker.left.is_none_or(|(_, left)| left > at)).count();
    alive_at(stopping_at).saturating_sub(alive_at(first_burst))
}

fn is_sigkill(evidence: &Evidence) -> bool {
    evidence.claim.kind == Kind::WorkerKilled && evidence.claim.text("signal") == Some("SIGKILL")
}

fn leaves(evidence: &Evidence) -> bool {
    matches!(evidence.claim.kind, Kind::WorkerExit | Kind::ProcessExit | Kind::WorkerKilled | Kind::WorkerTimeout | Kind::Fault)
}
