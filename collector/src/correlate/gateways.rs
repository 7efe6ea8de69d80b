//! What gateways and load balancers in front tell of a request: joined to it where their line names its ID, where another line
//! of the same gateway request does, or where the trace has one request only. Else they stand for themselves.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Claim, Evidence, Key, RequestId, StackName, TraceId};
use jiff::Timestamp;

use super::set::{Set, in_order, place};
use super::{Case, Knowledge};

/// Whether a line is a gateway's that names no request of the function.
pub fn is_unnamed(claim: &Claim) -> bool {
    claim.request_id.is_none() && claim.kind.is_of_gateway() && (claim.gateway_request_id().is_some() || claim.text("gateway").is_some())
}

/// One request as one gateway counts them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Seen<'a> {
    /// By the gateway's own ID.
    Id(&'a str),
    /// By its trace: the load balancer has no ID of its own, and a trace may hold several of its requests.
    Trace(&'a TraceId, usize),
    /// By the log it stood in: what the console shows of one call made to test an API.
    Log(&'a str),
    /// By nothing.
    Line(usize),
}

/// Adds each gateway's lines to the request that they are about; what fits none is given back, one group per gateway request.
pub fn join<'a>(set: &Set<'a>, requests: &mut BTreeMap<&'a RequestId, Vec<&'a Evidence>>) -> Vec<Vec<&'a Evidence>> {
    let mut groups: BTreeMap<Seen<'a>, Vec<&'a Evidence>> = BTreeMap::new();
    for (number, one) in set.gateways.iter().copied().enumerate() {
        let seen = match (one.claim.gateway_request_id(), &one.claim.trace_id) {
            (Some(id), _) => Seen::Id(id),
            (None, Some(trace)) => Seen::Trace(trace, number),
            (None, None) if one.claim.format == "api_gateway_execution" => place(one).map_or(Seen::Line(number), Seen::Log),
            (None, None) => Seen::Line(number),
        };
        groups.entry(seen).or_default().push(one);
    }
    let named = named(set);
    // How many requests of one gateway there are in a trace: with more than one, nothing tells which was the function's.
    let mut in_trace: BTreeMap<(&TraceId, Option<&str>), usize> = BTreeMap::new();
    for lines in groups.values() {
        let mut seen = BTreeSet::new();
        for one in lines {
            seen.extend(one.claim.trace_id.as_ref().map(|trace| (trace, one.claim.text("gateway"))));
        }
        for key in seen {
            *in_trace.entry(key).or_default() += 1;
        }
    }
    let mut alone = Vec::new();
    for (seen, lines) in groups {
        let by_id = if let Seen::Id(id) = &seen { named.get(id).and_then(only) } else { None };
        let by_trace = || {
            let trace = lines.iter().find_map(|one| one.claim.trace_id.as_ref())?;
            let is_only = lines.iter().all(|one| in_trace.get(&(trace, one.claim.text("gateway"))).is_none_or(|count| *count == 1));
            is_only.then(|| only(&candidates(set, trace))).flatten()
        };
        match by_id.or_else(by_trace) {
            Some(request) => requests.entry(request).or_default().extend(lines),
            None => alone.push(lines),
        }
    }
    alone
}

/// The requests that lines of gateways name, by the gateway's ID.
fn named<'a>(set: &Set<'a>) -> BTreeMap<&'a str, BTreeSet<&'a RequestId>> {
    let mut named: BTreeMap<&str, BTreeSet<&RequestId>> = BTreeMap::new();
    for (request, evidence) in &set.requests {
        for id in evidence.iter().filter_map(|one| one.claim.gateway_request_id()) {
            named.entry(id).or_default().insert(request);
        }
    }
    named
}

fn candidates<'a>(set: &Set<'a>, trace: &TraceId) -> BTreeSet<&'a RequestId> {
    let is_of = |evidence: &Vec<&Evidence>| evidence.iter().any(|one| one.claim.trace_id.as_ref() == Some(trace));
    set.requests.iter().filter(|(_, evidence)| is_of(evidence)).map(|(id, _)| *id).collect()
}

fn only<'a>(found: &BTreeSet<&'a RequestId>) -> Option<&'a RequestId> {
    found.first().copied().filter(|_| found.len() == 1)
}

/// What stands for itself, one case per gateway request that failed.
pub fn cases<'a>(
    groups: Vec<Vec<&'a Evidence>>,
    stack: &'a StackName,
    knowledge: &'a Knowledge,
    as_of: Timestamp,
) -> impl Iterator<Item = Case<'a>> {
    let mut numbers: BTreeMap<Key, u32> = BTreeMap::new();
    groups.into_iter().filter(|lines| lines.iter().any(|one| one.claim.is_anomalous())).map(move |mut lines| {
        in_order(&mut lines);
        let subject = lines[0].claim.key();
        // Several of a load balancer's requests may share a trace.
        let number = numbers.entry(subject.clone()).or_default();
        *number += 1;
        Case { attempt: *number, ..Case::new(stack, subject, lines, knowledge, as_of) }
    })
}
