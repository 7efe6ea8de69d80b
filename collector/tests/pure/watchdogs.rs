//! The life of an incident that a watchdog opens: suspected, then confirmed, survived or lost.

use collector::fold;
use domain::{Confidence, Folded, Incident, IncidentState, Millis};

use crate::support::{at, evidence, only, verdict, verdicts};

const ID: &str = "11111111-2222-4333-8444-555555555555";

/// An event of a function with 3 s, entered at 12:00:00.
fn event(kind: &str, observed_at: &str, left_ms: i64, more: &str) -> String {
    format!(
        "{{\"kind\":\"{kind}\",\"request_id\":\"{ID}\",\"function\":\"checkout\",\"platform\":\"aws_lambda\",\"observed_at\":\"2026-11-22T{observed_at}Z\",\
         \"limit_ms\":3000,\"deadline_at\":\"2026-11-22T12:00:03Z\",\"left_ms\":{left_ms}{more}}}\n"
    )
}

fn armed() -> String {
    event("armed", "12:00:01.5", 1500, "")
}
fn alarm() -> String {
    event("fired", "12:00:02.5", 500, "")
}
fn closed(observed_at: &str, outcome: &str) -> String {
    event("closed", observed_at, 200, &format!(",\"outcome\":\"{outcome}\",\"elapsed_ms\":2800"))
}
fn report(rest: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-22T12:00:03.001Z\",\"logStream\":\"s\",\"message\":\"REPORT RequestId: {ID}\\tDuration: {rest}\"}}\n"
    )
}

/// What is known at that time of day.
fn folded(events: &[String], time: &str) -> Folded {
    fold(&evidence(&events.concat()), at(&format!("2026-11-22T{time}Z")))
}
fn one(events: &[String], time: &str) -> Incident {
    only(folded(events, time).incidents)
}
fn nothing(events: &[String], time: &str) {
    assert_eq!(verdicts(&folded(events, time).incidents), [""; 0]);
}

#[test]
fn an_armed_watchdog_is_no_incident_until_it_falls_silent() {
    let waiting = folded(&[armed()], "12:00:02");
    assert!(waiting.incidents.is_empty());
    assert_eq!(waiting.recheck_at, Some(at("2026-11-22T12:01:03Z")), "a minute after the deadline");
    nothing(&[armed()], "12:01:02.999");
    let silent = folded(&[armed()], "12:01:03");
    assert_eq!(verdicts(&silent.incidents), ["timeout lost likely platform aws_lambda Timeout 3000"]);
    assert_eq!(silent.recheck_at, None, "nothing more is to come");
}

#[test]
fn an_alarm_is_a_suspicion_and_then_a_loss() {
    assert_eq!(verdict(&one(&[armed(), alarm()], "12:00:02.6")), "timeout suspected possible platform aws_lambda Timeout 3000");
    assert_eq!(folded(&[armed(), alarm()], "12:00:02.6").recheck_at, Some(at("2026-11-22T12:01:03Z")));
    assert_eq!(verdict(&one(&[armed(), alarm()], "12:02:00")), "timeout lost likely platform aws_lambda Timeout 3000");
}

