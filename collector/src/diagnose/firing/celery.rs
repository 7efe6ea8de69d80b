//! Celery: the worker's word about a task's limits. A soft limit raises an exception in the task, which may catch it and go on;
//! a hard one ends the process. A process may die without either, and a worker that is stopped at once waits for no task.

use domain::{Confidence, Evidence, IncidentState, Kind, Layer, Outcome, Product, Reason};

use super::{Firing, known};
use crate::correlate::Case;
use crate::diagnose::cite;

/// What it did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let own = || case.own.iter().copied().filter(|one| one.claim.format == "celery");
    let notice = own().rfind(|one| one.claim.kind == Kind::TimeoutNotice);
    let died = || own().find(|one| matches!(one.claim.kind, Kind::Fault | Kind::ProcessExit));
    let firing = match (notice, died()) {
        (Some(notice), _) => timed_out(case, notice),
        (None, Some(died)) => lost(case, died),
        (None, None) => cut_off(case)?,
    };
    Some(Firing { layer: Some(Layer::AppServer), product: Some(Product::from("celery")), ..firing })
}

fn timed_out(case: &Case<'_>, notice: &Evidence) -> Firing {
    let limit = notice.claim.limit.clone().map(|named| known::limit(case, named));
    let is_soft = limit.as_ref().is_some_and(|limit| limit.setting == "--soft-time-limit");
    let after = |one: &&Evidence| one.claim.observed_at >= notice.claim.observed_at;
    let end = |kind| case.all(kind).filter(after).find(|_| is_soft);
    let (state, text, end) = if let Some(end) = end(Kind::InvocationReport) {
        (IncidentState::Survived, "the task caught it and finished", Some(end))
    } else if let Some(end) = end(Kind::RequestError) {
        let is_limits = end.claim.text("error_type").is_some_and(|error| error.ends_with("SoftTimeLimitExceeded"));
        let by_limit = "the task ended by the exception that the limit raises";
        (IncidentState::Confirmed, if is_limits { by_limit } else { "the task ended by another exception after it" }, Some(end))
    } else if let Some(end) = end(Kind::InvocationEnd) {
        (IncidentState::Confirmed, "the task ended by it and is to be tried again", Some(end))
    } else if is_soft {
        (IncidentState::Confirmed, "the limit raises an exception in the task; no line says that it ended by it", None)
    } else {
        (IncidentState::Confirmed, "what ran the task was killed: the task could not clean up", None)
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
fn lost(case: &Case<'_>, died: &Evidence) -> Firing {
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Likely);
    firing.at = died.claim.observed_at;
    let how = died.claim.text("message").unwrap_or("a signal");
    let text = format!("the process that ran a task ended ({how}) before the task did, and no time limit had fired");
    firing.reasons.push(Reason { text, evidence: vec![cite(died)] });
    if let Some(received) = case.own.first().filter(|one| one.claim.request_id.is_some()) {
        let text = "the line names no task: by then this was the only one of that log that had been received and had no end";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(received)] });
    } else if died.claim.kind == Kind::ProcessExit {
        firing.confidence = Confidence::Possible;
        let text = "no line says that it ran a task: of one that is acknowledged late and rejected with its process, Celery says no more";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    if how.contains("SIGTERM") {
        firing.confidence = Confidence::Possible;
        let text =
            "SIGTERM is also how Celery ends its own processes when it is stopped at once (`Cold shutdown`), which it says without a time";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    firing.refuted_by = "a `Hard time limit` line of the same moment".into();
    firing
}

/// A task that was running when the worker was stopped at once.
fn cut_off(case: &Case<'_>) -> Option<Firing> {
    let stops = || case.server.iter().copied().filter(|one| one.claim.format == "celery");
    let stop = stops().find(|one| one.claim.limit.is_some()).or_else(|| stops().next())?;
    let received = case.own.first()?;
    let has_begun = case.first(Kind::InvocationStart).is_some();
    let confidence = if has_begun { Confidence::Likely } else { Confidence::Possible };
    let mut firing = Firing::new(Outcome::DroppedAtShutdown, IncidentState::Confirmed, confidence);
    firing.limit.clone_from(&stop.claim.limit);
    let grace = firing.limit.as_ref().and_then(|limit| limit.value_ms);
    firing.at = stop.claim.observed_at.zip(grace).map(|(at, grace)| grace.after(at));
    let text = "the worker was stopped without waiting for its tasks, and this one has no end";
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(stop), cite(received)] });
    if !has_begun {
        let text = "the log does not say whether it had begun or was waiting (at level DEBUG it says `Task accepted`)";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(received)] });
    }
    firing.refuted_by = "a `succeeded` line of this task after the stop".into();
    Some(firing)
}
