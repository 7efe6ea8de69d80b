//! Celery: the worker's word about a task's limits. A soft limit raises an exception in the task, which may catch it and go on;
//! a hard one ends the process.

use domain::{Confidence, Evidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::Case;
use crate::diagnose::cite;

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let own = || case.own.iter().copied().filter(|one| one.claim.format == "celery");
    let notice = own().rfind(|one| one.claim.kind == Kind::TimeoutNotice);
    let firing = match notice {
        Some(notice) => timed_out(case, notice),
        None => lost(own().find(|one| one.claim.kind == Kind::Fault)?),
    };
    Some(Firing { layer: Some(Layer::AppServer), product: Some(Product::from("celery")), ..firing })
}

fn timed_out(case: &Case<'_>, notice: &Evidence) -> Firing {
    let limit = notice.claim.limit.clone().map(|named| known::limit(case, named));
    let is_soft = limit.as_ref().is_some_and(|limit| limit.setting == "--soft-time-limit");
    let after = |one: &&Evidence| one.claim.observed_at >= notice.claim.observed_at;
    let finished = case.all(Kind::InvocationReport).filter(after).find(|_| is_soft);
    let raised = case.all(Kind::RequestError).filter(after).find(|_| is_soft);
    let (state, text, end) = match (finished, raised) {
        (Some(end), _) => (IncidentState::Survived, "the task caught it and finished", Some(end)),
        (None, Some(end)) => (IncidentState::Confirmed, "the task ended by the exception that the limit raises", Some(end)),
        (None, None) if is_soft => {
            (IncidentState::Confirmed, "the limit raises an exception in the task; no line says that it ended by it", None)
        }
        (None, None) => (IncidentState::Confirmed, "the process that ran the task was killed: the task could not clean up", None),
    };
    let mut firing = Firing::new(Outcome::Timeout, state, Confidence::Certain);
    firing.at = notice.claim.observed_at;
    firing.reasons.push(Reason { text: "Celery's worker says so".to_owned(), evidence: vec![cite(notice)] });
    firing.reasons.push(Reason { text: text.to_owned(), evidence: end.into_iter().map(cite).collect() });
    if let Some(frame) = end.and_then(|end| end.claim.stacks.first()?.frames.last()) {
        let place = frame.file.as_deref().map_or(String::new(), |file| format!(" ({file}:{})", frame.line.unwrap_or_default()));
        firing
            .reasons
            .push(Reason { text: format!("it stood in `{}`{place}", frame.function), evidence: end.into_iter().map(cite).collect() });
    }
    firing.refuted_by = "a `succeeded` line of this task before the limit's".into();
    firing.limit = limit;
    firing
}

/// A pool process that died under its task; the line does not say which task.
fn lost(fault: &Evidence) -> Firing {
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Likely);
    firing.at = fault.claim.observed_at;
    let how = fault.claim.text("message").unwrap_or("a signal");
    let text = format!("the process that ran a task ended ({how}) before the task did, and no time limit had fired");
    firing.reasons.push(Reason { text, evidence: vec![cite(fault)] });
    if how.contains("SIGTERM") {
        firing.confidence = Confidence::Possible;
        let text =
            "SIGTERM is also how Celery ends its own processes when it is stopped at once (`Cold shutdown`), which it says without a time";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    firing.refuted_by = "a `Hard time limit` line of the same moment".into();
    firing
}
