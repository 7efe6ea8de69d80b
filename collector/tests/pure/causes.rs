//! Every cause: one case where it holds, and near misses where it must not.

use collector::correlate::Knowledge;
use collector::diagnose::CAUSES;
use collector::fold;
use domain::Incident;

use crate::support::{LATER, Span, at, evidence, explained, explained_text, fixture, only};

const ID: &str = "11111111-2222-4333-8444-555555555555";
const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn folded(text: &str) -> Incident {
    only(fold(&evidence(text), at(LATER)).incidents)
}

/// The lines of an invocation that began at 12:00:00 and was ended at 3 s.
fn timed_out(report: &str) -> String {
    let line =
        |time: &str, text: &str| format!("{{\"timestamp\":\"2026-11-22T12:00:{time}Z\",\"logStream\":\"s\",\"message\":\"{text}\"}}\n");
    let report = format!("REPORT RequestId: {ID}\\tDuration: 3000.00 ms\\tBilled Duration: 3000 ms\\t{report}Status: timeout");
    [line("00.000", &format!("START RequestId: {ID} Version: 7")), line("03.000", &format!("END RequestId: {ID}")), line("03.000", &report)]
        .concat()
}

fn fired(in_flight: &str) -> String {
    format!(
        "{{\"kind\":\"fired\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-22T12:00:02.5Z\",\"left_ms\":500,\"in_flight\":[{in_flight}]}}\n"
    )
}

fn call(started_at: &str, client_timeout: &str) -> String {
    format!("{{\"operation\":\"POST\",\"target\":\"payments.internal\",\"started_at\":\"2026-11-22T12:00:{started_at}Z\"{client_timeout}}}")
}

fn cause(incident: &Incident) -> (&str, Option<&str>, Option<i64>) {
    let cause = &incident.diagnosis.cause;
    (&cause.id, cause.operation.as_deref(), cause.waited_ms.map(domain::Millis::as_ms))
}

#[test]
fn every_cause_is_tested_here() {
    let tested = ["caller_left", "cold_start", "waiting_on_downstream", "memory_pressure", "limit_too_low"];
    assert_eq!(CAUSES.map(|(id, _)| id), tested);
}

/// Sections that were left so many ms after 12:00:00.
fn sections(left: &[(&str, u32)]) -> String {
    let event = |(name, ms): &(&str, u32)| {
        format!(
            "{{\"kind\":\"tracepoint\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-22T12:00:{:02}.{:03}Z\",\"section\":\"{name}\",\"phase\":\"closed\"}}\n",
            ms / 1000,
            ms % 1000
        )
    };
    left.iter().map(event).collect()
}

#[test]
fn steady_work_until_the_end_means_a_limit_too_low() {
    let steps = [("read", 400), ("resize", 1000), ("read", 1500), ("write", 2100), ("read", 2500), ("resize", 2900)];
    let incident = folded(&(timed_out("") + &sections(&steps)));
    assert_eq!(cause(&incident), ("limit_too_low", None, None));
    let reason = &incident.diagnosis.reasons.last().expect("one").text;
    assert_eq!(
        reason,
        "6 steps of 3 kinds finished one after the other, the last 100 ms before the end; nothing stood still for more than 600 ms of 3 s"
    );
}

#[test]
fn work_that_stood_still_or_repeats_is_no_limit_too_low() {
    let stood_still = [("read", 400), ("resize", 1000), ("write", 1500), ("read", 1900), ("resize", 2200)];
    let began_late = [("read", 900), ("resize", 1200), ("write", 1800), ("read", 2500), ("resize", 2900)];
    let one_kind = [("read", 400), ("read", 1000), ("read", 1500), ("read", 2100), ("read", 2500), ("read", 2900)];
    let few = [("read", 700), ("resize", 1400), ("write", 2100), ("read", 2800)];
    for steps in [&stood_still[..], &began_late, &one_kind, &few] {
        assert_eq!(cause(&folded(&(timed_out("") + &sections(steps)))).0, "unknown", "{steps:?}");
    }
    // One call that covers most of it is the culprit, whatever else went on.
    let steady = [("read", 400), ("resize", 1000), ("read", 1500), ("write", 2100), ("read", 2500), ("resize", 2900)];
    let with_call = timed_out("") + &sections(&steady) + &fired(&call("00.100", ""));
    assert_eq!(cause(&folded(&with_call)).0, "waiting_on_downstream");
}

