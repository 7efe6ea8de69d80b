//! Evidence of one group → cases: everything known about one attempt at one request, or about one worker's end. Pure.
//!
//! The result depends on the *set* of claims alone: order, repetition and batching of arrival change nothing. Nothing is
//! joined by guess: a claim belongs to a request because it carries its ID, because span parentage leads there, or because
//! its process served that request at that moment.

mod attempts;
mod case;
mod daemons;
mod deaths;
mod gateways;
mod inits;
mod notices;
mod open_spans;
mod php;
mod processes;
mod proxies;
mod servers;
mod set;
mod shutdown;
mod soft_limits;
mod traces;
mod workers;

pub use case::{Blame, Case, Ending, WorkerEnd, is_watchdog};
pub use open_spans::is_open;
pub use php::is_limit as is_php_limit;
pub use processes::{learned, ran_at_least};
pub use proxies::is_proxys;

use std::collections::BTreeMap;
use std::path::Path;

use domain::{Evidence, FunctionName, History, Key, Limit, Product};
use jiff::Timestamp;

use set::Set;

use crate::limits::{Part, Role};

/// What is known beside the evidence.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Limits read from configuration we were given, of programs that stand for themselves.
    pub limits: Vec<Limit>,
    /// Functions that configuration names, each with limits of its own.
    pub functions: Vec<ConfiguredFunction>,
    /// How long requests of a function took, where that is known from the same evidence.
    pub history: BTreeMap<FunctionName, History>,
}

/// A function as configuration names it.
#[derive(Clone, Debug, Default)]
pub struct ConfiguredFunction {
    /// What logs may call it; `*` stands for what the platform puts there.
    pub logged_as: Vec<String>,
    /// Its limits.
    pub limits: Vec<Limit>,
}

impl Knowledge {
    /// Adds what configuration states.
    pub fn learn(&mut self, parts: Vec<Part>) {
        for part in parts {
            if part.role == Role::Function && !part.logged_as.is_empty() {
                self.functions.push(ConfiguredFunction { logged_as: part.logged_as, limits: part.limits });
            } else {
                let new: Vec<Limit> = part.limits.into_iter().filter(|limit| !self.limits.contains(limit)).collect();
                self.limits.extend(new);
            }
        }
    }

    /// The limits that may hold for a request of that function: the programs' and its own. Where no source names the function,
    /// that of the only one there is.
    pub fn of<'k>(&'k self, function: Option<&'k FunctionName>) -> impl Iterator<Item = &'k Limit> {
        let is_it = move |known: &&ConfiguredFunction| match function {
            Some(name) => known.logged_as.iter().any(|pattern| fits(pattern, name.as_str())),
            None => self.functions.len() == 1,
        };
        self.limits.iter().chain(self.functions.iter().filter(is_it).flat_map(|known| &known.limits))
    }

    /// The configured limit of that product and setting, whatever the function. `None` also where several processes or
    /// functions have several values: nothing tells which of them wrote the log.
    #[must_use]
    pub fn limit(&self, product: &Product, setting: &str) -> Option<&Limit> {
        one_value(self.limits.iter().chain(self.functions.iter().flat_map(|known| &known.limits)), product, setting)
    }

    /// The same for one function, where a source names it.
    #[must_use]
    pub fn limit_of<'k>(&'k self, function: Option<&'k FunctionName>, product: &Product, setting: &str) -> Option<&'k Limit> {
        match function {
            Some(_) => one_value(self.of(function), product, setting),
            None => self.limit(product, setting),
        }
    }
}

/// The value on which all agree. A command line outranks a configuration file.
fn one_value<'k>(limits: impl Iterator<Item = &'k Limit>, product: &Product, setting: &str) -> Option<&'k Limit> {
    let fits = |limit: &&Limit| limit.product == *product && limit.setting == setting && limit.value_ms.is_some();
    let (files, commands): (Vec<_>, Vec<_>) = limits.filter(fits).partition(|limit| is_python_file(limit));
    let ranked = if commands.is_empty() { files } else { commands };
    let first = ranked.first()?;
    ranked.iter().all(|limit| limit.value_ms == first.value_ms).then_some(first)
}

/// Whether a name is what a pattern stands for.
fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn is_python_file(limit: &Limit) -> bool {
    let file = limit.place.as_deref().and_then(|place| place.split(':').next());
    file.is_some_and(|file| Path::new(file).extension().is_some_and(|extension| extension == "py"))
}