/// The classic wrapper's event says neither when nor how long, and no log may ever follow.
#[test]
fn an_alarm_without_a_time_is_a_loss_a_minute_after_it_came() {
    let alarms = [
        (r#"{"message": "Function timed out", "originalEvent": {}, "originalRequestId": "r-1"}"#, 60_000, "possible"),
        (r#"{"kind": "fired", "request_id": "r-1", "platform": "aws_lambda", "limit_ms": 3000, "left_ms": 500}"#, 60_500, "likely"),
    ];
    for (alarm, silent_after_ms, confidence) in alarms {
        let mut evidence = evidence(alarm);
        let came = at("2026-11-22T12:00:03Z");
        evidence[0].received_at = came;
        let silent_at = Millis::from_ms(silent_after_ms).after(came);
        let before = fold(&evidence, Millis::from_ms(silent_after_ms - 1).after(came));
        assert_eq!((only(before.incidents).state, before.recheck_at), (IncidentState::Suspected, Some(silent_at)));
        let silent = fold(&evidence, silent_at);
        assert_eq!(silent.recheck_at, None);
        let told = verdict(&only(silent.incidents));
        assert!(told.starts_with(&format!("timeout lost {confidence}")), "{told}");
    }
}

#[test]
fn the_platforms_word_confirms_it_whenever_it_comes() {
    let told = report("3000.00 ms\\tBilled Duration: 3000 ms\\tStatus: timeout");
    for time in ["12:00:03.1", "12:30:00"] {
        let incident = one(&[alarm(), told.clone()], time);
        assert_eq!(verdict(&incident), "timeout confirmed certain platform aws_lambda Timeout 3000");
        assert_eq!(incident.function.as_ref().map(domain::FunctionName::as_str), Some("checkout"));
    }
    let states: Vec<_> = [vec![alarm()], vec![alarm(), told]].iter().map(|events| one(events, "12:00:02.6").id).collect();
    assert_eq!(states[0], states[1], "one incident that changes its state");
}

#[test]
fn who_closes_in_time_has_survived() {
    let incident = one(&[armed(), alarm(), closed("12:00:02.8", "ok")], "12:00:04");
    assert_eq!(verdict(&incident), "near_miss survived certain platform aws_lambda Timeout 3000");
    let failed = one(&[alarm(), closed("12:00:02.8", "error")], "12:00:04");
    assert_eq!(verdict(&failed), "near_miss survived certain platform aws_lambda Timeout 3000");
    assert!(failed.diagnosis.reasons.iter().any(|reason| reason.text.contains("error of its own")));
    assert_eq!(folded(&[alarm(), closed("12:00:02.8", "ok")], "12:00:04").recheck_at, None);
    // A good report says the same, less surely: the old style of a timeout has such a report too.
    let reported = one(&[alarm(), report("2810.00 ms\\tBilled Duration: 2810 ms")], "12:00:04");
    assert_eq!(verdict(&reported), "near_miss survived likely platform aws_lambda Timeout 3000");
    nothing(&[armed(), closed("12:00:02.8", "ok")], "12:30:00");
}

#[test]
fn the_platforms_word_outweighs_a_closed_event() {
    let told = report("3000.00 ms\\tBilled Duration: 3000 ms\\tStatus: timeout");
    assert_eq!(
        verdict(&one(&[alarm(), closed("12:00:02.99", "ok"), told], "12:00:04")),
        "timeout confirmed certain platform aws_lambda Timeout 3000"
    );
}

#[test]
fn a_timer_that_outlived_its_request_is_no_timeout() {
    // Freeze and thaw: sent in the next invocation, with the old request's ID.
    let stale = event("fired", "12:07:00", -417_000, "");
    nothing(std::slice::from_ref(&stale), "12:07:01");
    nothing(std::slice::from_ref(&stale), "12:30:00");
    // The process was alive after the deadline: it was not ended at it.
    nothing(&[armed(), stale], "12:30:00");
    // After the end, by the sender's own clock.
    nothing(&[armed(), closed("12:00:02", "ok"), event("fired", "12:00:02.5", 500, "")], "12:30:00");
}

#[test]
fn the_classic_wrappers_event_says_little_and_is_taken_for_no_more() {
    let classic = format!("{{\"message\":\"Function timed out\",\"originalEvent\":{{\"order\":7}},\"originalRequestId\":\"{ID}\"}}\n");
    let alone = one(std::slice::from_ref(&classic), "12:00:02");
    assert_eq!((alone.state, alone.diagnosis.limit.is_none()), (IncidentState::Suspected, true));
    assert_eq!(serde_json::to_value(&alone.original_event).expect("JSON"), serde_json::json!({"order": 7}));
    // It never clears its timer: with a good report it may be a near miss or a timer that outlived its request.
    let then_well = one(&[classic.clone(), report("12.00 ms\\tBilled Duration: 12 ms")], "12:00:02");
    assert_eq!(verdict(&then_well), "near_miss survived possible platform aws_lambda - -");
    let confirmed = one(&[classic, report("3000.00 ms\\tBilled Duration: 3000 ms\\tStatus: timeout")], "12:00:04");
    assert_eq!(verdict(&confirmed), "timeout confirmed certain platform aws_lambda Timeout 3000");
}

#[test]
fn a_deadline_is_worked_out_only_from_what_was_said() {
    let without_deadline = alarm().replace(",\"deadline_at\":\"2026-11-22T12:00:03Z\"", "");
    assert_eq!(
        folded(std::slice::from_ref(&without_deadline), "12:00:02.6").recheck_at,
        Some(at("2026-11-22T12:01:03Z")),
        "time left was said"
    );
    let neither = without_deadline.replace(",\"left_ms\":500", "");
    assert_eq!(
        folded(std::slice::from_ref(&neither), "12:00:02.6").recheck_at,
        Some(at("2026-11-22T12:01:02.5Z")),
        "an alarm comes near the end"
    );
    let lost = one(&[neither], "13:00:00");
    assert_eq!((lost.state, lost.diagnosis.confidence), (IncidentState::Lost, Confidence::Possible), "but nobody said how near");
}

/// What `overrun ship` brings of a worker's life: of uWSGI's lines only those of the harakiri bear a time.
#[test]
fn a_worker_ended_by_harakiri_is_one_incident_where_no_file_tells_the_order_of_its_lines() {
    let log = "spawned uWSGI worker 1 (pid: 7078, cores: 1)\n\
               Fri Nov 27 22:14:29 2026 - *** HARAKIRI ON WORKER 1 (pid: 7078, try: 1, graceful: yes) ***\n\
               Fri Nov 27 22:14:29 2026 - HARAKIRI [core 0] 127.0.0.1 - GET /pay since 1795817666\n\
               DAMN ! worker 1 (pid: 7078) died, killed by signal 9 :( trying respawn ...\n";
    let incidents = fold(&evidence(log), at("2026-11-27T22:15:00Z")).incidents;
    assert_eq!(verdicts(&incidents), ["timeout confirmed certain app_server uwsgi harakiri -"]);
}

/// As gunicorn 27.0.1's worker and the watchdog in its arbiter told of one request (November 2026).
#[test]
fn a_call_that_two_events_tell_of_is_drawn_once_and_events_are_drawn_in_words() {
    let event = |kind: &str, at: &str, elapsed_ms: u32, more: &str| {
        format!(
            "{{\"kind\":\"{kind}\",\"request_id\":\"r-1\",\"platform\":\"gunicorn\",\"instance\":\"web-1\",\"pid\":7,\"observed_at\":\"2026-11-28T{at}Z\",\
             \"elapsed_ms\":{elapsed_ms},\"limit_ms\":20000{more}}}\n"
        )
    };
    let calls = |started: &[&str]| {
        let one = |at: &&str| format!("{{\"operation\":\"GET\",\"target\":\"pay:80\",\"started_at\":\"2026-11-28T{at}Z\"}}");
        format!(",\"in_flight\":[{}]", started.iter().map(one).collect::<Vec<_>>().join(","))
    };
    let arbiters = "{\"kind\":\"closed\",\"instance\":\"web-1\",\"pid\":7,\"platform\":\"gunicorn\",\"limit_ms\":20000,\"outcome\":\"timed_out\",\"observed_at\":\"2026-11-28T01:28:46.3Z\"}\n";
    let drawn = |first: &[&str], then: &[&str]| {
        let events = [
            event("near_miss", "01:28:35.5", 10_000, &calls(first)),
            event("fired", "01:28:45.0", 19_500, &calls(then)),
            arbiters.to_owned(),
        ];
        only(fold(&evidence(&events.concat()), at("2026-11-28T01:30:00Z")).incidents).timeline.lanes
    };
    let lanes = drawn(&["01:28:25.576847"], &["01:28:25.576902"]);
    let marks: Vec<&str> = lanes[0].marks.iter().map(|mark| mark.label.as_str()).collect();
    assert_eq!(marks, ["watchdog: near miss", "watchdog: fired", "watchdog: worker timed out"]);
    assert_eq!(lanes[1].segments.len(), 1, "each event reckons the beginning anew");
    assert_eq!(drawn(&["01:28:25.576847", "01:28:25.576902"], &[])[1].segments.len(), 2, "two calls of one event are two");
}
