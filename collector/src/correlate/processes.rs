//! Programs whose lines name neither a request nor a process: of-watchdog, the classic watchdog, OpenFaaS's gateway, uvicorn.
//!
//! What ties their lines is where they stood: one instance's log, else one file. Each end of a request that they tell of is a
//! case; beside it stands what the same program says of itself (banner, stop), which is what its words are held against.

mod celery;
mod knative;
mod openfaas;
mod others;
mod pools;

pub use openfaas::{learned, ran_at_least};
pub use pools::stand_beside;

use std::collections::BTreeMap;

use domain::{Claim, Evidence, Key, Kind, StackName};
use jiff::Timestamp;

use super::set::place;
use super::{Case, Knowledge};

/// Programs that write one log together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Both of OpenFaaS's watchdogs: they share banner and words of stopping.
    Watchdog,
    Gateway,
    Uvicorn,
    RackTimeout,
    Celery,
    PhpFpm,
    Puma,
    Knative,
}

/// The lines of each place, in the order in which they were written.
pub type Processes<'a> = BTreeMap<(Family, Option<&'a str>), Vec<&'a Evidence>>;

/// The family whose lines are tied by their place, if the claim is one of those.
pub fn family(claim: &Claim) -> Option<Family> {
    let family = match claim.format.as_str() {
        "of_watchdog" | "classic_watchdog" => Family::Watchdog,
        "openfaas_gateway" => Family::Gateway,
        // Its workers are named by their process IDs, as other servers' are.
        "uvicorn" if claim.pid.is_none() => Family::Uvicorn,
        "rack_timeout" => Family::RackTimeout,
        "celery" => Family::Celery,
        // A worker's end is found by its process ID; this is what does not end one.
        "php_fpm" if claim.kind == Kind::TimeoutNotice || pools::is_full(claim) => Family::PhpFpm,
        "puma" if claim.kind == Kind::TimeoutNotice => Family::Puma,
        "knative" if claim.kind == Kind::TimeoutNotice => Family::Knative,
        _ => return None,
    };
    claim.request_id.is_none().then_some(family)
}

/// Adds one line to those of its place.
pub fn add<'a>(processes: &mut Processes<'a>, family: Family, one: &'a Evidence) {
    processes.entry((family, place(one))).or_default().push(one);
}

/// The cases of all places, and to the requests among `cases` what their program says of itself.
pub fn cases<'a>(
    processes: &Processes<'a>,
    requests: &mut [Case<'a>],
    stack: &'a StackName,
    knowledge: &'a Knowledge,
    as_of: Timestamp,
) -> Vec<Case<'a>> {
    let ordered: Processes<'a> = processes.iter().map(|(key, lines)| (*key, in_log_order(lines))).collect();
    for case in requests.iter_mut() {
        let own = case.own.iter().find(|one| matches!(one.claim.format.as_str(), "of_watchdog" | "classic_watchdog"));
        let lines = own.and_then(|one| ordered.get(&(Family::Watchdog, place(one))));
        case.server.extend(lines.into_iter().flatten().filter(|one| one.claim.kind.is_of_server()));
    }
    let notices = knative::events(&ordered, requests);
    let celerys = ordered.iter().filter(|((family, _), _)| *family == Family::Celery);
    let lost: Vec<Event<'a>> = celerys.flat_map(|((_, at), lines)| celery::events(*at, lines, requests)).collect();
    let told =
        openfaas::events(&ordered, knowledge, as_of).into_iter().chain(others::events(&ordered, requests)).chain(notices).chain(lost);
    told.map(|event| event.case(stack, knowledge, as_of)).collect()
}

/// As the log has them: most stamps are whole seconds, so within one the order of lines decides.
fn in_log_order<'a>(lines: &[&'a Evidence]) -> Vec<&'a Evidence> {
    let mut lines = lines.to_vec();
    let mut last = None;
    lines.sort_by_key(|one| one.origin.clone());
    // A line without a time (a banner) belongs where it stands.
    let mut timed: Vec<_> = lines
        .into_iter()
        .map(|one| {
            last = one.claim.observed_at.or(last);
            (last, one)
        })
        .collect();
    timed.sort_by_key(|(at, one)| (*at, one.origin.clone()));
    timed.into_iter().map(|(_, one)| one).collect()
}

/// The end of one request, or of those that a stop cut off.
pub struct Event<'a> {
    /// What tells of it, the decisive line first.
    own: Vec<&'a Evidence>,
    /// What the program says of itself.
    server: Vec<&'a Evidence>,
}

impl<'a> Event<'a> {
    /// The case; told from others of its place by its decisive line, which does not change when more becomes known.
    fn case(self, stack: &'a StackName, knowledge: &'a Knowledge, as_of: Timestamp) -> Case<'a> {
        let decisive = &self.own[0].claim;
        let subject = decisive.key();
        let attempt = match subject {
            Key::Loose(_) => 1,
            _ => u32::from_str_radix(&decisive.id().to_hex()[..8], 16).unwrap_or(1),
        };
        Case { attempt, server: self.server, ..Case::new(stack, subject, self.own, knowledge, as_of) }
    }
}

#[cfg(test)]
mod tests;