/// What `explain` advises about a function of which these many requests stand in the same file; every tenth is cut off.
fn advised(runs: u32) -> domain::Advice {
    let line = |number: u32, text: String| {
        let at = format!("2026-11-22T12:{:02}:{:02}.000Z", number / 60 % 60, number % 60);
        serde_json::json!({"timestamp": at, "logGroup": "/aws/lambda/resize", "logStream": "s", "message": text}).to_string() + "\n"
    };
    let request = |number: u32| {
        // Quantiles of a log-logistic distribution with median 500 ms.
        let ms = 500.0 * (f64::from(number) / f64::from(runs - number)).powf(0.3);
        let id = format!("{number:08x}-2222-4333-8444-555555555555");
        let (ms, status) = if ms < 1000.0 { (ms, "") } else { (1000.0, "\tStatus: timeout") };
        line(number, format!("REPORT RequestId: {id}\tDuration: {ms:.2} ms\tBilled Duration: {} ms{status}", ms.ceil()))
    };
    let text: String = (1..runs).map(request).collect();
    let incident = explained_text(&text).into_iter().next().expect("some are cut off");
    incident.diagnosis.advice.into_iter().find(|advice| advice.setting.as_deref() == Some("Timeout")).expect("its limit fired")
}

#[test]
fn a_value_is_proposed_from_the_other_requests_of_the_file() {
    let advice = advised(1200);
    // 99.5 % need 500 ms · 199^0.3 = 2.45 s.
    let to = advice.to.expect("a value");
    assert!(["3 s", "4 s"].contains(&to.as_str()), "{to}");
    assert!(advice.text.starts_with("99.5 % of its requests need at most"), "{}", advice.text);
    assert_eq!(advised(400).to, None);
}

#[test]
fn a_call_that_covers_most_of_the_time_is_the_culprit() {
    let incident = folded(&(timed_out("") + &fired(&call("00.100", ",\"client_timeout_ms\":null"))));
    assert_eq!(cause(&incident), ("waiting_on_downstream", Some("POST payments.internal"), Some(2900)));
    assert_eq!(
        incident.summary,
        "AWS Lambda's function timeout (3 s) fired; 2.9 s went into POST payments.internal, which has no client timeout"
    );
    let advice = &incident.diagnosis.advice[0];
    assert_eq!(
        (advice.kind.as_str(), advice.from.as_deref(), advice.place.as_deref()),
        ("set_client_timeout", Some("none"), Some("POST payments.internal"))
    );
    assert!(incident.diagnosis.advice[1].text.ends_with("Raising it alone hides the slow call."));
}

#[test]
fn a_clients_own_timeout_is_said_with_its_value() {
    let incident = folded(&(timed_out("") + &fired(&call("00.100", ",\"client_timeout_ms\":30000"))));
    assert_eq!(incident.diagnosis.advice[0].from.as_deref(), Some("30 s"));
    assert!(!incident.summary.contains("no client timeout"));
    let unknown = folded(&(timed_out("") + &fired(&call("00.100", ""))));
    assert_eq!(unknown.diagnosis.advice[0].from, None, "not known is not none");
}

#[test]
fn a_call_that_covers_less_than_half_is_not() {
    let incident = folded(&(timed_out("") + &fired(&call("01.600", ",\"client_timeout_ms\":null"))));
    assert_eq!(cause(&incident), ("unknown", None, None));
    assert!(incident.diagnosis.advice.iter().any(|advice| advice.kind == "send_more"));
}

#[test]
fn a_span_at_the_callers_side_is_a_call_if_it_belongs_to_the_request() {
    let server = Span {
        service: "checkout",
        trace: TRACE,
        id: "bbbbbbbbbbbbbbbb",
        parent: "",
        kind: 2,
        from_ms: 5,
        to_ms: 0,
        failed: false,
        attributes: &[("faas.invocation_id", ID)],
    };
    let attributes = [("http.request.method", "GET"), ("server.address", "stock.internal")];
    let client =
        Span { id: "cccccccccccccccc", parent: "bbbbbbbbbbbbbbbb", kind: 3, from_ms: 100, to_ms: 2800, attributes: &attributes, ..server };
    let own = folded(&(timed_out("") + &server.line() + &client.line()));
    assert_eq!(cause(&own), ("waiting_on_downstream", Some("GET stock.internal"), Some(2700)));
    // The same call, made by another request of the same trace.
    let neighbour =
        Span { id: "dddddddddddddddd", attributes: &[("faas.invocation_id", "99999999-2222-4333-8444-555555555555")], ..server };
    let others = Span { parent: "dddddddddddddddd", ..client };
    let incident = folded(&(timed_out("") + &server.line() + &neighbour.line() + &others.line()));
    assert_eq!(cause(&incident), ("unknown", None, None));
}

