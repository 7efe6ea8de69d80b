//! Causes about calls: one that took the time, its client's timeout, its connection, and many like it.

use collector::correlate::Knowledge;
use domain::Confidence;

use super::support::{call, cause, changes, event, fired, folded, named, server_span, stack, timed_out};
use crate::support::{Span, explained, fixture, only};

#[test]
fn a_call_without_a_client_timeout_is_named_with_what_to_set() {
    let incident = folded(&(timed_out("") + &fired(&call("00.100", ",\"client_timeout_ms\":null"))));
    assert_eq!(cause(&incident), ("no_client_timeout", Some("POST payments.internal"), Some(2900)));
    assert_eq!(incident.diagnosis.cause.confidence, Confidence::Certain);
    assert_eq!(
        incident.summary,
        "AWS Lambda's function timeout (3 s) fired; 2.9 s went into POST payments.internal, which has no client timeout"
    );
    let advice = &incident.diagnosis.advice;
    assert_eq!(
        (advice[0].kind.as_str(), advice[0].from.as_deref(), advice[0].to.as_deref(), advice[0].place.as_deref()),
        ("set_client_timeout", Some("none"), Some("2 s"), Some("POST payments.internal"))
    );
    assert!(advice[1].text.ends_with("Raising it alone hides the slow call."), "{}", advice[1].text);
}

#[test]
fn a_client_timeout_longer_than_what_was_left_could_not_fire() {
    let incident = folded(&(timed_out("") + &fired(&call("00.100", ",\"client_timeout_ms\":30000"))));
    assert_eq!(named(&incident), ("client_timeout_too_long", Confidence::Certain));
    assert_eq!(changes(&incident)[0], "client timeout 30 s → 2 s");
    // Shorter than what was left: it bounds each read, and something kept coming.
    let shorter = folded(&(timed_out("") + &fired(&call("00.100", ",\"client_timeout_ms\":1000"))));
    assert_eq!(named(&shorter).0, "waiting_on_downstream");
    // Not known is neither.
    let unknown = folded(&(timed_out("") + &fired(&call("00.100", ""))));
    assert_eq!(named(&unknown).0, "waiting_on_downstream");
    assert_eq!(unknown.diagnosis.advice[0].from, None, "not known is not none");
}

#[test]
fn a_call_that_an_early_event_saw_and_a_later_one_did_not_has_ended() {
    let early = event("near_miss", 1000, &format!(",\"in_flight\":[{}]", call("00.100", ",\"client_timeout_ms\":null")));
    let later = fired(&call("02.000", ",\"client_timeout_ms\":null"));
    assert_eq!(cause(&folded(&(timed_out("") + &early + &later))), ("unknown", None, None));
    assert_eq!(named(&folded(&(timed_out("") + &early))).0, "no_client_timeout", "nothing later tells");
}

#[test]
fn a_call_that_covers_less_than_half_is_not() {
    let incident = folded(&(timed_out("") + &fired(&call("01.600", ",\"client_timeout_ms\":null"))));
    assert_eq!(cause(&incident), ("unknown", None, None));
    assert!(incident.diagnosis.advice.iter().any(|advice| advice.kind == "send_more"));
}

#[test]
fn a_span_at_the_callers_side_is_a_call_if_it_belongs_to_the_request() {
    let server = server_span(0);
    let attributes = [("http.request.method", "GET"), ("server.address", "stock.internal")];
    let client =
        Span { id: "cccccccccccccccc", parent: "bbbbbbbbbbbbbbbb", kind: 3, from_ms: 100, to_ms: 2800, attributes: &attributes, ..server };
    let own = folded(&(timed_out("") + &server.line() + &client.line()));
    assert_eq!(cause(&own), ("waiting_on_downstream", Some("GET stock.internal"), Some(2700)));
    // The same call, made by another request of the same trace.
    let neighbour =
        Span { id: "dddddddddddddddd", attributes: &[("faas.invocation_id", "99999999-2222-4333-8444-555555555555")], ..server_span(0) };
    let others = Span { parent: "dddddddddddddddd", ..client };
    let incident = folded(&(timed_out("") + &server_span(0).line() + &neighbour.line() + &others.line()));
    assert_eq!(cause(&incident), ("unknown", None, None));
}

