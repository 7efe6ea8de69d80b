use domain::{ClaimedOutcome, Key, Kind, KnownFrom, Millis};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn claims(parsed: Parsed) -> Vec<Claim> {
    let claim = |item: Item| match item.fate {
        Fate::Evidence(claim) => Some(*claim),
        _ => None,
    };
    parsed.items.into_iter().filter_map(claim).collect()
}

fn only(value: &Value) -> Claim {
    let mut all = claims(parse(value.to_string().as_bytes()));
    assert_eq!(all.len(), 1, "{value}");
    all.remove(0)
}

fn reason(value: &Value) -> String {
    match &parse(value.to_string().as_bytes()).items[0].fate {
        Fate::Rejected(reject) => reject.reason.clone(),
        other => panic!("{other:?}"),
    }
}

fn fired() -> Value {
    json!({
        "kind": "fired", "request_id": "7fe2f4e6-e11c-4dbf-8730-11c398404f24", "attempt": 2, "function": "checkout", "platform": "aws_lambda", "pid": 8,
        "trace_id": "1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b", "span_id": "EEE19B7EC3C1B174", "observed_at": "2026-11-22T12:05:05.5Z",
        "limit_ms": 3000, "budget_at_entry_ms": 2990.5, "deadline_at": "2026-11-22T20:05:06+08:00", "left_ms": 498, "elapsed_ms": 2502,
        "stacks": [{"name": "loop", "frames": []}, {"name": "MainThread", "serving": true, "blocked": true, "frames": [{"function": "handler", "file": "app.py", "line": 116}, {"function": null}]}],
        "in_flight": [
            {"operation": "POST", "target": "payments.internal", "started_at": "2026-11-22T12:05:03.1Z", "client_timeout_ms": null},
            {"operation": "SELECT", "client_timeout_ms": 5000}, {"operation": "connect"},
        ],
        "open_handles": ["Socket 127.0.0.1:8395"], "memory_bytes": 134_217_728, "original_event": {"order": 7, "password": "hunter2"}, "new_field": 1,
    })
}

#[test]
fn every_field_of_a_native_event_is_kept() {
    let claim = only(&fired());
    assert_eq!((claim.kind, claim.attempt, claim.pid), (Kind::WatchdogFired, Some(2), Some(8)));
    assert_eq!(claim.key().to_string(), "request/7fe2f4e6-e11c-4dbf-8730-11c398404f24");
    assert_eq!(claim.trace_id.as_ref().map(domain::TraceId::as_str), Some("6a3f1c209a8fbf0a9c13eafa397c5a3b"));
    assert_eq!(claim.span_id.as_ref().map(domain::SpanId::as_str), Some("eee19b7ec3c1b174"));
    assert_eq!(claim.elapsed_ms, Some(Millis::from_ms(2502)));
    assert_eq!(claim.observed_at, "2026-11-22T12:05:05.5Z".parse().ok());
    let limit = claim.limit.as_ref().expect("the platform is known");
    assert_eq!((limit.setting.as_str(), limit.value_ms, limit.known_from), ("Timeout", Some(Millis::from_ms(3000)), KnownFrom::Claimed));
    assert_eq!(claim.text("deadline_at"), Some("2026-11-22T12:05:06Z"));
    assert_eq!(claim.millis("budget_at_entry_ms"), Some(Millis::from_us(2_990_500)));
    assert!(claim.stacks[0].serving, "the thread that serves the request comes first");
    assert_eq!(claim.stacks[0].frames[1].function, "<anonymous>");
    let timeouts: Vec<_> = claim.calls.iter().map(|call| (call.client_timeout_ms, call.no_client_timeout)).collect();
    assert_eq!(timeouts, [(None, true), (Some(Millis::from_ms(5000)), false), (None, false)]);
    assert_eq!(serde_json::to_value(&claim.attributes["original_event"]).expect("json"), json!({"order": 7, "password": "[redacted]"}));
    assert!(!claim.raw.contains("hunter2"));
}

