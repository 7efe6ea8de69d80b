//! Evidence of one group → cases: everything known about one attempt at one request, or about one worker's end. Pure.
//!
//! The result depends on the *set* of claims alone: order, repetition and batching of arrival change nothing. Nothing is
//! joined by guess: a claim belongs to a request because it carries its ID, because span parentage leads there, or because
//! its process served that request at that moment.

mod attempts;
mod case;
mod gateways;
mod inits;
mod notices;
mod processes;
mod proxies;
mod servers;
mod set;
mod shutdown;
mod soft_limits;
mod traces;
mod workers;

pub use case::{Case, Ending, WorkerEnd, is_watchdog};
pub use processes::{learned, ran_at_least};
pub use proxies::is_proxys;

use std::path::Path;

use domain::{Evidence, Key, Limit, Product};
use jiff::Timestamp;

use set::Set;

/// What is known beside the evidence.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Limits read from configuration we were given.
    pub limits: Vec<Limit>,
}

impl Knowledge {
    /// The configured limit of that product and setting. `None` also where several processes have several values: nothing
    /// tells which of them wrote the log.
    #[must_use]
    pub fn limit(&self, product: &Product, setting: &str) -> Option<&Limit> {
        let fits = |limit: &&Limit| limit.product == *product && limit.setting == setting && limit.value_ms.is_some();
        // A command line outranks a configuration file.
        let (files, commands): (Vec<_>, Vec<_>) = self.limits.iter().filter(fits).partition(|limit| is_python_file(limit));
        let ranked = if commands.is_empty() { files } else { commands };
        let first = ranked.first()?;
        ranked.iter().all(|limit| limit.value_ms == first.value_ms).then_some(first)
    }
}

fn is_python_file(limit: &Limit) -> bool {
    let file = limit.place.as_deref().and_then(|place| place.split(':').next());
    file.is_some_and(|file| Path::new(file).extension().is_some_and(|extension| extension == "py"))
}

/// Turns a group of evidence into cases, in a stable order.
#[must_use]
pub fn cases<'a>(evidence: &'a [Evidence], knowledge: &'a Knowledge, as_of: Timestamp) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for set in Set::by_stack(evidence) {
        let mut requests = set.requests.clone();
        traces::join(&set, &mut requests);
        let in_front = gateways::join(&set, &mut requests);
        let mut proxied = proxies::join(&set, &mut requests);
        let mut attempts: Vec<Case<'a>> =
            requests.iter().flat_map(|(id, evidence)| attempts::split(set.stack, id, evidence, knowledge, as_of)).collect();
        soft_limits::split(&mut attempts);
        let orphans = inits::join(&set, &mut attempts);
        let unnamed = notices::join(&set.notices, &mut attempts);
        let servers = servers::of(&set);
        let told = processes::cases(&set.processes, &mut attempts, set.stack, knowledge, as_of);
        let mut ends = workers::ends(&set, &servers, knowledge);
        ends.extend(shutdown::ends(&set, &servers, knowledge, &ends));
        let served = workers::served(&attempts);
        let unclaimed: Vec<_> = ends.into_iter().filter(|end| !workers::claim(end, &served, &mut attempts)).collect();
        let unclaimed = proxies::claim(unclaimed, &mut attempts, &mut proxied, knowledge);
        cases.extend(attempts);
        cases.extend(told);
        let seen = |seen: proxies::Seen<'a>| Case { own: seen.lines, ..Case::of_worker(set.stack, seen.end, knowledge, as_of) };
        cases.extend(unclaimed.into_iter().map(seen));
        cases.extend(proxied.into_iter().map(|own| Case::new(set.stack, Key::Loose(own[0].claim.id()), own, knowledge, as_of)));
        cases.extend(orphans.into_iter().map(|(instance, own)| Case::new(set.stack, Key::Instance(instance), own, knowledge, as_of)));
        cases.extend(gateways::cases(in_front, set.stack, knowledge, as_of));
        cases.extend(set.loose.iter().chain(&unnamed).map(|one| Case::new(set.stack, one.claim.key(), vec![one], knowledge, as_of)));
    }
    cases
}
