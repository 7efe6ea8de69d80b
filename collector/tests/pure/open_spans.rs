//! Spans that are told of while they are open: heartbeats, their stop, and the span itself at its end.

use collector::fold;
use domain::{Evidence, Incident, Millis};
use proptest::prelude::*;

use crate::support::{LATER, Span, at, evidence, evidence_of, fixture, only};

const ID: &str = "11111111-2222-4333-8444-555555555555";
const SERVER: Span<'_> = Span {
    service: "checkout",
    trace: "5b8efff798038103d269b633813fc60c",
    id: "bbbbbbbbbbbbbbbb",
    parent: "",
    kind: 2,
    from_ms: 5,
    to_ms: 0,
    failed: false,
    attributes: &[("faas.invocation_id", ID)],
};
const CALL: Span<'_> = Span {
    id: "cccccccccccccccc",
    parent: SERVER.id,
    kind: 3,
    from_ms: 400,
    attributes: &[("http.request.method", "POST"), ("server.address", "payments.internal")],
    ..SERVER
};

/// The REPORT of an invocation that was ended at 3 s.
fn killed() -> String {
    let report = format!("REPORT RequestId: {ID}\\tDuration: 3000.00 ms\\tBilled Duration: 3000 ms\\tStatus: timeout");
    format!("{{\"timestamp\":\"2026-11-22T12:00:03.005Z\",\"logStream\":\"s\",\"message\":\"{report}\"}}\n")
}

fn heartbeats() -> String {
    let beats = (1..=4).map(|n| [SERVER.partial("heartbeat", n * 600, 600), CALL.partial("heartbeat", n * 600 + 100, 600)].concat());
    beats.collect()
}

fn folded(text: &str) -> Incident {
    only(fold(&evidence(text), at(LATER)).incidents)
}

fn cause(incident: &Incident) -> (&str, Option<&str>, Option<i64>) {
    let cause = &incident.diagnosis.cause;
    (&cause.id, cause.operation.as_deref(), cause.waited_ms.map(Millis::as_ms))
}

fn reasons(incident: &Incident) -> String {
    incident.diagnosis.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_call_that_hangs_is_seen_although_its_span_never_ends() {
    let incident = folded(&(killed() + &heartbeats()));
    assert_eq!(cause(&incident), ("waiting_on_downstream", Some("POST payments.internal"), Some(2605)));
    let reasons = reasons(&incident);
    assert!(reasons.contains("2.6 s of 3 s went into POST payments.internal, which had not been answered"), "{reasons}");
    assert!(reasons.contains("its span was still open at its last heartbeat, 2.1 s after it had begun"), "{reasons}");
    assert_eq!(incident.diagnosis.evidence.iter().filter(|cited| cited.text.contains("still open")).count(), 1, "{incident:#?}");
}

#[test]
fn a_span_that_ended_is_not_open_any_more() {
    let ended = Span { to_ms: 900, ..CALL };
    for last_word in [ended.line(), ended.partial("stop", 950, 600)] {
        let incident = folded(&(killed() + &last_word + &heartbeats()));
        assert_eq!(cause(&incident), ("unknown", None, None), "{last_word}");
    }
    let late = Span { to_ms: 2900, ..CALL };
    let incident = folded(&(killed() + &late.partial("stop", 2950, 600) + &late.line() + &heartbeats()));
    assert_eq!(cause(&incident), ("waiting_on_downstream", Some("POST payments.internal"), Some(2500)));
    assert!(reasons(&incident).contains("which was answered late") && !reasons(&incident).contains("heartbeat"));
}

#[test]
fn a_span_whose_heartbeats_stopped_early_counts_up_to_the_last_one() {
    let incident = folded(&(killed() + &SERVER.partial("heartbeat", 600, 600) + &CALL.partial("heartbeat", 700, 600)));
    assert_eq!(cause(&incident), ("unknown", None, None), "for 2.3 s nothing was heard of it");
    let incident = folded(&(killed() + &SERVER.partial("heartbeat", 600, 100) + &CALL.partial("heartbeat", 2100, 100)));
    assert_eq!(cause(&incident), ("waiting_on_downstream", Some("POST payments.internal"), Some(1700)));
    assert!(reasons(&incident).contains("which was open when it was last heard of"));
}

#[test]
fn real_heartbeats_of_a_killed_process_tell_what_it_waited_for() {
    let report = "REPORT RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219\tDuration: 4000.00 ms\tBilled Duration: 4000 ms\tStatus: timeout";
    // The request began at 09:06:24.839.
    let report = serde_json::json!({"timestamp": "2026-11-27T09:06:28.840Z", "logStream": "s", "message": report}).to_string();
    let mut all = evidence(&report);
    all.extend(evidence_of(&fixture("otlp_logs/python-partial-span-processor-0.0.9.pb"), None));
    let incident = only(fold(&all, at(LATER)).incidents);
    assert_eq!(cause(&incident).1, Some("POST payments.internal"));
    assert!(
        reasons(&incident).contains("its span was still open at its last heartbeat, 2.87 s after it had begun"),
        "{}",
        reasons(&incident)
    );
}

proptest! {
    /// Whatever was heard on the way and in whatever order: once a span has ended, its end is all that counts.
    #[test]
    fn the_last_word_counts_alone(beats in proptest::collection::vec(0_u64..3000, 0..6), stopped in any::<bool>(), order in any::<prop::sample::Index>()) {
        let ended = Span { to_ms: 2900, ..CALL };
        let stop = if stopped { ended.partial("stop", 2950, 500) } else { String::new() };
        let with = [killed(), SERVER.line(), ended.line(), stop, beats.iter().map(|at| CALL.partial("heartbeat", *at, 500)).collect()].concat();
        let mut arrived: Vec<Evidence> = evidence(&with);
        let count = arrived.len();
        arrived.rotate_left(order.index(count));
        let said = |evidence: &[Evidence]| serde_json::to_string(&fold(evidence, at(LATER)).incidents).expect("JSON");
        prop_assert_eq!(said(&arrived), said(&evidence(&[killed(), SERVER.line(), ended.line()].concat())));
    }
}
