//! Where a function's start goes, from the evidence of some of its requests. Pure.
//!
//! A request is cold if a source says so: an init duration in its account, an init report, `cold_start`. It is warm if its
//! platform gave an account without one. Sections are what lies between two tracepoints of one name, and spans below the
//! request. Events without a request ID, printed while an instance came up, belong to its start.

mod remedies;
mod sections;

use std::collections::BTreeMap;

use domain::{Claim, Evidence, FunctionName, Kind, Millis, RequestId, Section, Seen, StartOfRelease, StartReport};
use jiff::Timestamp;

/// The report of `function`; of everything there is where none is named.
#[must_use]
pub fn report(evidence: &[Evidence], function: Option<&FunctionName>) -> StartReport {
    let mut claims: Vec<&Claim> = evidence.iter().map(|one| &one.claim).filter(|claim| is_of(claim, function)).collect();
    claims.sort();
    claims.dedup();
    let mut requests: BTreeMap<&RequestId, Request<'_>> = BTreeMap::new();
    for claim in &claims {
        if let Some(id) = &claim.request_id {
            requests.entry(id).or_default().take(claim);
        }
    }
    let mut by_release: BTreeMap<Option<&str>, (Option<Timestamp>, Vec<&Request<'_>>)> = BTreeMap::new();
    for request in requests.values().filter(|request| request.is_told_of) {
        let (latest, of_release) = by_release.entry(request.release).or_default();
        *latest = (*latest).max(request.at);
        of_release.push(request);
    }
    // What no request names and no release: shown with the release of its instance, where there is only one of them.
    let starts = sections::of_instances(&claims);
    for (release, _) in &starts {
        // An instance that came up has a start, whether or not any request is known yet.
        if release.is_some() || by_release.is_empty() {
            by_release.entry(*release).or_default();
        }
    }
    let only = by_release.len() == 1;
    let mut releases: Vec<_> = by_release.into_iter().collect();
    releases.sort_by_key(|(release, (latest, _))| (*latest, *release));
    StartReport {
        function: function.map(ToString::to_string),
        releases: releases
            .into_iter()
            .map(|(release, (_, requests))| {
                let own = starts.iter().filter(|(of, _)| *of == release || of.is_none() && only).flat_map(|(_, found)| found);
                of_release(release, &requests, &own.collect::<Vec<_>>())
            })
            .collect(),
    }
}

/// Claims that name no function are taken with the requests that others name.
fn is_of(claim: &Claim, function: Option<&FunctionName>) -> bool {
    function.is_none() || claim.function.is_none() || claim.function.as_ref() == function
}

/// What is known of one request.
#[derive(Default)]
struct Request<'a> {
    claims: Vec<&'a Claim>,
    release: Option<&'a str>,
    at: Option<Timestamp>,
    took: Option<Millis>,
    init: Option<Millis>,
    is_cold: Option<bool>,
    /// Something but a section tells of it, or a section does.
    is_told_of: bool,
}

impl<'a> Request<'a> {
    fn take(&mut self, claim: &'a Claim) {
        self.claims.push(claim);
        self.release = self.release.or_else(|| claim.release());
        self.at = self.at.max(claim.at());
        let is_account = matches!(claim.kind, Kind::InvocationReport | Kind::Invocation);
        self.is_told_of |= is_account || sections::is_section(claim);
        if let Some(init) = claim.millis("init_duration_ms").filter(|init| *init > Millis::ZERO) {
            self.init = self.init.max(Some(init));
            self.is_cold = Some(true);
        }
        match claim.attributes.get("cold_start").and_then(domain::Value::as_flag) {
            Some(true) => self.is_cold = Some(true),
            Some(false) => self.is_cold = self.is_cold.or(Some(false)),
            None if is_account => self.is_cold = self.is_cold.or(Some(false)),
            None => {}
        }
        if is_account || claim.finished_run().is_some() {
            self.took = self.took.max(claim.elapsed_ms);
        }
    }
}