#[test]
fn a_stack_at_a_socket_is_waiting_and_one_in_an_idle_loop_is_not() {
    let told = |run: &str| {
        let name = format!("gunicorn/{run}.log");
        only(explained(&name, &fixture(&name), &Knowledge::default()).incidents)
    };
    let waiting = told("27.0.1-waits-for-an-answer");
    assert_eq!(cause(&waiting), ("waiting_on_downstream", None, None));
    assert_eq!(waiting.summary, "gunicorn's worker timeout (`--timeout`, value not known) fired; it was waiting for the network");
    assert!(
        waiting.diagnosis.reasons.iter().any(|reason| reason
            .text
            .contains("`readinto` (/usr/lib/python3.11/socket.py:706), called from `app` (/srv/app/netapp.py:14)"))
    );
    assert_eq!(cause(&told("23.0.0-event-loop-idle")).0, "unknown");
    assert_eq!(cause(&told("23.0.0-sync")).0, "unknown", "it stood in `time.sleep`");
}

#[test]
fn an_init_that_used_up_the_invocation_is_a_cold_start() {
    let init = |duration: &str, phase: &str, status: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-22T12:00:02.990Z\",\"logStream\":\"s\",\"message\":\"INIT_REPORT Init Duration: {duration} ms\\tPhase: {phase}\\t{status}\"}}\n"
        )
    };
    let all = folded(&(init("2990.00", "invoke", "Status: error\\tError Type: Runtime.Unknown") + &timed_out("")));
    assert_eq!((all.outcome, cause(&all)), (domain::Outcome::InitTimeout, ("cold_start", None, Some(2990))));
    assert_eq!(all.summary, "AWS Lambda's function timeout (3 s) fired while it was still starting; starting took 2.99 s");
    let most = folded(&(init("2000.00", "invoke", "Status: error\\tError Type: Runtime.Unknown") + &timed_out("")));
    assert_eq!((most.outcome, cause(&most)), (domain::Outcome::Timeout, ("cold_start", None, Some(2000))));
    let little = folded(&(init("200.00", "invoke", "Status: error\\tError Type: Runtime.Unknown") + &timed_out("")));
    assert_eq!(cause(&little), ("unknown", None, None));
}

#[test]
fn an_ordinary_cold_start_does_not_count_against_the_limit() {
    assert_eq!(cause(&folded(&timed_out("Init Duration: 2900.00 ms\\t"))), ("unknown", None, None));
}

#[test]
fn an_init_that_ran_into_its_own_limit_is_one() {
    let alone = "{\"timestamp\":\"2026-11-22T12:00:10.000Z\",\"logStream\":\"s\",\"message\":\"INIT_REPORT Init Duration: 10005.10 ms\\tPhase: init\\tStatus: timeout\"}\n";
    let incident = folded(alone);
    assert_eq!((incident.outcome, cause(&incident)), (domain::Outcome::InitTimeout, ("cold_start", None, Some(10_005))));
    assert_eq!(incident.diagnosis.limit.as_ref().and_then(|limit| limit.value_ms).map(domain::Millis::as_ms), Some(10_000));
}

#[test]
fn memory_at_its_cap_is_named_where_nothing_better_is_known() {
    let full = "Memory Size: 128 MB\\tMax Memory Used: 128 MB\\t";
    let incident = folded(&timed_out(full));
    assert_eq!(cause(&incident), ("memory_pressure", None, None));
    assert_eq!((incident.outcome, incident.diagnosis.advice[0].from.as_deref()), (domain::Outcome::Timeout, Some("128 MB")));
    let with_call = folded(&(timed_out(full) + &fired(&call("00.100", ""))));
    assert_eq!(cause(&with_call).0, "waiting_on_downstream");
}

#[test]
fn memory_below_its_cap_and_the_emulators_figures_are_no_sign() {
    assert_eq!(cause(&folded(&timed_out("Memory Size: 128 MB\\tMax Memory Used: 127 MB\\t"))).0, "unknown");
    let emulator = format!(
        "START RequestId: {ID} Version: $LATEST\nREPORT RequestId: {ID}\tInit Duration: 0.14 ms\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 3008 MB\tMax Memory Used: 3008 MB\tStatus: timeout\n"
    );
    assert_eq!(cause(&only(explained_text(&emulator))).0, "unknown");
}

#[test]
fn memory_that_ran_out_is_an_outcome_of_its_own() {
    let new = format!(
        "REPORT RequestId: {ID}\tDuration: 812.00 ms\tBilled Duration: 812 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n"
    );
    let old = format!("RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n");
    for (line, confidence) in [(&new, domain::Confidence::Certain), (&old, domain::Confidence::Likely)] {
        let incident = only(explained_text(line));
        assert_eq!(
            (incident.outcome, incident.diagnosis.confidence, cause(&incident).0),
            (domain::Outcome::OutOfMemory, confidence, "memory_pressure")
        );
    }
    let crash = format!("RequestId: {ID} Error: Runtime exited with error: exit status 137\nRuntime.ExitError\n");
    assert_eq!(only(explained_text(&crash)).outcome, domain::Outcome::Crash, "137 is no proof");
}
