//! Proxies: their error logs name no request, their access lines often none either.
//!
//! A line joins another by what both name (process and connection), else by request line and moment, and only where exactly
//! one fits. Nothing else makes two lines one request: what stays alone is a case of its own, without an ID.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Claim, ClaimId, ClaimedOutcome, Evidence, Kind, Millis, Product, RequestId, TraceId, without_query};
use jiff::Timestamp;

use super::set::{Set, in_order};
use super::{Case, Ending, Knowledge, WorkerEnd, php};

/// What whole seconds in one of two lines may hide.
const STAMP: Millis = Millis::from_ms(1000);
/// Lines about one end on one connection are written at once.
const ONE_END: Millis = Millis::from_ms(2000);

/// Whether a claim is a proxy's account of a request.
pub fn is_proxys(claim: &Claim) -> bool {
    matches!(claim.kind, Kind::GatewayRequest | Kind::ProxyError) && claim.platform.as_ref().is_some_and(Product::is_proxy)
}

/// What is known of one request from lines that do not name it.
type Lines<'a> = Vec<&'a Evidence>;

/// Where an access line is at home.
enum Home<'a> {
    Request(&'a RequestId),
    Alone(usize),
}

/// Adds to the requests what belongs to them; gives back the rest, by request.
pub fn join<'a>(set: &Set<'a>, requests: &mut BTreeMap<&'a RequestId, Lines<'a>>) -> Vec<Lines<'a>> {
    let (access, errors): (Lines<'a>, Lines<'a>) = set.proxies.iter().copied().partition(|one| one.claim.kind == Kind::GatewayRequest);
    let mut alone: Vec<Lines<'a>> = access.into_iter().map(|one| vec![one]).collect();
    let named = requests.iter().flat_map(|(id, own)| own.iter().map(|one| (*one, *id)));
    let named = named.filter(|(one, _)| one.claim.kind == Kind::GatewayRequest && is_proxys(&one.claim));
    let mut lines: Vec<(&'a Evidence, Home<'a>)> = named.map(|(one, id)| (one, Home::Request(id))).collect();
    lines.extend(alone.iter().enumerate().map(|(index, group)| (group[0], Home::Alone(index))));
    let mut joined: Vec<(&'a RequestId, &'a Evidence)> = Vec::new();
    let mut unmatched = Vec::new();
    let mut ended: BTreeMap<ClaimId, Option<&str>> = BTreeMap::new();
    for errors in ends(errors) {
        let fitting: Vec<&(&Evidence, Home<'a>)> = lines.iter().filter(|(line, _)| fits(&errors, line)).collect();
        match telling(&fitting)[..] {
            // One request ends on one connection: that of another had its access line elsewhere.
            [(line, _)] if *ended.entry(line.claim.id()).or_insert(connection(&errors[0].claim)) != connection(&errors[0].claim) => {
                unmatched.push(errors);
            }
            [(_, Home::Request(id))] => joined.extend(errors.iter().map(|one| (*id, *one))),
            [(_, Home::Alone(index))] => alone[*index].extend(errors),
            // One of several that each tell of their own end: it would say it twice. A 500 does not say that PHP's limit ended it.
            [_, _, ..]
                if fitting.iter().all(|(line, _)| line.claim.outcome.is_some_and(ClaimedOutcome::is_anomalous))
                    && !errors.iter().any(|one| php::is_limit(&one.claim)) => {}
            _ => unmatched.push(errors),
        }
    }
    for (id, one) in joined {
        requests.entry(id).or_default().push(one);
    }
    alone.extend(unmatched);
    let alone = by_unnamed_id(alone, requests);
    by_path_and_time(alone, requests)
}

/// Error lines about one end: of one process and connection, at one moment.
fn ends<'a>(mut errors: Lines<'a>) -> Vec<Lines<'a>> {
    in_order(&mut errors);
    let mut groups: Vec<Lines<'a>> = Vec::new();
    for one in errors {
        let same = |group: &&mut Lines<'a>| {
            let last = group.last().expect("none is empty");
            let (a, b) = (&last.claim, &one.claim);
            let near = a.observed_at.zip(b.observed_at).is_some_and(|(a, b)| Millis::between(a, b) <= ONE_END);
            let path = b.attributes.contains_key("follows") || a.text("path") == b.text("path");
            (&a.platform, &a.instance, a.pid) == (&b.platform, &b.instance, b.pid)
                && connection(a).is_some()
                && connection(a) == connection(b)
                && near
                && path
        };
        match groups.iter_mut().rev().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// What tells the connection of an error line from others at that moment.
fn connection(claim: &Claim) -> Option<&str> {
    claim.text("connection").or_else(|| claim.text("client").filter(|client| client.contains(':')))
}

