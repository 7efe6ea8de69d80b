//! Spans that were told of while they were open: of all that is said of one span, the last word counts.
//!
//! A heartbeat says that a span is open at a moment. A later heartbeat says more, the record of its stop more still, and the
//! span itself, exported at its end, most of all. Which of them came first does not matter.

use std::collections::BTreeMap;

use domain::{Claim, Evidence, Kind, SpanId, TraceId, Value};

use crate::parse::otlp_logs;

/// What one span is known by. Some tracers give both sides of a call one ID, so its kind belongs to it.
type Identity<'a> = (Option<&'a TraceId>, Option<&'a SpanId>, Option<&'a str>);

/// Whether a claim is of a span that has not ended.
#[must_use]
pub fn is_open(claim: &Claim) -> bool {
    claim.kind == Kind::Span && claim.attributes.get("open") == Some(&Value::from(true))
}

/// Whether it is said on the way to a span that may follow.
fn is_on_the_way(claim: &Claim) -> bool {
    claim.kind == Kind::Span && (is_open(claim) || claim.format == otlp_logs::FORMAT)
}

/// Takes out of one stack's evidence what a later word makes void.
pub fn keep_last_words(all: &mut Vec<&Evidence>) {
    if !all.iter().any(|one| is_on_the_way(&one.claim)) {
        return;
    }
    let mut last: BTreeMap<Identity<'_>, &Claim> = BTreeMap::new();
    for one in all.iter().copied().filter(|one| one.claim.kind == Kind::Span) {
        let word = last.entry(identity(one)).or_insert(&one.claim);
        if rank(word) < rank(&one.claim) {
            *word = &one.claim;
        }
    }
    all.retain(|one| !is_on_the_way(&one.claim) || last.get(&identity(one)).is_some_and(|word| **word == one.claim));
}

fn identity(one: &Evidence) -> Identity<'_> {
    (one.claim.trace_id.as_ref(), one.claim.span_id.as_ref(), one.claim.text("span_kind"))
}

/// How much is said: the end before a heartbeat, the span itself before the record of its stop, later before earlier.
fn rank(claim: &Claim) -> impl Ord + '_ {
    (!is_open(claim), claim.format != otlp_logs::FORMAT, claim.observed_at, claim)
}