/// One occurrence of a section: its name, and how long it took, where that is known.
type Occurrence<'a> = (&'a str, Option<Millis>);

fn of_release(release: Option<&str>, requests: &[&Request<'_>], starts: &[&Occurrence<'_>]) -> StartOfRelease {
    let of = |is_cold: bool| requests.iter().filter(move |request| request.is_cold == Some(is_cold)).copied().collect::<Vec<_>>();
    let (cold, warm) = (of(true), of(false));
    let took = |of: &[&Request<'_>]| seen(of.len(), of.iter().filter_map(|request| request.took));
    let init = seen(cold.iter().filter(|request| request.init.is_some()).count(), cold.iter().filter_map(|request| request.init));
    let (in_cold, in_warm) = (gathered(&cold, starts), gathered(&warm, &[]));
    let mut sections: Vec<Section> = Vec::new();
    let names: std::collections::BTreeSet<&str> = in_cold.keys().chain(in_warm.keys()).copied().collect();
    for name in names {
        let side = |found: &BTreeMap<&str, Vec<Option<Millis>>>| {
            let found = found.get(name).map(Vec::as_slice).unwrap_or_default();
            seen(found.len(), found.iter().copied().flatten())
        };
        let (cold, warm) = (side(&in_cold), side(&in_warm));
        sections.push(Section { name: name.to_owned(), cold, warm, share_of_start: 0.0, remedy: None, why: String::new() });
    }
    let whole = sections.iter().filter_map(|section| section.cold.median_ms).fold(init.median_ms.unwrap_or_default(), |sum, part| {
        // An initialisation that the platform states holds the sections of it.
        if init.median_ms.is_some() { sum.max(part) } else { sum.plus(part) }
    });
    for section in &mut sections {
        let part = section.cold.median_ms.unwrap_or_default();
        section.share_of_start = if whole > Millis::ZERO { (part.as_ms_f64() / whole.as_ms_f64()).min(1.0) } else { 0.0 };
    }
    sections.sort_by(|a, b| (b.cold.median_ms, b.warm.median_ms, &a.name).cmp(&(a.cold.median_ms, a.warm.median_ms, &b.name)));
    let uses: Vec<Vec<&str>> =
        cold.iter().chain(&warm).map(|request| sections::of_request(request).iter().map(|found| found.0).collect()).collect();
    remedies::add(&mut sections, &in_cold, &uses, (cold.len(), warm.len()));
    StartOfRelease {
        release: release.map(str::to_owned),
        cold: took(&cold),
        warm: took(&warm),
        unknown: requests.iter().filter(|request| request.is_cold.is_none()).count() as u64,
        init,
        sections,
    }
}

/// Durations by section, once per request: sections of one name within a request are added up.
fn gathered<'a>(requests: &[&Request<'a>], starts: &[&Occurrence<'a>]) -> BTreeMap<&'a str, Vec<Option<Millis>>> {
    let mut found: BTreeMap<&str, Vec<Option<Millis>>> = BTreeMap::new();
    for request in requests {
        let mut own: BTreeMap<&str, Option<Millis>> = BTreeMap::new();
        for (name, took) in sections::of_request(request) {
            let sum = own.entry(name).or_default();
            *sum = match (*sum, took) {
                (Some(sum), Some(took)) => Some(sum.plus(took)),
                (sum, took) => sum.or(took),
            };
        }
        for (name, took) in own {
            found.entry(name).or_default().push(took);
        }
    }
    for (name, took) in starts {
        found.entry(name).or_default().push(*took);
    }
    found
}

fn seen(requests: usize, durations: impl Iterator<Item = Millis>) -> Seen {
    let mut durations: Vec<Millis> = durations.collect();
    durations.sort();
    Seen { requests: requests as u64, median_ms: durations.get(durations.len().saturating_sub(1) / 2).copied() }
}

#[cfg(test)]
mod tests;
