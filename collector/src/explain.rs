//! Verdicts from files alone: no server, no database. The same parsers, the same fold.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Claim, Evidence, FunctionName, Histogram, History, Incident, Instance, Origin, Outcome, SourceName, StackName};
use jiff::Timestamp;
use serde::Serialize;

use crate::correlate::{Knowledge, is_watchdog};
use crate::estimate;
use crate::parse::{Context, Fate, Format, Item, pieces};

/// One file as it was handed in.
pub struct Input<'a> {
    /// Its name, for citations.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// What `overrun explain --json` prints.
#[derive(Debug, Serialize)]
pub struct Report {
    /// One verdict per request that overran, in time order.
    pub incidents: Vec<Incident>,
    /// What became of what was read.
    pub read: Read,
}

/// How many lines were read, and what became of the items in them.
#[derive(Debug, Default, Serialize)]
pub struct Read {
    /// Physical lines, or records where the format has no lines.
    pub lines: u64,
    /// Items that say something about a request or a process.
    pub evidence: u64,
    /// Items that do not; of what no format claims each line is one.
    pub ignored: u64,
    /// Items that could not be read.
    pub rejected: u64,
    /// The first of those, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejects: Vec<Rejected>,
}

/// An item that could not be read.
#[derive(Debug, Serialize)]
pub struct Rejected {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What was expected and what was found.
    pub reason: String,
}

/// How many rejected items are named; all are counted.
const REJECTS_MAX: usize = 20;

/// Reads the files together and gives a verdict for every request in them that overran.
#[must_use]
pub fn explain(inputs: &[Input<'_>], format: Format, knowledge: &Knowledge, now: Timestamp) -> Report {
    let (evidence, read) = read(inputs, format, now);
    let incidents = crate::fold_knowing(&evidence, knowledge, now).incidents;
    let history = histories(&evidence, &incidents);
    if history.is_empty() {
        return Report { incidents, read };
    }
    let knowledge = Knowledge { history, ..knowledge.clone() };
    Report { incidents: crate::fold_knowing(&evidence, &knowledge, now).incidents, read }
}

/// The evidence in the files, and what became of everything else.
#[must_use]
pub fn read(inputs: &[Input<'_>], format: Format, now: Timestamp) -> (Vec<Evidence>, Read) {
    let mut read = Read::default();
    let mut evidence = Vec::new();
    for input in inputs {
        let begins = evidence.len();
        // Of a large log most lines say nothing: only what is evidence is kept.
        for piece in pieces(format, input.bytes.to_vec(), Context::default()) {
            read.lines += piece.lines;
            for item in piece.items {
                evidence.extend(count(&mut read, input.name, item, now));
            }
        }
        place(&mut evidence[begins..]);
    }
    (evidence, read)
}

/// A server's lines say which process, and not where it ran. Where the watchdog inside of one of these processes prints its
/// events into the same file, they do.
fn place(of_file: &mut [Evidence]) {
    let told = of_file.iter().map(|one| &one.claim).filter(|claim| is_watchdog(claim.kind));
    let told: BTreeSet<(Instance, u32)> = told.filter_map(|claim| claim.instance.clone().zip(claim.pid)).collect();
    let Some((instance, _)) = told.first().cloned() else { return };
    let meets = |claim: &Claim| claim.instance.is_none() && claim.pid.is_some_and(|pid| told.contains(&(instance.clone(), pid)));
    if told.iter().any(|(other, _)| *other != instance) || !of_file.iter().any(|one| meets(&one.claim)) {
        return;
    }
    for claim in of_file.iter_mut().map(|one| &mut one.claim) {
        if claim.instance.is_none() && (claim.pid.is_some() || claim.kind.is_of_server()) {
            claim.instance = Some(instance.clone());
        }
    }
}

/// How long the requests of each function took that a limit cut off: where there are enough of them to say something.
fn histories(evidence: &[Evidence], incidents: &[Incident]) -> BTreeMap<FunctionName, History> {
    let mut histories: BTreeMap<FunctionName, History> = BTreeMap::new();
    for incident in incidents.iter().filter(|incident| incident.outcome == Outcome::Timeout) {
        let after = incident.elapsed_ms.or_else(|| incident.diagnosis.limit.as_ref()?.value_ms);
        if let Some((function, after)) = incident.function.as_ref().zip(after) {
            histories.entry(function.clone()).or_default().cut.push((after, 1));
        }
    }
    let is_wanted = |claim: &&Claim| claim.finished_run().is_some_and(|run| histories.contains_key(run.function));
    let mut claims: Vec<&Claim> = evidence.iter().map(|one| &one.claim).filter(is_wanted).collect();
    // What stands in two of the files is one request.
    claims.sort_unstable();
    claims.dedup();
    // A request that a log line and a span tell of is one, too: per function, the format that knows of most.
    let mut by_format: BTreeMap<(&FunctionName, &str), Histogram> = BTreeMap::new();
    for claim in claims {
        if let Some(run) = claim.finished_run() {
            by_format.entry((run.function, &claim.format)).or_default().add(run.took);
        }
    }
    for ((function, _), runs) in by_format {
        if let Some(history) = histories.get_mut(function).filter(|history| history.finished.total() < runs.total()) {
            history.finished = runs;
        }
    }
    histories.retain(|_, history| history.runs() >= estimate::RUNS_MIN);
    histories
}

fn count(read: &mut Read, file: &str, item: Item, now: Timestamp) -> Option<Evidence> {
    match item.fate {
        Fate::Evidence(claim) => {
            read.evidence += 1;
            Some(Evidence {
                stack: StackName::default(),
                source: SourceName::from(file),
                received_at: now,
                origin: Some(Origin { file: file.to_owned(), line: item.line }),
                claim: *claim,
            })
        }
        Fate::Ignored(_) => {
            read.ignored += 1;
            None
        }
        Fate::Passed(lines) => {
            read.ignored += lines;
            None
        }
        Fate::Rejected(reject) => {
            read.rejected += 1;
            if read.rejects.len() < REJECTS_MAX {
                read.rejects.push(Rejected { file: file.to_owned(), line: item.line, reason: reject.reason });
            }
            None
        }
    }
}
