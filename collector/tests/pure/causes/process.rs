//! Causes about the process itself: it computed, its loop was blocked or kept alive, telemetry kept it.

use domain::Confidence;

use super::support::{ID, call, cause, event, fired, folded, named, server_span, stack, timed_out};
use crate::support::{Span, explained, fixture, only};
use collector::correlate::Knowledge;

const OWN: [(&str, &str); 2] = [("handler", "/var/task/app.py"), ("price_all", "/var/task/prices.py")];

#[test]
fn processor_time_as_long_as_the_request_is_computing() {
    let busy = |cpu_ms: u32, more: &str| event("fired", 2500, &format!(",\"cpu_ms\":{cpu_ms}{more}"));
    let incident = folded(&(timed_out("") + &busy(2400, &stack(None, &OWN))));
    assert_eq!(named(&incident), ("cpu_bound", Confidence::Likely));
    assert!(incident.summary.ends_with("it was computing, not waiting"), "{}", incident.summary);
    assert!(incident.diagnosis.reasons.iter().any(|reason| reason.text.contains("`price_all` (/var/task/prices.py:7)")));
    // Two events tell what was used between them, whatever the process had used before.
    let between = folded(&(timed_out("") + &event("armed", 1500, ",\"cpu_ms\":81000") + &busy(81_950, "")));
    assert_eq!(named(&between), ("cpu_bound", Confidence::Certain));
    assert_eq!(named(&folded(&(timed_out("") + &busy(200, &stack(None, &OWN))))).0, "unknown", "it used little");
    assert_eq!(named(&folded(&(timed_out("") + &busy(81_000, "")))).0, "unknown", "that is the process's whole life");
    let waiting = busy(2400, &format!(",\"in_flight\":[{}]", call("00.100", "")));
    assert_eq!(named(&folded(&(timed_out("") + &waiting))).0, "waiting_on_downstream", "a call was open all the time");
}

/// What is measured in a function of 256 MB, which has 14 % of a core.
#[test]
fn processor_time_is_held_against_the_share_of_a_core_that_was_given() {
    let used = |cpu_ms: u32, memory_mb: u32| {
        let report = format!("Memory Size: {memory_mb} MB\\tMax Memory Used: 40 MB\\t");
        folded(&(timed_out(&report) + &event("fired", 2500, &format!(",\"cpu_ms\":{cpu_ms}{}", stack(None, &OWN)))))
    };
    let small = used(340, 256);
    assert_eq!(named(&small), ("cpu_bound", Confidence::Likely));
    let told = "the process used 340 ms of processor time in 2.5 s, of 14 % of a core that its memory gives it, and no call was open for most of it";
    assert!(small.diagnosis.reasons.iter().any(|reason| reason.text == told), "{:?}", small.diagnosis.reasons);
    assert_eq!(named(&used(340, 2048)).0, "unknown", "a whole core would have done more");
}

#[test]
fn what_is_not_known_to_compute_is_said_to_wait_only_where_it_used_next_to_nothing() {
    let used = |cpu_ms: u32, more: &str| folded(&(timed_out("") + &event("fired", 2500, &format!(",\"cpu_ms\":{cpu_ms}{more}"))));
    let waited = used(20, "");
    assert_eq!(named(&waited).0, "unknown");
    assert!(waited.summary.ends_with("; it was waiting, not computing"), "{}", waited.summary);
    assert!(waited.diagnosis.advice.iter().any(|advice| advice.text.starts_with("Nothing says what it waited for.")));
    let placed = used(20, &stack(None, &OWN));
    assert!(placed.summary.ends_with("; it waited in `price_all` (/var/task/prices.py:7)"), "{}", placed.summary);
    let between = used(900, &stack(None, &OWN));
    assert!(between.summary.ends_with("; it stood in `price_all` (/var/task/prices.py:7)"), "{}", between.summary);
    assert!(used(900, "").summary.ends_with("fired"));
}