#[test]
fn the_call_that_a_caller_made_of_us_is_none_of_ours() {
    let attributes = [("http.request.method", "GET"), ("server.address", "checkout.internal")];
    let caller = Span {
        service: "storefront",
        id: "aaaaaaaaaaaaaaaa",
        kind: 3,
        from_ms: 1,
        to_ms: 3001,
        failed: true,
        attributes: &attributes,
        ..server_span(0)
    };
    let server = Span { parent: "aaaaaaaaaaaaaaaa", ..server_span(0) };
    assert_eq!(named(&folded(&(timed_out("") + &caller.line() + &server.line()))).0, "unknown");
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
fn a_connection_that_does_not_come_up_is_told_from_an_answer_that_does_not_come() {
    let connecting = "{\"operation\":\"connect\",\"target\":\"10.0.3.7:5432\",\"started_at\":\"2026-11-22T12:00:00.100Z\"}";
    let incident = folded(&(timed_out("") + &fired(connecting)));
    assert_eq!(cause(&incident), ("connect_hang", Some("connect 10.0.3.7:5432"), Some(2900)));
    assert!(incident.summary.ends_with("2.9 s went into connecting to 10.0.3.7:5432"), "{}", incident.summary);
    for (function, expected) in
        [("create_connection", "connect_hang"), ("getaddrinfo", "connect_hang"), ("recv_into", "waiting_on_downstream")]
    {
        let frames = [("handler", "/var/task/app.py"), (function, "/var/lang/lib/python3.12/socket.py")];
        let incident = folded(&(timed_out("") + &event("fired", 2500, &stack(None, &frames))));
        assert_eq!(named(&incident), (expected, Confidence::Likely), "{function}");
    }
    let node = |handle: &str| folded(&(timed_out("") + &event("fired", 2500, &format!(",\"open_handles\":[\"{handle}\"]"))));
    assert_eq!(named(&node("TCPConnectWrap")), ("connect_hang", Confidence::Possible));
    assert_eq!(named(&node("Timeout")).0, "unknown");
}

/// A client span of the request's, for a table or a host.
fn query(number: u64, from_ms: u64, to_ms: u64, failed: bool) -> String {
    let id = format!("{:016x}", 0xc000 + number);
    let attributes = [("db.operation.name", "SELECT"), ("db.collection.name", "orders"), ("db.system.name", "postgresql")];
    let span = Span { id: &id, parent: "bbbbbbbbbbbbbbbb", kind: 3, from_ms, to_ms, failed, attributes: &attributes, ..server_span(0) };
    span.line()
}

#[test]
fn many_like_calls_in_sequence_are_the_cause_and_a_fan_out_is_not() {
    let server = server_span(0).line();
    let sequence: String = (0..20).map(|n| query(n, 100 + n * 140, 235 + n * 140, false)).collect();
    let incident = folded(&(timed_out("") + &server + &sequence));
    assert_eq!(cause(&incident), ("repeated_calls", Some("SELECT orders postgresql"), Some(2700)));
    assert!(incident.summary.ends_with("20 calls of SELECT orders postgresql took 2.7 s"), "{}", incident.summary);
    let fan_out: String = (0..20).map(|n| query(n, 100 + n, 1400, false)).collect();
    assert_eq!(named(&folded(&(timed_out("") + &server + &fan_out))).0, "unknown", "they ran at once");
    let few: String = (0..3).map(|n| query(n, 100 + n * 900, 900 + n * 900, false)).collect();
    assert_eq!(named(&folded(&(timed_out("") + &server + &few))).0, "unknown", "three are no pattern");
    let tries: String = (0..3).map(|n| query(n, 100 + n * 900, 900 + n * 900, true)).collect();
    let storm = folded(&(timed_out("") + &server + &tries));
    assert_eq!(named(&storm).0, "repeated_calls");
    assert!(storm.summary.contains("3 tries of"), "{}", storm.summary);
}
