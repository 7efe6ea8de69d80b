//! OpenFaaS's watchdogs and gateway: which lines tell of the end of one request.
//!
//! The gateway's and the watchdog's lines of one request are joined by path and second: the watchdog sees the same path
//! without `/function/<name>`, and a caller's or gateway's leaving within moments.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Evidence, Kind, Millis, Product};
use jiff::Timestamp;

use super::super::Knowledge;
use super::{Event, Family, Processes};

/// What whole seconds in two lines may hide, and a little for writing them.
const SAME_MOMENT_MS: i64 = 1500;
/// How long after a drain's own limit its silence counts as the end of the process.
const GRACE: Millis = Millis::from_ms(60_000);
/// The same where that limit is not known: longer than drains are let last.
const DRAIN_MAX: Millis = Millis::from_ms(3_600_000);

/// What watchdogs and gateways tell of.
pub fn events<'a>(places: &Processes<'a>, knowledge: &Knowledge, as_of: Timestamp) -> Vec<Event<'a>> {
    let of = |wanted: Family| places.iter().filter(move |((family, _), _)| *family == wanted).map(|(_, lines)| lines);
    let watchdogs = of(Family::Watchdog).flat_map(|lines| Log { lines, knowledge, as_of }.events()).collect();
    let gateways: Vec<Event<'a>> = of(Family::Gateway).flat_map(|lines| gateway_events(lines)).collect();
    let forwarded = of(Family::Gateway).flatten().copied().filter(|one| one.claim.kind == Kind::GatewayRequest).collect();
    join(gateways, watchdogs, forwarded)
}

/// Requests of the gateway's that it gave up on, or whose caller did.
fn gateway_events<'a>(lines: &[&'a Evidence]) -> Vec<Event<'a>> {
    let server: Vec<&Evidence> = lines.iter().copied().filter(|one| one.claim.kind.is_of_server()).collect();
    let ended = |one: &&&Evidence| matches!(one.claim.text("error"), Some("context deadline exceeded" | "context canceled"));
    lines.iter().filter(ended).map(|one| Event { own: vec![one], server: server.clone() }).collect()
}

/// Hands what a watchdog saw of a request to the gateway's case of it.
fn join<'a>(mut gateways: Vec<Event<'a>>, watchdogs: Vec<Event<'a>>, forwarded: Vec<&'a Evidence>) -> Vec<Event<'a>> {
    let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, event) in gateways.iter().enumerate() {
        by_path.entry(behind_function(event.own[0]).unwrap_or_default()).or_default().push(index);
    }
    let mut answers: BTreeMap<&str, Vec<&'a Evidence>> = BTreeMap::new();
    for one in forwarded {
        answers.entry(behind_function(one).unwrap_or_default()).or_default().push(one);
    }
    let mut rest = Vec::new();
    for mut event in watchdogs {
        let decisive = event.own[0];
        let path = decisive.claim.text("path").unwrap_or_default();
        let left = decisive.claim.text("error") == Some("context canceled");
        let mut open = by_path.get(path).into_iter().flatten().copied().filter(|_| left);
        if let Some(gateway) = open.find(|index| is_near(gateways[*index].own[0], decisive) && gateways[*index].own.len() == 1) {
            gateways[gateway].own.append(&mut event.own);
            continue;
        }
        // What the gateway passed on says how long the request took, which the watchdog does not.
        let answer = answers.get(path).into_iter().flatten().find(|one| !left && is_near(one, decisive));
        event.own.extend(answer.filter(|one| one.claim.number("status") == Some(504.0)));
        rest.push(event);
    }
    gateways.extend(rest);
    gateways
}

/// `/function/orders/7?a=b` → `/7?a=b`: what the function's watchdog is asked for.
fn behind_function(one: &Evidence) -> Option<&str> {
    let rest = one.claim.text("path")?.trim_start_matches("/async-function/").trim_start_matches("/function/");
    Some(rest.find(['/', '?']).map_or("/", |at| &rest[at..]))
}

fn is_near(a: &Evidence, b: &Evidence) -> bool {
    apart(a, b).is_some_and(|ms| ms.abs() <= SAME_MOMENT_MS)
}

