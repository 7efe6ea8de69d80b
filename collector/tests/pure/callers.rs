//! Requests whose caller gave up: told from the caller's own span, and only when its end came first.

use collector::fold;
use domain::{Incident, Layer};

use crate::support::{LATER, Span, at, evidence, only, verdict, verdicts};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const ID: &str = "11111111-2222-4333-8444-555555555555";

fn caller(to_ms: u64, failed: bool) -> Span<'static> {
    Span { service: "storefront", trace: TRACE, id: "aaaaaaaaaaaaaaaa", parent: "", kind: 3, from_ms: 1, to_ms, failed, attributes: &[] }
}

fn function(to_ms: u64) -> Span<'static> {
    Span {
        service: "checkout",
        trace: TRACE,
        id: "bbbbbbbbbbbbbbbb",
        parent: "aaaaaaaaaaaaaaaa",
        kind: 2,
        from_ms: 20,
        to_ms,
        failed: false,
        attributes: &[("faas.invocation_id", ID)],
    }
}

fn incidents(spans: &[Span<'_>]) -> Vec<Incident> {
    let lines: String = spans.iter().map(Span::line).collect();
    fold(&evidence(&lines), at(LATER)).incidents
}

#[test]
fn a_caller_that_gave_up_first_has_left() {
    let incident = only(incidents(&[caller(1000, true), function(1500)]));
    assert_eq!(verdict(&incident), "caller_left confirmed likely client storefront - -");
    assert_eq!(incident.diagnosis.cause.id, "caller_left");
    assert_eq!(incident.request_id.as_ref().map(domain::RequestId::as_str), Some(ID));
    assert_eq!(incident.summary, "the caller (storefront) gave up first; the function went on");
    assert!(incident.diagnosis.refuted_by.contains("clocks"));
    assert_eq!(incident.diagnosis.evidence.len(), 2, "both ends of the call");
}

#[test]
fn a_callers_error_at_the_moment_of_the_end_is_a_consequence() {
    for end in [1000, 1200, 900] {
        assert_eq!(verdicts(&incidents(&[caller(1000, true), function(end)])), [""; 0], "the function ended at {end}");
    }
}

#[test]
fn a_caller_that_got_its_answer_has_not_left() {
    assert_eq!(verdicts(&incidents(&[caller(1000, false), function(1500)])), [""; 0]);
    assert_eq!(verdicts(&incidents(&[caller(0, true), function(1500)])), [""; 0], "a span that never ended has no end");
}

#[test]
fn somebody_elses_failed_call_in_the_same_trace_is_not_the_caller() {
    let other = Span { id: "cccccccccccccccc", ..caller(500, true) };
    assert_eq!(verdicts(&incidents(&[other, caller(2000, false), function(1500)])), [""; 0]);
}

#[test]
fn who_acted_first_is_the_verdict_and_the_other_its_consequence() {
    let report = |end_ms: u32| {
        format!(
            "{{\"timestamp\":\"2026-11-22T12:00:0{}.{:03}Z\",\"logStream\":\"s\",\"message\":\"REPORT RequestId: {ID}\\tDuration: 3000.00 ms\\tBilled Duration: 3000 ms\\tStatus: timeout\"}}\n",
            end_ms / 1000,
            end_ms % 1000
        )
    };
    // Lambda's own timeout at 3 s, after the caller had left at 1 s; the function's span never came.
    let left_early = format!("{}{}{}", caller(1000, true).line(), function(0).line(), report(3020));
    let incident = only(fold(&evidence(&left_early), at(LATER)).incidents);
    assert_eq!((incident.outcome, incident.diagnosis.layer), (domain::Outcome::CallerLeft, Some(Layer::Client)));
    assert!(incident.diagnosis.consequences.iter().any(|note| note.text.contains("AWS Lambda")), "{:#?}", incident.diagnosis.consequences);
    // The caller failed because Lambda had ended the function.
    let after = format!("{}{}{}", caller(3050, true).line(), function(0).line(), report(3020));
    let incident = only(fold(&evidence(&after), at(LATER)).incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain platform aws_lambda Timeout 3000");
}