/// Whether error lines and an access line can be about one request.
fn fits(errors: &[&Evidence], line: &Evidence) -> bool {
    let (error, access) = (&errors[0].claim, &line.claim);
    let alike = |a: Option<&str>, b: Option<&str>| a.is_none() || b.is_none() || a == b;
    let text = |name| errors.iter().find_map(|one| one.claim.text(name));
    // Apache names the path without its query.
    let own_path = |claim| if error.platform == Some(Product::APACHE) { without_query(claim) } else { claim };
    let instances = error.instance.is_none() || access.instance.is_none() || error.instance == access.instance;
    let host = |client: &str| client.rsplit_once(':').map_or(client, |(host, _)| host).to_owned();
    let clients = text("client").map(host).zip(access.text("client").map(host)).is_none_or(|(a, b)| a == b);
    let same_request = error.platform == access.platform
        && instances
        && clients
        && alike(text("method"), access.text("method"))
        && alike(text("path"), access.text("path").map(own_path));
    let connections = text("connection").zip(access.text("connection")).filter(|_| error.pid.is_some() && access.pid.is_some());
    if !same_request || connections.is_some_and(|(a, b)| (a, error.pid) != (b, access.pid)) {
        return false;
    }
    let Some((at, end)) = error.observed_at.zip(access.observed_at) else { return false };
    // After an upstream was given up, another may have taken its time.
    let begin = if access.attributes.contains_key("next_upstream") { access.started_at.unwrap_or(end) } else { end };
    Millis::between(begin, at).plus(STAMP) >= Millis::ZERO && Millis::between(at, end).plus(STAMP) >= Millis::ZERO
}

/// Where several fit, those that did not end well: an answer within the same second wrote no error.
fn telling<'l, 'a>(fitting: &[&'l (&'a Evidence, Home<'a>)]) -> Vec<&'l (&'a Evidence, Home<'a>)> {
    let failed = |line: &Evidence| line.claim.outcome.is_none_or(|outcome| outcome != ClaimedOutcome::Success);
    let failed: Vec<_> = fitting.iter().copied().filter(|(line, _)| failed(line)).collect();
    if failed.is_empty() { fitting.to_vec() } else { failed }
}

/// A UUID that stands in a line without a name is the request's ID where another source names a request so.
fn by_unnamed_id<'a>(alone: Vec<Lines<'a>>, requests: &mut BTreeMap<&'a RequestId, Lines<'a>>) -> Vec<Lines<'a>> {
    let mut rest = Vec::new();
    for lines in alone {
        let id = lines.iter().find_map(|one| one.claim.text("unnamed_id")).map(RequestId::from);
        match id.and_then(|id| requests.get_mut(&id)) {
            Some(own) => own.extend(lines),
            None => rest.push(lines),
        }
    }
    rest
}

/// A request that its application named, on the same path, begun while the proxy waited: where it is the only one.
fn by_path_and_time<'a>(alone: Vec<Lines<'a>>, requests: &mut BTreeMap<&'a RequestId, Lines<'a>>) -> Vec<Lines<'a>> {
    let candidates = |lines: &Lines<'a>| -> Vec<&'a RequestId> {
        let free = requests.iter().filter(|(_, own)| !own.iter().any(|one| is_proxys(&one.claim)));
        free.filter(|(_, own)| own.iter().any(|one| served_within(lines, &one.claim))).map(|(id, _)| *id).collect()
    };
    let found: Vec<Option<&'a RequestId>> = alone
        .iter()
        .map(|lines| match candidates(lines)[..] {
            [only] => Some(only),
            _ => None,
        })
        .collect();
    let mut rest = Vec::new();
    for (index, lines) in alone.into_iter().enumerate() {
        let only = found[index].filter(|id| found.iter().filter(|other| **other == Some(*id)).count() == 1);
        match only {
            Some(id) => requests.entry(id).or_default().extend(lines),
            None => rest.push(lines),
        }
    }
    rest
}

/// Adds the spans of the trace whose server had a request on the same path while the proxy did, where it is the only one. Traces of
/// requests that somebody names have their place.
pub fn join_traces<'a>(set: &Set<'a>, requests: &BTreeMap<&'a RequestId, Lines<'a>>, alone: &mut [Lines<'a>]) {
    let named: BTreeSet<&TraceId> = requests.values().flatten().filter_map(|one| one.claim.trace_id.as_ref()).collect();
    let free: Vec<&Lines<'a>> = set.traces.iter().filter(|(id, _)| !named.contains(*id)).map(|(_, spans)| spans).collect();
    let fits = |lines: &Lines<'a>, spans: &Lines<'a>| spans.iter().any(|one| served_within(lines, &one.claim));
    let candidates: Vec<Vec<usize>> =
        alone.iter().map(|lines| (0..free.len()).filter(|index| fits(lines, free[*index])).collect()).collect();
    for (lines, of_lines) in alone.iter_mut().zip(&candidates) {
        if let [only] = of_lines[..]
            && candidates.iter().filter(|other| other.contains(&only)).count() == 1
        {
            lines.extend(free[only]);
        }
    }
}

