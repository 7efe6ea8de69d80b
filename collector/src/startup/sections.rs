//! Sections: what lies between `opened` and `closed` of one name, and spans below the request.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Claim, Instance, Kind, Millis};

use super::{Occurrence, Request};

/// Whether a claim tells of a section.
pub fn is_section(claim: &Claim) -> bool {
    claim.kind == Kind::WatchdogTracepoint || claim.kind == Kind::Span && !is_own(claim)
}

/// The request's own span.
fn is_own(claim: &Claim) -> bool {
    matches!(claim.text("span_kind"), Some("server" | "consumer"))
}

/// The sections of a request.
pub fn of_request<'a>(request: &Request<'a>) -> Vec<Occurrence<'a>> {
    let spans = request.claims.iter().filter(|claim| claim.kind == Kind::Span && !is_own(claim));
    let spans = spans.filter_map(|claim| Some((name_of_span(claim)?, claim.elapsed_ms)));
    spans.chain(pairs(request.claims.iter().copied())).collect()
}

fn name_of_span(claim: &Claim) -> Option<&str> {
    claim.calls.first().map(|call| call.operation.as_str()).filter(|operation| *operation == "connect").or_else(|| claim.text("name"))
}

/// The sections that no request names, by release: of the start of instances. What they do not name themselves is known from what
/// else was said in their instance, where that is of one release.
pub fn of_instances<'a>(claims: &[&'a Claim]) -> Vec<(Option<&'a str>, Vec<Occurrence<'a>>)> {
    let mut by_place: BTreeMap<(Option<&Instance>, Option<u32>), Vec<&'a Claim>> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.kind == Kind::WatchdogTracepoint && claim.request_id.is_none()) {
        by_place.entry((claim.instance.as_ref(), claim.pid)).or_default().push(claim);
    }
    let mut by_instance: BTreeMap<&Instance, BTreeSet<&'a str>> = BTreeMap::new();
    for (instance, release) in claims.iter().filter_map(|claim| claim.instance.as_ref().zip(claim.release())) {
        by_instance.entry(instance).or_default().insert(release);
    }
    let starts = by_place.into_iter().map(|((instance, _), claims)| {
        let own = claims.iter().find_map(|claim| claim.release());
        let known = || by_instance.get(instance?).filter(|releases| releases.len() == 1)?.first().copied();
        (own.or_else(known), pairs(claims.into_iter()))
    });
    starts.collect()
}

/// Pairs what was opened with what was closed next under the same name. What was never closed has no duration.
fn pairs<'a>(claims: impl Iterator<Item = &'a Claim>) -> Vec<Occurrence<'a>> {
    let mut events: Vec<&Claim> = claims.filter(|claim| claim.kind == Kind::WatchdogTracepoint).collect();
    // By time, and at the same moment what is opened before what is closed.
    events.sort_by_key(|claim| (claim.at(), claim.text("phase") == Some("closed")));
    let mut open: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    let mut found = Vec::new();
    for event in events {
        let Some(name) = event.text("section") else { continue };
        if event.text("phase") != Some("closed") {
            open.entry(name).or_default().push(event);
            continue;
        }
        let opened = open.get_mut(name).and_then(Vec::pop);
        let between = || Some(Millis::between(opened?.observed_at?, event.observed_at?)).filter(|took| *took >= Millis::ZERO);
        found.push((name, event.millis("took_ms").or_else(between)));
    }
    found.extend(open.into_iter().flat_map(|(name, left)| left.into_iter().map(move |_| (name, None))));
    found
}