#[test]
fn processor_time_is_compared_within_one_sender() {
    // An extension, which counts from the beginning of the request, and a process that counts from its own.
    let told = |kind, after_ms, cpu_ms: u32, who: &str| event(kind, after_ms, &format!(",\"cpu_ms\":{cpu_ms}{who}"));
    let of_process = ",\"pid\":8,\"instance\":\"i\"";
    let events = [
        told("near_miss", 1500, 0, ""),
        told("near_miss", 1510, 2400, of_process),
        told("fired", 2490, 0, ""),
        told("fired", 2500, 2410, of_process),
    ];
    let incident = folded(&(timed_out("") + &events.concat()));
    assert_eq!(named(&incident).0, "unknown");
    assert!(incident.diagnosis.reasons.iter().any(|reason| reason.text == "the process used 10 ms of processor time in 990 ms: it waited"));
}

#[test]
fn a_late_timer_counts_only_with_a_stack_in_the_users_code_and_no_call() {
    let late = |margin: u32, more: &str| event("fired", 2900, &format!(",\"margin_ms\":{margin}{more}"));
    assert_eq!(named(&folded(&(timed_out("") + &late(500, &stack(None, &OWN))))), ("cpu_bound", Confidence::Likely));
    assert_eq!(named(&folded(&(timed_out("") + &late(110, &stack(None, &OWN))))).0, "unknown", "it came in time");
    assert_eq!(named(&folded(&(timed_out("") + &late(500, "")))).0, "unknown", "no stack");
    let held = late(500, &format!(",\"cpu_ms\":20{}", stack(None, &OWN)));
    assert_eq!(named(&folded(&(timed_out("") + &held))).0, "unknown", "it hardly computed: a call in C held the interpreter");
    let idle = [("run_forever", "/var/lang/lib/python3.12/asyncio/base_events.py")];
    assert_eq!(named(&folded(&(timed_out("") + &late(500, &stack(None, &idle))))).0, "unknown", "it waited");
}

#[test]
fn limits_on_processor_time_speak_for_themselves() {
    let log = "[22-Nov-2026 12:42:46 UTC] PHP Fatal error:  Maximum execution time of 1 second exceeded in /srv/app/report.php on line 9\n";
    assert_eq!(named(&only(crate::support::explained_text(log))), ("cpu_bound", Confidence::Certain));
}

#[test]
fn a_loop_that_is_late_by_most_of_the_time_was_blocked() {
    let lag = |lag_ms: u32, more: &str| event("fired", 2500, &format!(",\"loop_lag_ms\":{lag_ms}{more}"));
    let incident = folded(&(timed_out("") + &lag(2300, ",\"cpu_ms\":2290")));
    assert_eq!(cause(&incident), ("event_loop_blocked", None, Some(2300)));
    let meanwhile = |incident: &domain::Incident| incident.diagnosis.reasons.last().map(|reason| reason.text.clone()).expect("reasons");
    assert_eq!(meanwhile(&incident), "the process computed meanwhile: it used 2.29 s of processor time in 2.5 s");
    // A loop on a processor that others want too, or of which it was given a part.
    assert_eq!(meanwhile(&folded(&(timed_out("") + &lag(2300, ",\"cpu_ms\":700")))), "the process used 700 ms of processor time in 2.5 s");
    let stood = folded(&(timed_out("") + &lag(2300, ",\"cpu_ms\":12")));
    assert_eq!(meanwhile(&stood), "the process used 12 ms of processor time in 2.5 s, so it stood in a call that blocks");
    assert_eq!(named(&folded(&(timed_out("") + &lag(12, "")))).0, "unknown", "an ordinary lag");
    let found = |blocked: bool, frame: (&str, &str)| {
        named(&folded(&(timed_out("") + &event("fired", 2500, &stack(Some(blocked), &[("handler", "/var/task/app.js"), frame])))))
            .0
            .to_owned()
    };
    assert_eq!(found(true, ("busy", "/var/task/busy.js")), "event_loop_blocked");
    assert_eq!(found(false, ("busy", "/var/task/busy.js")), "unknown");
    assert_eq!(found(true, ("recv_into", "/usr/lib/python3.11/socket.py")), "waiting_on_downstream", "a thread of its own");
}

