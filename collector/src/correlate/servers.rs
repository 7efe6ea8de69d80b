//! Runs of pre-fork servers: from the banner to the stop, each arbiter process by itself.
//!
//! No line says which arbiter a worker belongs to, so a worker is given to the server that ran when it came up, and to none
//! where two ran at once (`SIGUSR2` upgrades, two servers in one log).

use std::collections::BTreeMap;

use domain::{Evidence, Instance, Kind, Millis};
use jiff::Timestamp;

use super::set::{Set, in_order};

/// One run of a server.
pub struct Server<'a> {
    pub instance: Option<&'a Instance>,
    /// When it came up; `None` when the log begins later.
    pub started_at: Option<Timestamp>,
    /// The order to stop.
    pub stopping: Option<(&'a Evidence, Timestamp)>,
    /// The last line of the stop.
    pub stopped: Option<(&'a Evidence, Timestamp)>,
}

impl Server<'_> {
    /// Whether a signal at `at` is the end of the grace period: the server's own act. `grace` is the period, if known.
    pub fn ends_grace_at(&self, at: Timestamp, grace: Option<Millis>) -> bool {
        let Some((_, stopping_at)) = self.stopping else { return false };
        let since = Millis::between(stopping_at, at);
        let until_stopped = self.stopped.map(|(_, stopped_at)| Millis::between(at, stopped_at));
        let at_the_end = until_stopped.is_none_or(|rest| rest <= STAMP && rest >= Millis::ZERO.minus(STAMP));
        // 24.0.0 reaps what died long before only when it is told to stop; lines of one second prove no wait.
        since > STAMP && at_the_end && grace.is_none_or(|grace| since.plus(STAMP) >= grace)
    }

    /// Whether it was being stopped at that moment.
    pub fn is_stopping_at(&self, at: Timestamp) -> bool {
        let after = self.stopping.is_some_and(|(_, stopping_at)| at >= stopping_at);
        after && self.stopped.is_none_or(|(_, stopped_at)| Millis::between(stopped_at, at) <= STAMP)
    }

    fn runs_at(&self, at: Timestamp) -> bool {
        self.started_at.is_none_or(|start| start <= at) && self.stopped.is_none_or(|(_, stopped_at)| at <= stopped_at)
    }
}

/// What whole seconds in lines may hide.
pub const STAMP: Millis = Millis::from_ms(1000);

/// Every run of every server, in the order of instances, process IDs and time.
pub fn of<'a>(set: &Set<'a>) -> Vec<Server<'a>> {
    let mut servers: Vec<Server<'a>> = Vec::new();
    for (instance, lines) in &set.servers {
        let mut by_arbiter: BTreeMap<Option<u32>, Vec<&'a Evidence>> = BTreeMap::new();
        for one in lines {
            by_arbiter.entry(one.claim.pid).or_default().push(one);
        }
        servers.extend(by_arbiter.into_values().flat_map(|lines| runs(*instance, lines)));
    }
    servers
}

/// The runs of arbiters that had one process ID.
fn runs<'a>(instance: Option<&'a Instance>, mut lines: Vec<&'a Evidence>) -> Vec<Server<'a>> {
    in_order(&mut lines);
    let (mut runs, mut current) = (Vec::new(), None);
    for one in lines {
        let at = one.claim.observed_at;
        let banner = one.claim.kind == Kind::ServerStart && one.claim.text("version").is_some();
        if banner {
            runs.extend(current.take());
        }
        let server = current.get_or_insert(Server { instance, started_at: None, stopping: None, stopped: None });
        match one.claim.kind {
            Kind::ServerStart if banner => server.started_at = at,
            // A second order changes nothing: the first is being carried out.
            Kind::ServerStopping => server.stopping = server.stopping.or(at.map(|at| (one, at))),
            Kind::ServerStopped => {
                server.stopped = at.map(|at| (one, at));
                runs.extend(current.take());
            }
            _ => {}
        }
    }
    runs.extend(current);
    runs
}

/// The one server of that instance that ran at that moment.
pub fn running<'s, 'a>(servers: &'s [Server<'a>], instance: Option<&Instance>, at: Timestamp) -> Option<&'s Server<'a>> {
    let mut there = servers.iter().filter(|server| server.instance == instance && server.runs_at(at));
    there.next().filter(|_| there.next().is_none())
}
