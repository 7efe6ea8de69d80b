//! Spans that carry no request ID find their request through their trace.
//!
//! A trace may hold many requests, so belonging to one trace only relates. A span joins a request along parentage, up to a
//! span that carries the request's ID, or where the trace has one request only.

use std::collections::BTreeMap;

use domain::{Evidence, RequestId, SpanId};

use super::set::Set;

/// Longest chain of parents that is followed; a deeper one is a cycle or not ours to climb.
const DEPTH_MAX: usize = 128;

/// Adds to each request the spans of its trace that belong to it.
pub fn join<'a>(set: &Set<'a>, requests: &mut BTreeMap<&'a RequestId, Vec<&'a Evidence>>) {
    for (trace_id, spans) in &set.traces {
        let candidates: Vec<&'a RequestId> = set
            .requests
            .iter()
            .filter(|(_, evidence)| evidence.iter().any(|one| one.claim.trace_id.as_ref() == Some(trace_id)))
            .map(|(id, _)| *id)
            .collect();
        if candidates.is_empty() {
            continue;
        }
        let mut owners: BTreeMap<&SpanId, &'a RequestId> = BTreeMap::new();
        for id in &candidates {
            for one in &set.requests[id] {
                if let (Some(span), true) = (&one.claim.span_id, one.claim.trace_id.as_ref() == Some(trace_id)) {
                    owners.insert(span, id);
                }
            }
        }
        let parents: BTreeMap<&SpanId, &SpanId> =
            spans.iter().filter_map(|one| Some((one.claim.span_id.as_ref()?, one.claim.parent_span_id.as_ref()?))).collect();
        for one in spans {
            let owner = climb(one, &parents, &owners).or_else(|| (candidates.len() == 1).then(|| candidates[0]));
            if let Some(owner) = owner {
                requests.entry(owner).or_default().push(one);
            }
        }
    }
}

fn climb<'a>(span: &Evidence, parents: &BTreeMap<&SpanId, &SpanId>, owners: &BTreeMap<&SpanId, &'a RequestId>) -> Option<&'a RequestId> {
    let mut at = span.claim.parent_span_id.as_ref()?;
    for _ in 0..DEPTH_MAX {
        if let Some(owner) = owners.get(at) {
            return Some(owner);
        }
        at = parents.get(at)?;
    }
    None
}