/// Turns a group of evidence into cases, in a stable order.
#[must_use]
pub fn cases<'a>(evidence: &'a [Evidence], knowledge: &'a Knowledge, as_of: Timestamp) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for mut set in Set::by_stack(evidence) {
        let first = cases.len();
        let mut requests = set.requests.clone();
        traces::join(&set, &mut requests);
        let in_front = gateways::join(&set, &mut requests);
        let mut proxied = proxies::join(&set, &mut requests);
        daemons::join(&mut requests, &mut proxied);
        php::join(&mut set.processes, &mut requests, &mut proxied);
        proxies::join_traces(&set, &requests, &mut proxied);
        let mut attempts: Vec<Case<'a>> =
            requests.iter().flat_map(|(id, evidence)| attempts::split(set.stack, id, evidence, knowledge, as_of)).collect();
        soft_limits::split(&mut attempts);
        let orphans = deaths::join(inits::join(&set, &mut attempts), &mut attempts);
        let unnamed = notices::join(&set.notices, &mut attempts);
        let servers = servers::of(&set);
        let told = processes::cases(&set.processes, &mut attempts, set.stack, knowledge, as_of);
        let mut ends = workers::ends(&set, &servers, knowledge);
        ends.extend(shutdown::ends(&set, &servers, knowledge, &ends));
        let served = workers::served(&attempts);
        let mut unclaimed: Vec<_> = ends.into_iter().filter(|end| !workers::claim(end, &served, &mut attempts, knowledge)).collect();
        for end in &mut unclaimed {
            end.has_served = workers::has_served(end, &served, &attempts);
        }
        let unclaimed = proxies::claim(unclaimed, &mut attempts, &mut proxied, knowledge);
        cases.extend(attempts);
        cases.extend(told);
        let seen = |seen: proxies::Seen<'a>| Case { own: seen.lines, ..Case::of_worker(set.stack, seen.end, knowledge, as_of) };
        cases.extend(unclaimed.into_iter().map(seen));
        cases.extend(proxied.into_iter().map(|own| Case::new(set.stack, Key::Loose(own[0].claim.id()), own, knowledge, as_of)));
        cases.extend(orphans.into_iter().map(|orphan| {
            let subject = Key::Instance(orphan.instance);
            Case { attempt: orphan.number, ..Case::new(set.stack, subject, orphan.lines, knowledge, as_of) }
        }));
        cases.extend(gateways::cases(in_front, set.stack, knowledge, as_of));
        cases.extend(set.loose.iter().chain(&unnamed).map(|one| Case::new(set.stack, one.claim.key(), vec![one], knowledge, as_of)));
        processes::stand_beside(&set.processes, &mut cases[first..]);
    }
    cases
}

#[cfg(test)]
mod tests {
    use domain::{KnownFrom, Layer, Millis};

    use super::*;

    fn function(name: &str, seconds: i64) -> Part {
        let limit = Limit {
            layer: Layer::Platform,
            product: Product::AWS_LAMBDA,
            setting: "Timeout".to_owned(),
            value_ms: Some(Millis::from_ms(seconds * 1000)),
            known_from: KnownFrom::Configured,
            place: None,
        };
        Part {
            logged_as: vec![name.to_owned(), format!("*-{name}-*")],
            limits: vec![limit],
            ..Part::new(Role::Function, name, String::new())
        }
    }

    #[test]
    fn of_several_functions_the_one_that_the_log_names_counts() {
        let mut knowledge = Knowledge::default();
        knowledge.learn(vec![function("Checkout", 60), function("Search", 5)]);
        let timeout = |name: Option<&str>| {
            let name = name.map(FunctionName::from);
            knowledge.limit_of(name.as_ref(), &Product::AWS_LAMBDA, "Timeout").and_then(|limit| limit.value_ms).map(Millis::as_ms)
        };
        assert_eq!(timeout(Some("shop-Checkout-1A2B3C")), Some(60_000));
        assert_eq!(timeout(Some("Search")), Some(5_000));
        assert_eq!((timeout(Some("other")), timeout(None)), (None, None));
    }

    #[test]
    fn patterns_stand_for_what_platforms_add() {
        assert!(fits("shop-*-checkout", "shop-prod-checkout") && fits("*-x-*", "a-x-b") && fits("x", "x"));
        assert!(!fits("shop-*-checkout", "shop-prod-checkout-2") && !fits("x", "xy") && !fits("*-x-*", "x"));
    }
}
