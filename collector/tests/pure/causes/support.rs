//! What the tests of causes share: an invocation of Lambda's that was ended at its limit, and events of its watchdog.

use collector::correlate::Knowledge;
use collector::diagnose::CAUSES;
use collector::{fold, fold_knowing};
use domain::{Confidence, Incident};

use crate::support::{LATER, Span, at, evidence, only};

pub const ID: &str = "11111111-2222-4333-8444-555555555555";
pub const TRACE: &str = "5b8efff798038103d269b633813fc60c";

pub fn folded(text: &str) -> Incident {
    only(fold(&evidence(text), at(LATER)).incidents)
}

pub fn folded_knowing(text: &str, knowledge: &Knowledge) -> Incident {
    only(fold_knowing(&evidence(text), knowledge, at(LATER)).incidents)
}

/// The lines of an invocation that began at 12:00:00 and was ended at 3 s.
pub fn timed_out(report: &str) -> String {
    let line =
        |time: &str, text: &str| format!("{{\"timestamp\":\"2026-11-22T12:00:{time}Z\",\"logStream\":\"s\",\"message\":\"{text}\"}}\n");
    let report = format!("REPORT RequestId: {ID}\\tDuration: 3000.00 ms\\tBilled Duration: 3000 ms\\t{report}Status: timeout");
    [line("00.000", &format!("START RequestId: {ID} Version: 7")), line("03.000", &format!("END RequestId: {ID}")), line("03.000", &report)]
        .concat()
}

/// An event of its watchdog, that many milliseconds after its beginning.
pub fn event(kind: &str, after_ms: i64, more: &str) -> String {
    let left_ms = 3000 - after_ms;
    format!(
        "{{\"kind\":\"{kind}\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-22T12:00:{:02}.{:03}Z\",\"elapsed_ms\":{after_ms},\"left_ms\":{left_ms}{more}}}\n",
        after_ms / 1000,
        after_ms % 1000
    )
}

pub fn fired(in_flight: &str) -> String {
    event("fired", 2500, &format!(",\"in_flight\":[{in_flight}]"))
}

pub fn call(started_at: &str, client_timeout: &str) -> String {
    format!("{{\"operation\":\"POST\",\"target\":\"payments.internal\",\"started_at\":\"2026-11-22T12:00:{started_at}Z\"{client_timeout}}}")
}

/// A stack of one frame or more, the serving thread's.
pub fn stack(blocked: Option<bool>, frames: &[(&str, &str)]) -> String {
    let frames: Vec<_> =
        frames.iter().map(|(function, file)| format!("{{\"function\":\"{function}\",\"file\":\"{file}\",\"line\":7}}")).collect();
    let blocked = blocked.map_or(String::new(), |blocked| format!(",\"blocked\":{blocked}"));
    format!(",\"stacks\":[{{\"name\":\"MainThread\",\"serving\":true{blocked},\"frames\":[{}]}}]", frames.join(","))
}

pub fn cause(incident: &Incident) -> (&str, Option<&str>, Option<i64>) {
    let cause = &incident.diagnosis.cause;
    (&cause.id, cause.operation.as_deref(), cause.waited_ms.map(domain::Millis::as_ms))
}

/// The name of the cause, and how sure it is.
pub fn named(incident: &Incident) -> (&str, Confidence) {
    (&incident.diagnosis.cause.id, incident.diagnosis.cause.confidence)
}

/// Advice as `setting from → to`.
pub fn changes(incident: &Incident) -> Vec<String> {
    let told = incident.diagnosis.advice.iter().filter_map(|advice| {
        let word = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        advice.setting.as_ref().map(|setting| format!("{setting} {} → {}", word(&advice.from), word(&advice.to)))
    });
    told.collect()
}

/// The span of the invocation itself.
pub fn server_span(to_ms: u64) -> Span<'static> {
    Span {
        service: "checkout",
        trace: TRACE,
        id: "bbbbbbbbbbbbbbbb",
        parent: "",
        kind: 2,
        from_ms: 5,
        to_ms,
        failed: false,
        attributes: &[("faas.invocation_id", ID)],
    }
}

/// The names of all causes, in order.
pub fn names() -> Vec<&'static str> {
    CAUSES.iter().map(|(id, _)| *id).collect()
}
