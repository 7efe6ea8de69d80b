//! Correlate and diagnose in one step: the pure function from a set of evidence to its incidents.

use domain::{Evidence, Folded};
use jiff::Timestamp;

use crate::correlate::{self, Knowledge};
use crate::diagnose;

/// The incidents of a group of evidence as of a moment, with no limits known beside it.
#[must_use]
pub fn fold(evidence: &[Evidence], as_of: Timestamp) -> Folded {
    fold_knowing(evidence, &Knowledge::default(), as_of)
}

/// The same, with limits known from configuration.
#[must_use]
pub fn fold_knowing(evidence: &[Evidence], knowledge: &Knowledge, as_of: Timestamp) -> Folded {
    let cases = correlate::cases(evidence, knowledge, as_of);
    let mut incidents: Vec<_> = cases.iter().filter_map(diagnose::incident).collect();
    incidents.sort_by(|a, b| (a.at(), &a.subject, a.attempt).cmp(&(b.at(), &b.subject, b.attempt)));
    Folded { incidents, recheck_at: cases.iter().filter_map(diagnose::recheck_at).min() }
}