#[test]
fn only_a_blocked_loop_ends_a_worker_whose_heartbeat_runs_in_it() {
    let told = |run: &str| {
        let name = format!("gunicorn/{run}.log");
        explained(&name, &fixture(&name), &Knowledge::default()).incidents
    };
    for incident in told("27.0.1-uvicorn-worker-blocking") {
        assert_eq!(named(&incident), ("event_loop_blocked", Confidence::Likely), "{}", incident.summary);
    }
    for incident in told("23.0.0-sync") {
        assert_ne!(named(&incident).0, "event_loop_blocked");
    }
}

#[test]
fn a_handler_that_had_answered_was_kept_alive_by_what_it_left_open() {
    let closed = |after_ms: i64| event("closed", after_ms, ",\"outcome\":\"ok\"");
    let handles = event("near_miss", 1500, ",\"open_handles\":[\"Socket 10.0.3.7:5432\",\"Timeout\"]");
    let incident = folded(&(timed_out("") + &handles + &closed(1600)));
    assert_eq!(cause(&incident), ("event_loop_not_empty", None, Some(1400)));
    assert!(
        incident.summary.ends_with("the handler had answered 1.4 s earlier; Socket 10.0.3.7:5432 kept it alive"),
        "{}",
        incident.summary
    );
    assert_eq!(named(&folded(&(timed_out("") + &handles))).0, "unknown", "it had not answered");
    assert_eq!(named(&folded(&(timed_out("") + &handles + &closed(2990)))).0, "unknown", "it answered at the limit");
    assert_eq!(named(&folded(&(timed_out("") + &closed(1600)))).0, "unknown", "nothing tells what was open");
}

#[test]
fn an_extension_that_outlasts_the_runtime_ate_the_budget() {
    let done = |duration: u32, status: &str| {
        format!(
            "{{\"time\":\"2026-11-22T12:00:0{}.{:03}Z\",\"type\":\"platform.runtimeDone\",\"record\":{{\"requestId\":\"{ID}\",\"status\":\"{status}\",\"metrics\":{{\"durationMs\":{duration}.0,\"producedBytes\":7}}}}}}\n",
            duration / 1000,
            duration % 1000
        )
    };
    let incident = folded(&(timed_out("") + &done(800, "success")));
    assert_eq!(cause(&incident), ("telemetry_overhead", None, Some(2200)));
    assert!(incident.summary.ends_with("an extension took the last 2.2 s"), "{}", incident.summary);
    assert_eq!(named(&folded(&(timed_out("") + &done(2950, "success")))).0, "unknown", "it was done at the limit");
    assert_eq!(named(&folded(&(timed_out("") + &done(3000, "timeout")))).0, "unknown");
}

#[test]
fn exporters_are_told_from_the_users_calls() {
    let to = |target: &str, operation: &str| {
        let call = format!("{{\"operation\":\"{operation}\",\"target\":\"{target}\",\"started_at\":\"2026-11-22T12:00:00.100Z\"}}");
        named(&folded(&(timed_out("") + &fired(&call)))).0.to_owned()
    };
    assert_eq!(to("otel.internal:4318", "POST"), "telemetry_overhead");
    assert_eq!(to("collector.internal", "POST /v1/watchdog"), "telemetry_overhead", "ours is no exception");
    assert_eq!(to("telemetry-shop.internal", "POST"), "waiting_on_downstream", "a name is no proof");
    let frames = |innermost: (&str, &str)| {
        stack(None, &[("handler", "/var/task/app.py"), innermost, ("recv_into", "/usr/lib/python3.12/socket.py")])
    };
    let stood = |innermost| named(&folded(&(timed_out("") + &event("fired", 2500, &frames(innermost))))).0.to_owned();
    assert_eq!(
        stood(("_export", "/opt/python/site-packages/opentelemetry/exporter/otlp/proto/http/trace_exporter/__init__.py")),
        "telemetry_overhead"
    );
    // An instrumentation lies above every call of the user's.
    assert_eq!(
        stood(("instrumented_send", "/opt/python/site-packages/opentelemetry/instrumentation/requests/__init__.py")),
        "waiting_on_downstream"
    );
}

#[test]
fn an_open_span_of_the_function_is_no_answer() {
    let open = Span { to_ms: 0, ..server_span(0) };
    let handles = event("fired", 2500, ",\"open_handles\":[\"Timeout\"]");
    assert_eq!(named(&folded(&(timed_out("") + &open.line() + &handles))).0, "unknown");
}