/// Whether an application's account of a request on the same path began while the proxy had it.
fn served_within(lines: &[&Evidence], served: &Claim) -> bool {
    let text = |name| lines.iter().find_map(|one| one.claim.text(name));
    let begin = lines.iter().filter_map(|one| one.claim.started_at).min();
    let end = lines.iter().filter_map(|one| one.claim.observed_at).max();
    let (Some(path), Some(end)) = (text("path"), end) else { return false };
    let same = served.path().as_deref() == Some(path) && served.text("method").is_none_or(|method| text("method") == Some(method));
    let in_order = |first, then| Millis::between(first, then).plus(STAMP) >= Millis::ZERO;
    // An error line alone does not say when the wait began: then the application has to have been at it when it ended.
    let began_meanwhile = |start| match (begin, served.observed_at) {
        (Some(begin), _) => in_order(begin, start) && in_order(start, end),
        (None, Some(served_until)) => in_order(start, end) && in_order(end, served_until),
        (None, None) => false,
    };
    same && served.served_from().is_some_and(began_meanwhile)
}

/// A worker's end that no request of its own claims, with what a proxy saw of it.
pub struct Seen<'a> {
    pub end: WorkerEnd<'a>,
    /// The proxy's lines, where they name no request.
    pub lines: Lines<'a>,
}

/// Gives a worker's end to the one request whose connection broke with it, as its proxy saw. What is left comes back.
pub fn claim<'a>(ends: Vec<WorkerEnd<'a>>, cases: &mut [Case<'a>], alone: &mut Vec<Lines<'a>>, knowledge: &Knowledge) -> Vec<Seen<'a>> {
    let limit = knowledge.limit(&Product::GUNICORN, "--timeout").and_then(|limit| limit.value_ms);
    let broke = |end: &WorkerEnd<'a>, lines: &[&'a Evidence]| lines.iter().any(|one| broke_with(one, end, limit));
    let of_cases: Vec<Vec<usize>> = ends
        .iter()
        .map(|end| (0..cases.len()).filter(|index| cases[*index].worker.is_none() && broke(end, &cases[*index].own)).collect())
        .collect();
    let of_alone: Vec<Vec<usize>> = ends.iter().map(|end| (0..alone.len()).filter(|index| broke(end, &alone[*index])).collect()).collect();
    let once = |all: &[Vec<usize>], wanted: usize| all.iter().filter(|own| own.contains(&wanted)).count() == 1;
    let mut left = Vec::new();
    let mut taken = Vec::new();
    for (index, end) in ends.into_iter().enumerate() {
        match (&of_cases[index][..], &of_alone[index][..]) {
            ([case], []) if once(&of_cases, *case) => {
                cases[*case].worker = Some(end);
            }
            ([], [group]) if once(&of_alone, *group) => {
                taken.push(*group);
                left.push(Seen { end, lines: alone[*group].clone() });
            }
            _ => left.push(Seen { end, lines: Vec::new() }),
        }
    }
    let mut index = 0;
    alone.retain(|_| {
        index += 1;
        !taken.contains(&(index - 1))
    });
    left
}

/// Whether the proxy's connection ended with that worker: closed without an answer, or by the 500 that gunicorn writes while
/// it is being aborted, which the path has to confirm.
fn broke_with(line: &Evidence, end: &WorkerEnd<'_>, limit: Option<Millis>) -> bool {
    // From the server's line to the broken connection: SIGABRT at once, SIGKILL after a second and a half, whole seconds.
    const SOONEST: Millis = Millis::from_ms(-1000);
    const LATEST: Millis = Millis::from_ms(2500);
    let claim = &line.claim;
    // Heroku's router says so by a code, of a dyno that it names.
    let by_router = claim.text("code") == Some("H13") && claim.instance.as_ref() == end.instance;
    if !(is_proxys(claim) || by_router) || !matches!(end.ending, Ending::TimedOut | Ending::Killed | Ending::Exited) {
        return false;
    }
    let served = end.evidence.iter().find_map(|one| one.claim.text("path"));
    let same_path = served.zip(claim.text("path")).map(|(a, b)| a == b);
    let closed = (by_router || claim.attributes.contains_key("upstream_closed")) && same_path != Some(false);
    let aborted = claim.number("status") == Some(500.0) && end.ending == Ending::TimedOut && same_path == Some(true);
    let near = |at: Timestamp, broke: Timestamp| (SOONEST..=LATEST).contains(&Millis::between(at, broke));
    // A worker is given up on after its limit: a shorter request was not what it was stuck in.
    let long_enough =
        end.ending != Ending::TimedOut || limit.zip(claim.elapsed_ms).is_none_or(|(limit, elapsed)| elapsed.plus(STAMP) >= limit);
    (closed || aborted) && long_enough && end.at.zip(claim.observed_at).is_some_and(|(at, broke)| near(at, broke))
}