/// Milliseconds from `b` to `a`.
fn apart(a: &Evidence, b: &Evidence) -> Option<i64> {
    Some(a.claim.observed_at?.as_millisecond() - b.claim.observed_at?.as_millisecond())
}

/// The value that all banners of a run agree on.
#[must_use]
pub fn learned(server: &[&Evidence], name: &str) -> Option<Millis> {
    let mut stated = server.iter().filter_map(|one| one.claim.millis(name));
    let first = stated.next()?;
    stated.all(|other| other == first).then_some(first)
}

/// One place's log of a watchdog.
struct Log<'l, 'a> {
    lines: &'l [&'a Evidence],
    knowledge: &'l Knowledge,
    as_of: Timestamp,
}

impl<'a> Log<'_, 'a> {
    fn events(&self) -> Vec<Event<'a>> {
        let mut events: Vec<Event<'a>> = Vec::new();
        let mut used = BTreeSet::new();
        let mut run = Run::default();
        for (index, one) in self.lines.iter().copied().enumerate() {
            run.add(one);
            let own = match one.claim.kind {
                Kind::TimeoutNotice if is_second_half(one) => {
                    // Written right after a line that several requests wrote at once: it belongs to one that has none yet.
                    let open = events.iter_mut().rev().take(64).find(|event| event.own.len() == 1 && is_first_half(event.own[0]));
                    match open.filter(|event| is_near(event.own[0], one)) {
                        Some(event) => {
                            event.own.push(one);
                            None
                        }
                        None => Some(vec![one]),
                    }
                }
                Kind::TimeoutNotice => Some(vec![one]),
                Kind::WorkerKilled => Some(self.killed(index, &run, &mut used)),
                Kind::RequestError => self.died(index, &run),
                Kind::ServerStopping => self.drained(index, &run),
                _ => None,
            };
            events.extend(own.map(|own| Event { own, server: run.server.clone() }));
        }
        events.extend(self.late(&used));
        events
    }

    /// A limit of the program that wrote these lines.
    fn limit(&self, run: &Run<'a>, name: &str) -> Option<Millis> {
        let setting = name.strip_suffix("_ms").unwrap_or(name);
        let product = |one: &Evidence| one.claim.platform.clone().unwrap_or_else(|| Product::from("of_watchdog"));
        let configured = || self.knowledge.limit(&product(self.lines[0]), setting)?.value_ms;
        learned(&run.server, name).or_else(configured).filter(|value| *value > Millis::ZERO)
    }

    /// Lines within the same moment as that of `index`, nearest first.
    fn nearby(&self, index: usize) -> impl Iterator<Item = (usize, &'a Evidence)> + '_ {
        let here = self.lines[index];
        let near = move |at: &usize| is_near(self.lines[*at], here);
        let mut found: Vec<usize> = (0..index).rev().take_while(near).chain((index + 1..self.lines.len()).take_while(near)).collect();
        found.sort_by_key(|at| at.abs_diff(index));
        found.into_iter().map(|at| (at, self.lines[at]))
    }

    /// A forked process was killed: with the line of the request that had run for as long as `exec_timeout`.
    fn killed(&self, index: usize, run: &Run<'a>, used: &mut BTreeSet<usize>) -> Vec<&'a Evidence> {
        let limit = self.limit(run, "exec_timeout_ms");
        let overran = |one: &Evidence| {
            one.claim.kind == Kind::Request && limit.zip(one.claim.elapsed_ms).is_some_and(|(limit, elapsed)| elapsed >= limit)
        };
        let mut own = vec![self.lines[index]];
        if let Some((at, request)) = self.nearby(index).find(|(at, one)| overran(one) && !used.contains(at)) {
            used.insert(at);
            own.push(request);
        }
        own
    }

    /// The function did not answer, and its process ended: with the line that says so, and the order to stop.
    fn died(&self, index: usize, run: &Run<'a>) -> Option<Vec<&'a Evidence>> {
        let (_, exit) = self.nearby(index).find(|(at, one)| *at > index && one.claim.kind == Kind::ProcessExit)?;
        Some([self.lines[index], exit].into_iter().chain(run.order()).collect())
    }

    /// A stop that did not wait for all requests: the drain ran into its limit, or the process was gone before it ended.
    fn drained(&self, index: usize, run: &Run<'a>) -> Option<Vec<&'a Evidence>> {
        let here = self.lines[index];
        let ends = |one: &&&Evidence| matches!(one.claim.kind, Kind::ServerStopped | Kind::ProcessExit | Kind::ServerStart);
        let end = self.lines[index + 1..].iter().find(ends).copied();
        if here.claim.text("shutdown_error") == Some("context deadline exceeded") {
            let active = end.filter(|end| end.claim.kind == Kind::ServerStopped);
            let none_left = active.is_some_and(|end| end.claim.number("active_connections") == Some(0.0));
            return (!none_left).then(|| [here].into_iter().chain(active).chain(run.order()).collect());
        }
        let draining = here.claim.number("draining").is_some_and(|count| count > 0.0);
        let gone = end.is_none_or(|end| end.claim.kind == Kind::ServerStart);
        let longest = self.limit(run, "write_timeout_ms").unwrap_or(DRAIN_MAX);
        let overdue = here.claim.observed_at.is_some_and(|at| GRACE.plus(longest).after(at) <= self.as_of);
        // Another error of the drain would have been told between the two.
        (draining && gone && overdue).then(|| [here].into_iter().chain(run.order()).collect())
    }

    /// Requests that were answered after `write_timeout`: nobody got the answer.
    fn late(&self, used: &BTreeSet<usize>) -> Vec<Event<'a>> {
        let mut run = Run::default();
        let mut late = Vec::new();
        for (index, one) in self.lines.iter().copied().enumerate() {
            run.add(one);
            if one.claim.kind != Kind::Request || used.contains(&index) {
                continue;
            }
            let Some(limit) = self.limit(&run, "write_timeout_ms") else { continue };
            let own = match one.claim.elapsed_ms {
                Some(elapsed) => (elapsed >= limit).then(|| vec![one]),
                // It came before the order to stop took effect, and was answered only now.
                None => run
                    .order()
                    .filter(|order| ran_at_least(one, order).is_some_and(|at_least| at_least > limit))
                    .map(|order| vec![one, order]),
            };
            late.extend(own.map(|own| Event { own, server: run.server.clone() }));
        }
        late
    }
}

/// How long a request had run that was answered while the server refused new ones.
#[must_use]
pub fn ran_at_least(request: &Evidence, order: &Evidence) -> Option<Millis> {
    const STAMP: Millis = Millis::from_ms(1000);
    let accepted_until = order.claim.millis("accepts_for_ms")?.plus(STAMP).after(order.claim.observed_at?);
    Some(Millis::between(accepted_until, request.claim.observed_at?)).filter(|ran| *ran > Millis::ZERO)
}

/// The second line of the pair by itself: `killed due to exec_timeout`, whatever it was.
fn is_second_half(one: &Evidence) -> bool {
    one.claim.format == "of_watchdog" && one.claim.text("error").is_none()
}

/// The first line of the pair by itself.
fn is_first_half(one: &Evidence) -> bool {
    one.claim.text("error").is_some() && one.claim.limit.is_none() && !one.claim.attributes.contains_key("blamed_exec_timeout_ms")
}

/// What one run of a watchdog has said of itself so far.
#[derive(Default)]
struct Run<'a> {
    server: Vec<&'a Evidence>,
    has_ended: bool,
}

impl<'a> Run<'a> {
    fn add(&mut self, one: &'a Evidence) {
        // A start after an end is another run. One without: two processes in one log, or one that was killed.
        if one.claim.kind == Kind::ServerStart && self.has_ended {
            *self = Self::default();
        }
        if one.claim.kind.is_of_server() || one.claim.kind == Kind::ProcessExit {
            self.server.push(one);
        }
        self.has_ended |= matches!(one.claim.kind, Kind::ServerStopped | Kind::ProcessExit);
    }

    /// The order to stop.
    fn order(&self) -> Option<&'a Evidence> {
        self.server.iter().copied().rfind(|one| one.claim.attributes.contains_key("accepts_for_ms"))
    }
}
