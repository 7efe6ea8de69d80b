//! `cold_start` and `memory_pressure`.

use domain::Confidence;

use super::support::{ID, call, cause, fired, folded, named, timed_out};
use crate::support::{explained, explained_text, gunicorn_with, only};

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

/// An activation that was ended at its limit of 3 s.
fn activation(init_ms: u32) -> String {
    format!(
        "{{\"activationId\":\"0123456789abcdef0123456789abcdef\",\"name\":\"pay\",\"namespace\":\"guest\",\"version\":\"0.0.1\",\"start\":1795348800000,\"end\":1795348803000,\"duration\":3000,\"response\":{{\"status\":\"action developer error\",\"statusCode\":2,\"success\":false,\"result\":{{\"error\":\"The action exceeded its time limits of 3000 milliseconds.\"}}}},\"logs\":[],\"annotations\":[{{\"key\":\"limits\",\"value\":{{\"timeout\":3000,\"memory\":256,\"logs\":10}}}},{{\"key\":\"initTime\",\"value\":{init_ms}}},{{\"key\":\"waitTime\",\"value\":2900}},{{\"key\":\"timeout\",\"value\":true}}],\"publish\":false,\"subject\":\"guest\"}}\n"
    )
}

#[test]
fn openwhisk_counts_the_init_but_not_the_wait() {
    assert_eq!(cause(&folded(&activation(2100))), ("cold_start", None, Some(2100)));
    assert_eq!(named(&folded(&activation(300))).0, "unknown");
}

#[test]
fn a_worker_that_dies_as_soon_as_its_limit_allows_may_still_have_been_starting() {
    let log = |booted: &str| {
        format!(
            "[2026-11-22 09:00:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n[2026-11-22 {booted} +0000] [7] [INFO] Booting worker with pid: 7\n[2026-11-22 09:10:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:7)\n"
        )
    };
    let told = |booted: &str| only(explained("web.log", log(booted).as_bytes(), &gunicorn_with("--timeout 30")).incidents);
    assert_eq!(named(&told("09:09:29")), ("cold_start", Confidence::Possible));
    assert_eq!(named(&told("09:05:00")).0, "unknown", "it had lived for minutes");
    let served =
        log("09:09:29") + "127.0.0.1 - - [22/Nov/2026:09:09:30 +0000] \"GET /fast HTTP/1.1\" 200 12 \"-\" \"-\" 8088 rid=r-1 pid=<7>\n";
    let incident = only(explained("web.log", served.as_bytes(), &gunicorn_with("--timeout 30")).incidents);
    assert_eq!(named(&incident).0, "unknown", "it had started: it had answered");
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
    for (line, confidence) in [(&new, Confidence::Certain), (&old, Confidence::Likely)] {
        let incident = only(explained_text(line));
        assert_eq!(
            (incident.outcome, incident.diagnosis.confidence, cause(&incident).0),
            (domain::Outcome::OutOfMemory, confidence, "memory_pressure")
        );
    }
    let crash = format!("RequestId: {ID} Error: Runtime exited with error: exit status 137\nRuntime.ExitError\n");
    assert_eq!(only(explained_text(&crash)).outcome, domain::Outcome::Crash, "137 is no proof");
}
