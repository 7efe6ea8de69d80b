//! From a case to a verdict: which limit fired, why, how sure, what to change. Pure.
//!
//! Two questions, in this order. `firing/`: *which layer acted?* One file per program that can end a request; each reads
//! what that program claims and holds it against the clock. `causes/`: *why did it take so long?* One file per cause. A
//! case in which nothing acted is no incident.

mod advice;
mod causes;
mod clocks;
mod fingerprint;
mod firing;
mod order;
mod sentence;
mod timeline;

use domain::{Citation, Diagnosis, Evidence, Fired, Incident, IncidentId, Instance, Product, StackSample};

use crate::correlate::{Case, is_proxys};

pub use causes::CAUSES;
pub use firing::{Firing, recheck_at};

/// The incident that a case amounts to; `None` when nothing overran.
#[must_use]
pub fn incident(case: &Case<'_>) -> Option<Incident> {
    let firing = firing::first(case)?;
    let (why, mut found) = causes::recognise(case, &firing);
    let function = case.any(|claim| claim.function.clone());
    let mut all = firing.reasons.clone();
    all.append(&mut found.reasons);
    let mut evidence: Vec<Citation> = all.iter().flat_map(|reason| reason.evidence.iter().cloned()).collect();
    evidence.sort_by(|a, b| (a.at, &a.file, a.line, &a.id).cmp(&(b.at, &b.file, b.line, &b.id)));
    evidence.dedup();
    let diagnosis = Diagnosis {
        layer: firing.limit.as_ref().map(|limit| limit.layer).or(firing.layer),
        product: firing.product.clone(),
        limit: firing.limit.as_ref().map(Fired::from),
        confidence: firing.confidence,
        contradicted: firing.contradicted.clone(),
        consequences: firing.consequences.clone(),
        advice: advice::for_case(case, &firing, &why, &mut found),
        refuted_by: firing.refuted_by.clone().into_owned(),
        reasons: all,
        evidence,
        cause: why,
    };
    let problem = fingerprint::problem(case, function.as_ref(), &firing, &diagnosis);
    let timeline = timeline::draw(case, &firing, &diagnosis);
    let (instance, pid) = place(case);
    Some(Incident {
        id: IncidentId::derive(case.stack, &case.subject, case.attempt),
        subject: case.subject.to_string(),
        problem,
        request_id: case.request_id().cloned(),
        attempt: if case.request_id().is_some() { case.attempt } else { 1 },
        trace_id: case.trace_id().cloned(),
        stack: case.stack.clone(),
        version: case.any(|claim| claim.version().map(str::to_owned)),
        release: case.any(|claim| claim.text("release").map(str::to_owned)),
        platform: platform(case, &firing),
        instance,
        pid,
        outcome: firing.outcome,
        state: firing.state,
        started_at: case.started_at(),
        ended_at: firing.at.or_else(|| case.ended_at()),
        elapsed_ms: if timeline.clocks.is_empty() { case.elapsed() } else { case.elapsed_by_one_clock() },
        summary: sentence::verdict(case, &firing, found.why.as_deref()),
        timeline,
        original_event: case.any(|claim| claim.attributes.get("original_event").cloned()),
        stack_sample: stack_sample(case),
        function,
        diagnosis,
    })
}

/// Where it was served: the process, and the instance that sources name for it, not that of a proxy in front.
fn place(case: &Case<'_>) -> (Option<Instance>, Option<u32>) {
    let pid = case.worker.as_ref().map(|end| end.pid).or_else(|| case.any(|claim| claim.pid.filter(|_| !is_proxys(claim))));
    let of_process = pid.and_then(|_| case.any(|claim| claim.instance.clone().filter(|_| claim.pid == pid && !is_proxys(claim))));
    let of_server = || case.any(|claim| claim.instance.clone().filter(|_| !is_proxys(claim)));
    let in_front = || case.any(|claim| claim.instance.clone()).filter(|_| pid.is_none());
    (of_process.or_else(of_server).or_else(in_front), pid)
}

/// The latest look at the thread that served the request.
fn stack_sample(case: &Case<'_>) -> Option<StackSample> {
    let serving = |one: &Evidence| {
        let stacks = &one.claim.stacks;
        let stack = stacks.iter().find(|stack| stack.serving).or_else(|| stacks.first().filter(|_| stacks.len() == 1))?;
        (!stack.frames.is_empty()).then(|| StackSample { at: one.claim.at(), frames: stack.frames.clone() })
    };
    case.evidence().filter_map(serving).max_by_key(|sample| sample.at)
}

/// The platform or server that ran the request: the one whose lines tell of it, not the layer in front that gave up.
fn platform(case: &Case<'_>, firing: &Firing) -> Option<Product> {
    let serving = case.any(|claim| claim.platform.clone().filter(|product| !product.is_proxy()));
    serving.or_else(|| case.any(|claim| claim.platform.clone())).or_else(|| firing.product.clone())
}

/// Points at a claim.
pub(crate) fn cite(evidence: &Evidence) -> Citation {
    let claim = &evidence.claim;
    Citation {
        file: evidence.origin.as_ref().map(|origin| origin.file.clone()),
        line: evidence.origin.as_ref().map(|origin| origin.line),
        at: claim.at(),
        format: claim.format.clone(),
        id: claim.id().to_hex(),
        text: claim.raw.clone(),
    }
}

/// Points at several claims.
pub(crate) fn cite_all<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> Vec<Citation> {
    evidence.into_iter().map(cite).collect()
}