#[test]
fn without_a_known_platform_a_limit_is_only_a_number() {
    let claim = only(&json!({"kind": "armed", "request_id": "a", "limit_ms": 30000, "budget_at_entry_ms": 29000}));
    assert_eq!((claim.limit.as_ref(), claim.millis("limit_ms")), (None, Some(Millis::from_ms(30000))));
    let claim = only(
        &json!({"kind": "armed", "request_id": "a", "platform": "aws_lambda", "budget_at_entry_ms": 29000, "deadline_at": "2026-11-22T12:05:06Z"}),
    );
    assert_eq!(claim.limit, None, "a budget is no limit");
}

#[test]
fn a_worker_without_a_request_id_is_named_by_instance_and_pid() {
    let claim = only(&json!({"kind": "armed", "instance": "web-1", "pid": 322, "platform": "gunicorn", "limit_ms": 30000}));
    assert!(matches!(claim.key(), Key::Worker { pid: 322, .. }));
    assert_eq!(claim.limit.map(|limit| limit.setting).as_deref(), Some("--timeout"));
    for event in [json!({"kind": "armed", "pid": 322}), json!({"kind": "armed", "instance": "web-1", "request_id": ""})] {
        assert_eq!(reason(&event), "expected `request_id`, or `instance` and `pid`, found neither");
    }
}

#[test]
fn closed_says_how_it_ended() {
    let outcome = |word: &str| only(&json!({"kind": "closed", "request_id": "a", "outcome": word})).outcome;
    assert_eq!(outcome("ok"), Some(ClaimedOutcome::Success));
    assert_eq!(outcome("error"), Some(ClaimedOutcome::Error));
    assert_eq!(outcome("perhaps"), None);
}

#[test]
fn the_classic_wrapper_is_taken_as_it_is() {
    let claim =
        only(&json!({"message": "Function timed out", "originalEvent": {"headers": {"Cookie": "a=1"}}, "originalRequestId": "6f747a63"}));
    assert_eq!((claim.kind, claim.platform.as_ref()), (Kind::WatchdogFired, None));
    assert_eq!(claim.request_id.as_ref().map(domain::RequestId::as_str), Some("6f747a63"));
    assert_eq!(
        claim.raw,
        r#"{"message":"Function timed out","originalEvent":{"headers":{"Cookie":"[redacted]"}},"originalRequestId":"6f747a63"}"#
    );
    let null = only(&json!({"message": "Function timed out", "originalEvent": null, "originalRequestId": "6f747a63"}));
    assert_eq!(null.attributes.get("original_event"), Some(&domain::Value::Null));
    assert_eq!(reason(&json!({"message": "Function timed out"})), "expected `originalRequestId`, found none");
}

