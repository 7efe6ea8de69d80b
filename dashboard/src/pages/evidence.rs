//! The evidence of an incident or a request: who said what and when, contradictions marked, raw lines as received.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use askama::filters::HtmlSafe;
use domain::{Citation, Diagnosis, Evidence};
use jiff::Timestamp;

use crate::moment::{Clock, Moment};
use crate::text::{Sentence, Text};
use crate::words;

/// Rows shown; the JSON has all.
const ROWS_MAX: usize = 200;

/// Evidence, one claim per row.
#[derive(Debug, Template)]
#[template(path = "parts/evidence.html")]
pub struct EvidenceTable {
    rows: Vec<Row>,
    more: usize,
    json: String,
}

// Its template escapes what it prints.
impl HtmlSafe for EvidenceTable {}

#[derive(Debug)]
struct Row {
    anchor: String,
    at: Option<Clock>,
    arrived: Option<Moment>,
    source: Text,
    format: Text,
    claim: Text,
    remarks: Vec<Remark>,
    contradicted: bool,
    raw: Text,
}

/// What the diagnosis says about one claim.
#[derive(Clone, Debug)]
struct Remark {
    class: &'static str,
    word: &'static str,
    text: Sentence,
}

/// The address of a claim on its page.
#[must_use]
pub fn anchor(claim_id: &str) -> String {
    let safe: String = claim_id.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    format!("e-{safe}")
}

impl EvidenceTable {
    /// Shows `evidence` in order of time, with the remarks that `diagnoses` make about it. Claims that a diagnosis rests on
    /// are always among the rows, also when nothing but the citation is left of them.
    #[must_use]
    pub fn new(evidence: &[Evidence], diagnoses: &[&Diagnosis], json: String, now: Timestamp) -> Self {
        let remarks = remarks(diagnoses);
        let cited: BTreeMap<&str, &Citation> =
            diagnoses.iter().flat_map(|diagnosis| citations(diagnosis)).map(|citation| (citation.id.as_str(), citation)).collect();
        let mut seen = BTreeSet::new();
        let mut timed: Vec<(Option<Timestamp>, bool, Row)> = Vec::new();
        for item in evidence {
            let id = item.claim.id().to_hex();
            if seen.insert(id.clone()) {
                timed.push((item.claim.at(), cited.contains_key(id.as_str()), stored_row(item, &id, &remarks, now)));
            }
        }
        for (id, citation) in cited.iter().filter(|(id, _)| !seen.contains(**id)) {
            timed.push((citation.at, true, cited_row(citation, id, &remarks, now)));
        }
        let more = timed.len().saturating_sub(ROWS_MAX);
        if more > 0 {
            timed.sort_by_key(|(_, is_cited, _)| !is_cited);
            timed.truncate(ROWS_MAX);
        }
        // What has no time stands last: nobody knows where it belongs.
        timed.sort_by_key(|(at, _, _)| (at.is_none(), *at));
        Self { rows: timed.into_iter().map(|(_, _, row)| row).collect(), more, json }
    }
}

fn stored_row(evidence: &Evidence, id: &str, remarks: &BTreeMap<String, Vec<Remark>>, now: Timestamp) -> Row {
    /// Arrivals later than this after the event are worth a word.
    const LATE_MS: i64 = 10_000;
    let claim = &evidence.claim;
    let at = claim.at();
    let late = at.is_none_or(|at| (evidence.received_at.as_millisecond() - at.as_millisecond()).abs() > LATE_MS);
    let own = remarks.get(id).cloned().unwrap_or_default();
    Row {
        anchor: anchor(id),
        at: at.map(|at| Clock { moment: Moment::new(at, now) }),
        arrived: late.then(|| Moment::new(evidence.received_at, now)),
        source: Text::name(evidence.source.as_str()),
        format: Text::name(&claim.format),
        claim: words::claim(claim),
        contradicted: own.iter().any(|remark| remark.class == "contradicted"),
        remarks: own,
        raw: Text::raw(&claim.raw),
    }
}

fn cited_row(citation: &Citation, id: &str, remarks: &BTreeMap<String, Vec<Remark>>, now: Timestamp) -> Row {
    let own = remarks.get(id).cloned().unwrap_or_default();
    let place = citation.file.as_deref().map(|file| citation.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}")));
    Row {
        anchor: anchor(id),
        at: citation.at.map(|at| Clock { moment: Moment::new(at, now) }),
        arrived: None,
        source: Text::name(place.as_deref().unwrap_or("cited")),
        format: Text::name(&citation.format),
        claim: Text::name("cited by the diagnosis; not stored with this request"),
        contradicted: own.iter().any(|remark| remark.class == "contradicted"),
        remarks: own,
        raw: Text::raw(&citation.text),
    }
}

/// Everything that a diagnosis cites.
fn citations(diagnosis: &Diagnosis) -> impl Iterator<Item = &Citation> {
    let notes = diagnosis.contradicted.iter().chain(&diagnosis.consequences).flat_map(|note| &note.evidence);
    let reasons = diagnosis.reasons.iter().flat_map(|reason| &reason.evidence);
    diagnosis.evidence.iter().chain(notes).chain(reasons)
}

fn remarks(diagnoses: &[&Diagnosis]) -> BTreeMap<String, Vec<Remark>> {
    let mut remarks: BTreeMap<String, Vec<Remark>> = BTreeMap::new();
    for diagnosis in diagnoses {
        let contradicted = diagnosis.contradicted.iter().map(|note| ("contradicted", "contradicted", note));
        let consequences = diagnosis.consequences.iter().map(|note| ("consequence", "a consequence", note));
        for (class, word, note) in contradicted.chain(consequences) {
            for citation in &note.evidence {
                remarks.entry(citation.id.clone()).or_default().push(Remark { class, word, text: Sentence::new(&note.text) });
            }
        }
    }
    remarks
}
