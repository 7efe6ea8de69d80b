//! The set of evidence, sorted by what it is about.

use std::collections::BTreeMap;

use domain::{Evidence, Instance, Key, Kind, RequestId, StackName, TraceId};
use jiff::Timestamp;

use super::processes::{self, Processes};
use super::{gateways, notices, open_spans, proxies};

/// The evidence of one stack, each claim once, grouped by its narrowest key.
pub struct Set<'a> {
    pub stack: &'a StackName,
    pub requests: BTreeMap<&'a RequestId, Vec<&'a Evidence>>,
    pub traces: BTreeMap<&'a TraceId, Vec<&'a Evidence>>,
    pub workers: BTreeMap<(Option<&'a Instance>, u32), Vec<&'a Evidence>>,
    /// What servers say of themselves, by where they run.
    pub servers: BTreeMap<Option<&'a Instance>, Vec<&'a Evidence>>,
    /// What ties to nothing but the log it stood in, by program and log.
    pub processes: Processes<'a>,
    /// What proxies tell of requests that they do not name.
    pub proxies: Vec<&'a Evidence>,
    /// What gateways tell of requests that they do not name.
    pub gateways: Vec<&'a Evidence>,
    /// What a platform tells of an invocation that it does not name.
    pub notices: Vec<&'a Evidence>,
    pub instances: BTreeMap<&'a str, Vec<&'a Evidence>>,
    pub loose: Vec<&'a Evidence>,
}

impl<'a> Set<'a> {
    /// One set per stack, in the stacks' order.
    pub fn by_stack(evidence: &'a [Evidence]) -> Vec<Self> {
        let mut stacks: BTreeMap<&StackName, Vec<&Evidence>> = BTreeMap::new();
        for one in evidence {
            stacks.entry(&one.stack).or_default().push(one);
        }
        stacks.into_values().map(Self::of_stack).collect()
    }

    fn of_stack(mut all: Vec<&'a Evidence>) -> Self {
        // Of repeated claims one is kept, by where it stood, and the one that came first: what is sent again changes nothing.
        // Their moment comes first only because it tells most of them apart at once.
        all.sort_by_cached_key(|one| (one.claim.observed_at, &one.claim, &one.origin, one.received_at, &one.source));
        all.dedup_by(|a, b| a.claim.observed_at == b.claim.observed_at && a.claim == b.claim);
        open_spans::keep_last_words(&mut all);
        Self::of(&all)
    }

    fn of(evidence: &[&'a Evidence]) -> Self {
        let mut set = Self {
            stack: &evidence[0].stack,
            requests: BTreeMap::new(),
            traces: BTreeMap::new(),
            workers: BTreeMap::new(),
            servers: BTreeMap::new(),
            processes: BTreeMap::new(),
            proxies: Vec::new(),
            gateways: Vec::new(),
            notices: Vec::new(),
            instances: BTreeMap::new(),
            loose: Vec::new(),
        };
        // The kernel names a process: a worker's, where a server's lines tell of that one, else no more than the instance's.
        let mut killed = Vec::new();
        for one in evidence.iter().copied() {
            let claim = &one.claim;
            if claim.kind == Kind::OomKill && claim.pid.is_some() {
                killed.push(one);
                continue;
            }
            if let Some(family) = processes::family(claim) {
                processes::add(&mut set.processes, family, one);
                continue;
            }
            if claim.request_id.is_none() && proxies::is_proxys(claim) {
                set.proxies.push(one);
                continue;
            }
            if notices::is_notice(one) {
                set.notices.push(one);
                continue;
            }
            if gateways::is_unnamed(claim) {
                set.gateways.push(one);
                continue;
            }
            if claim.kind.is_of_server() {
                set.servers.entry(claim.instance.as_ref()).or_default().push(one);
                continue;
            }
            if let Some(id) = &claim.request_id {
                set.requests.entry(id).or_default().push(one);
                continue;
            }
            match claim.key() {
                Key::Request(_) | Key::Exchange { .. } | Key::Arrival { .. } => {
                    unreachable!("gateways and proxies name these, and theirs were taken out")
                }
                Key::Trace(_) => set.traces.entry(claim.trace_id.as_ref().expect("the key is it")).or_default().push(one),
                Key::Worker { pid, .. } => set.workers.entry((claim.instance.as_ref(), pid)).or_default().push(one),
                Key::Instance(_) => set.instances.entry(place(one).unwrap_or_default()).or_default().push(one),
                // A line of one environment's log that names nothing: the file it stood in is that log.
                Key::Loose(_) => match place(one) {
                    Some(place) if is_of_environment(one) => set.instances.entry(place).or_default().push(one),
                    _ => set.loose.push(one),
                },
            }
        }
        for one in killed {
            let worker = one.claim.pid.and_then(|pid| set.workers.get_mut(&(one.claim.instance.as_ref(), pid)));
            match worker {
                Some(worker) => worker.push(one),
                None => set.instances.entry(place(one).unwrap_or_default()).or_default().push(one),
            }
        }
        set
    }
}

/// The log a claim stood in: the instance it names, else the file it was read from.
pub fn place(evidence: &Evidence) -> Option<&str> {
    evidence.claim.instance.as_ref().map(Instance::as_str).or_else(|| evidence.origin.as_ref().map(|origin| origin.file.as_str()))
}

/// Whether it tells of an environment and not of a request.
fn is_of_environment(evidence: &Evidence) -> bool {
    use domain::Kind::{
        AppLog, Extension, InitReport, InitRuntimeDone, InitStart, OomKill, RestoreReport, RestoreRuntimeDone, RestoreStart, TimeoutNotice,
    };
    let kind = evidence.claim.kind;
    matches!(kind, InitStart | InitRuntimeDone | InitReport | RestoreStart | RestoreRuntimeDone | RestoreReport)
        || matches!(kind, Extension | OomKill | AppLog | TimeoutNotice)
}

/// Order in time as far as sources tell it: their time, within one moment the order in which such events happen, then
/// the place in a file. What has neither time nor place is a beginning, and before all else, or comes last.
pub fn in_order<'a>(evidence: &mut [&'a Evidence]) {
    let timed = evidence.iter().all(|one| one.claim.at().is_some());
    let lines = evidence.iter().all(|one| one.origin.is_some());
    if timed || !lines {
        let without = |one: &Evidence| if rank(one) == 0 { Timestamp::MIN } else { Timestamp::MAX };
        let place = |one: &&'a Evidence| (one.claim.at().unwrap_or_else(|| without(one)), rank(one), &one.origin);
        evidence.sort_by_cached_key(place);
    } else {
        evidence.sort_by(|a, b| a.origin.cmp(&b.origin));
    }
}

/// Events of one millisecond are delivered in any order; this is the one in which they happen.
fn rank(evidence: &Evidence) -> u8 {
    use domain::Kind;
    match evidence.claim.kind {
        Kind::InitStart | Kind::RestoreStart | Kind::ServerStart | Kind::WorkerBoot => 0,
        Kind::InitReport | Kind::RestoreReport => 1,
        Kind::InvocationStart | Kind::WatchdogArmed => 2,
        Kind::InvocationEnd | Kind::WatchdogClosed => 4,
        Kind::InvocationReport => 5,
        Kind::Fault => 6,
        _ => 3,
    }
}