#[test]
fn a_cloud_event_fills_what_its_data_leaves_open() {
    let envelope = json!({
        "specversion": "1.0", "type": TYPE, "source": "urn:overrun:stack:shop", "subject": "checkout", "id": "1", "time": "2026-11-22T12:05:06Z",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "data": {"kind": "fired", "request_id": "a"},
    });
    let structured = only(&envelope);
    let header = |name: &str| match name {
        "ce-specversion" => Some("1.0".to_owned()),
        "ce-subject" => Some("check%6fut".to_owned()),
        _ => envelope.get(name.strip_prefix("ce-")?)?.as_str().map(str::to_owned),
    };
    let attributes = Attributes::from_headers(header).expect("binary");
    let binary = claims(parse_binary(&attributes, br#"{"request_id":"a","kind":"fired"}"#).expect("json")).remove(0);
    assert_eq!(structured, binary);
    assert_eq!(
        (structured.text("stack"), structured.function.as_ref().map(domain::FunctionName::as_str)),
        (Some("shop"), Some("checkout"))
    );
    assert_eq!(structured.trace_id.map(|id| id.to_string()).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(structured.observed_at, "2026-11-22T12:05:06Z".parse().ok());
    let other = json!({"specversion": "1.0", "type": "com.example.other", "source": "x", "id": "1", "data": {}});
    assert_eq!(reason(&other), "expected a CloudEvent of type `dev.overrun.watchdog.v1`, found `com.example.other`");
}

#[test]
fn a_bad_event_does_not_sink_its_neighbours() {
    let batch = json!([fired(), {"kind": "timer", "request_id": "b"}, 7, {"kind": "closed", "request_id": "c"}]);
    let parsed = parse(batch.to_string().as_bytes());
    let reasons: Vec<_> = parsed
        .items
        .iter()
        .filter_map(|item| if let Fate::Rejected(reject) = &item.fate { Some((item.line, reject.reason.as_str())) } else { None })
        .collect();
    assert_eq!(reasons[0].0, 2);
    assert!(reasons[0].1.contains("unknown variant `timer`, expected one of `armed`"), "{reasons:?}");
    assert_eq!(reasons[1], (3, "expected a watchdog event as a JSON object, found a number"));
    assert_eq!(claims(parsed).len(), 2);

    let lines = parse(b"{\"kind\":\"armed\",\"request_id\":\"a\"}\n\nnonsense\r\n{\"kind\":\"closed\",\"request_id\":\"a\"}\r\n");
    assert_eq!((lines.lines, claims(lines).len()), (3, 2));
}

#[test]
fn an_unreadable_field_costs_itself_only() {
    let claim = only(&json!({
        "kind": "near_miss", "request_id": "a", "pid": "12", "observed_at": "yesterday", "trace_id": "xyz", "stacks": [{"frames": 3}, {"frames": []}], "in_flight": {}, "left_ms": "1",
    }));
    assert_eq!((claim.pid, claim.observed_at, claim.stacks.len()), (None, None, 1));
    let domain::Value::List(unreadable) = &claim.attributes["unreadable"] else { panic!("{claim:?}") };
    assert_eq!(unreadable.len(), 6, "{unreadable:?}");
}

#[test]
fn what_is_too_large_is_cut_and_said_so() {
    let frames = vec![json!({"function": "f"}); 500];
    let claim = only(&json!({
        "kind": "fired", "request_id": "a", "original_event": "x".repeat(100_000), "stacks": [{"frames": frames}], "in_flight": vec![json!({"operation": "GET"}); 100],
    }));
    assert_eq!((claim.stacks[0].frames.len(), claim.calls.len()), (128, 64));
    assert_eq!(claim.attributes["cut"], domain::Value::List(vec!["stacks".into(), "in_flight".into()]));
    assert_eq!(claim.number("original_event_bytes"), Some(100_002.0));
    assert!(claim.text("original_event_digest").is_some_and(|digest| digest.starts_with("blake3:")));
    assert!(claim.raw.len() <= 8192 && !claim.attributes.contains_key("original_event"));
    assert!(reason(&json!({"kind": "fired", "request_id": "x".repeat(600)})).starts_with("expected `request_id` of at most 512 bytes"));
}

#[test]
fn a_body_that_was_cut_off_is_kept_as_far_as_it_goes() {
    let text = r#"{"kind":"fired","request_id":"a","left_ms":498,"stacks":[{"name":"Main","frames":[{"function":"handler"},{"func"#;
    let claim = claims(parse_cut_off(text.as_bytes())).remove(0);
    assert_eq!((claim.text("truncated"), claim.attributes.get("truncated")), (None, Some(&true.into())));
    assert_eq!((claim.number("left_ms"), claim.stacks[0].frames.len()), (Some(498.0), 1));

    let array = r#"[{"kind":"armed","request_id":"a"},{"kind":"fired","request_id":"a","le"#;
    let lines = "{\"kind\":\"armed\",\"request_id\":\"a\"}\n{\"kind\":\"fired\",\"request_id\":\"a\",\"le\u{e9}".as_bytes();
    for body in [array.as_bytes(), &lines[..lines.len() - 1]] {
        let marks: Vec<_> =
            claims(parse_cut_off(body)).iter().map(|claim| (claim.kind, claim.attributes.contains_key("truncated"))).collect();
        assert_eq!(marks, [(Kind::WatchdogArmed, false), (Kind::WatchdogFired, true)]);
    }
    let nothing = parse_cut_off(br#"{"kind":"fi"#);
    assert!(matches!(&nothing.items[0].fate, Fate::Rejected(reject) if reject.reason.contains("cut off after 11 bytes")));
}

#[test]
fn among_log_lines_only_what_is_surely_an_event_is_taken() {
    assert!(parse_value(&fired()).is_some());
    assert!(parse_value(&json!({"message": "Function timed out", "originalRequestId": "a"})).is_some());
    for other in [
        json!({"kind": "closed", "request_id": "a"}),
        json!({"message": "Function timed out"}),
        json!({"kind": "fired"}),
        json!([1]),
        json!("fired"),
    ] {
        assert!(parse_value(&other).is_none(), "{other}");
    }
}

#[test]
fn half_a_surrogate_pair_does_not_cost_the_event() {
    let parsed = parse(br#"{"kind":"fired","request_id":"a","original_event":"\ud83d\ude00 \ud83d \\ud83d"}"#);
    assert_eq!(claims(parsed).remove(0).text("original_event"), Some("\u{1f600} \u{fffd} \\ud83d"));
}

#[test]
fn the_same_event_by_any_transport_is_the_same_claim() {
    let spaced = serde_json::to_string_pretty(&fired()).expect("json");
    assert_eq!(claims(parse(spaced.as_bytes())).remove(0).id(), only(&json!([fired()])).id());
}

#[test]
fn fixtures_are_read() {
    let kinds: Vec<_> =
        claims(parse(include_bytes!("../../../../tests/fixtures/watchdog/every-kind.jsonl"))).iter().map(|claim| claim.kind).collect();
    assert_eq!(kinds, [Kind::WatchdogArmed, Kind::WatchdogTracepoint, Kind::WatchdogNearMiss, Kind::WatchdogFired, Kind::WatchdogClosed]);
    let real = claims(parse(include_bytes!("../../../../tests/fixtures/watchdog/python-timer.json"))).remove(0);
    assert_eq!((real.limit.and_then(|limit| limit.value_ms), real.stacks[0].serving), (Some(Millis::from_ms(3000)), true));
    assert!(real.calls[0].no_client_timeout && !real.attributes.contains_key("unreadable"));
}

/// Written by the Python watchdog's own tests: what it sends is read without a remainder.
#[test]
fn what_the_python_watchdog_sends_is_read_whole() {
    let sent = claims(parse(include_bytes!("../../../../tests/fixtures/watchdog/python/events.jsonl")));
    for claim in &sent {
        assert!(!claim.attributes.contains_key("unreadable") && claim.observed_at.is_some(), "{claim:#?}");
    }
    let of = |kind| sent.iter().find(|claim| claim.kind == kind).unwrap_or_else(|| panic!("no {kind:?}"));
    let fired = of(Kind::WatchdogFired);
    assert!(fired.text("deadline_at").is_some() && fired.millis("left_ms").is_some() && fired.stacks[0].serving);
    assert_eq!((fired.calls[0].operation.as_str(), fired.calls[0].client_timeout_ms), ("GET", Some(Millis::from_ms(550))));
    assert_eq!(of(Kind::WatchdogClosed).outcome, Some(ClaimedOutcome::Success));
    assert_eq!(of(Kind::WatchdogTracepoint).text("section"), Some("charge"));
    let end = of(Kind::WorkerTimeout);
    assert!(matches!(end.key(), Key::Worker { pid: 322, .. }) && end.limit.as_ref().is_some_and(|limit| limit.value_ms.is_some()));
}

#[test]
fn a_server_says_that_it_ended_a_worker() {
    let claim =
        only(&json!({"kind": "closed", "outcome": "timed_out", "instance": "web-1", "pid": 8, "platform": "gunicorn", "limit_ms": 30000}));
    assert_eq!((claim.kind, claim.outcome), (Kind::WorkerTimeout, Some(ClaimedOutcome::Timeout)));
}

proptest! {
    /// Whatever comes, however it is cut: no panic, and every event has its fate.
    #[test]
    fn any_cut_of_any_event_is_read(kind in "armed|fired|closed|timer", id in ".{0,12}", note in any::<String>(), left in any::<f64>(), cut in 0..400_usize) {
        let event = json!({"kind": kind, "request_id": id, "original_event": note, "left_ms": left, "stacks": [{"frames": [{"function": note}]}]});
        let text = json!([event, event]).to_string();
        let cut = &text.as_bytes()[..cut.min(text.len())];
        for parsed in [parse(cut), parse_cut_off(cut), parse_lines(cut)] {
            prop_assert_eq!(parsed.lines, parsed.items.len() as u64);
        }
    }

    #[test]
    fn any_bytes_are_read(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        for parsed in [parse(&input), parse_cut_off(&input)] {
            prop_assert_eq!(parsed.lines, parsed.items.len() as u64);
        }
    }
}
