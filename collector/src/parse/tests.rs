//! From bytes to items: what every line format shares.

use domain::Claim;

use super::{Context, Fate, Format, LINE_BYTES_MAX, facts};

/// What was read, one line per item: its fate, its kind, and every fact but those that repeat the input.
pub fn read(format: Format, input: &str) -> Vec<String> {
    let parsed = format.parse(input.as_bytes(), &Context::default());
    parsed.items.iter().map(|item| told(facts::of(item))).collect()
}

/// What a format's own reader says of a text that is evidence.
pub fn evidence(text: &str, read: impl FnOnce(&str) -> Option<Fate>) -> Claim {
    match read(text) {
        Some(Fate::Evidence(claim)) => *claim,
        other => panic!("expected evidence in {text:?}, found {other:?}"),
    }
}

/// The one item of an input.
pub fn read_one(format: Format, input: &str) -> String {
    let mut items = read(format, input);
    assert_eq!(items.len(), 1, "{input}: {items:#?}");
    items.remove(0)
}

fn told(facts: serde_json::Value) -> String {
    let serde_json::Value::Object(mut facts) = facts else { panic!("facts are an object") };
    let mut take = |name: &str| facts.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let head = format!("{} {}", take("fate"), take("kind"));
    for repeated in ["raw", "format", "line", "message", "platform", "stacks", "limit_setting"] {
        facts.remove(repeated);
    }
    let said = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    facts.iter().fold(head, |text, (name, value)| format!("{text} {name}={}", said(value)))
}

/// The line on which each item begins, and its fate's first letter.
fn lines(input: &[u8]) -> String {
    let parsed = Format::Auto.parse(input, &Context::default());
    let letter = |fate: &Fate| match fate {
        Fate::Evidence(_) => 'e',
        Fate::Ignored(_) | Fate::Passed(_) => 'i',
        Fate::Rejected(_) => 'r',
    };
    let items = parsed.items.iter().map(|item| format!("{}{}", item.line, letter(&item.fate)));
    format!("{} of {}", items.collect::<Vec<_>>().join(" "), parsed.lines)
}

const BOOT: &str = "[2026-11-22 12:04:30 +0000] [8899] [INFO] Booting worker with pid: 8901\n";
const START: &str = "START RequestId: 11111111-2222-4333-8444-555555555555 Version: 7\n";

#[test]
fn a_traceback_without_its_last_line_takes_no_other() {
    let text = "[ERROR] ValueError: boom\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 3, in handler\n    raise ValueError\nEND RequestId: 11111111-2222-4333-8444-555555555555\n";
    assert_eq!(lines(text.as_bytes()), "1i 5e of 5");
}

#[test]
fn nothing_is_no_item() {
    for empty in ["", "\n", "\n\n  \n\r\n"] {
        assert!(Format::Auto.parse(empty.as_bytes(), &Context::default()).items.is_empty(), "{empty:?}");
    }
    assert_eq!(lines(b"\n\n"), " of 2");
}

#[test]
fn a_file_may_mix_formats() {
    let watchdog = r#"{"kind":"armed","request_id":"r1","left_ms":1500,"observed_at":"2026-11-22T12:04:31Z"}"#;
    assert_eq!(lines(format!("{BOOT}{START}just words\n{watchdog}\n{BOOT}").as_bytes()), "1e 2e 3i 4e 5e of 5");
}

#[test]
fn continuation_lines_belong_to_their_event() {
    let report = "REPORT RequestId: r1\tDuration: 1.00 ms\tBilled Duration: 1 ms\t\nXRAY TraceId: 1-6a3f1c20-3eb34191e0d1a317b3829668\tSegmentId: 7f64\t\n";
    assert_eq!(lines(format!("{report}{START}").as_bytes()), "1e 3e of 3");
    let fault = "RequestId: r1 Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n";
    assert_eq!(lines(format!("{fault}{START}").as_bytes()), "1e 3e of 3");
    let traceback = "[2026-11-22 12:04:32 +0000] [8901] [ERROR] Error handling request /report\nTraceback (most recent call last):\n  File \"/srv/app/app.py\", line 9, in report\n    time.sleep(9)\nSystemExit: 1\n";
    assert_eq!(lines(format!("{traceback}{BOOT}").as_bytes()), "1e 6e of 6");
    let chained = "\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/srv/app/app.py\", line 12, in report\nValueError: bad\n";
    assert_eq!(lines(format!("{traceback}{chained}{BOOT}").as_bytes()), "1e 12e of 12");
    let pretty = "2026-02-11T19:11:20.562Z\t11111111-2222-4333-8444-555555555555\tINFO\tEVENT\n{\n  \"a\": 1\n}\n";
    assert_eq!(lines(format!("{pretty}{START}").as_bytes()), "1e 5e of 5");
}

#[test]
fn line_ends_of_windows_change_nothing() {
    let unix = format!("{BOOT}{START}words\n");
    assert_eq!(read(Format::Auto, &unix), read(Format::Auto, &unix.replace('\n', "\r\n")));
}

#[test]
fn the_last_line_needs_no_end() {
    assert_eq!(lines(BOOT.trim_end().as_bytes()), "1e of 1");
}

#[test]
fn bytes_that_are_no_text_cost_only_their_own_line() {
    let input = [BOOT.as_bytes(), b"\xff\xfe\x00 broken \xc3\x28\n", START.as_bytes(), b"nul\x00\x00nul\n", BOOT.as_bytes()].concat();
    assert_eq!(lines(&input), "1e 2i 3e 4i 5e of 5");
}

#[test]
fn a_line_that_is_too_long_is_rejected_and_its_neighbours_are_read() {
    let long = "x".repeat(1024 * 1024);
    let input = format!("{BOOT}{long}\n{START}");
    assert_eq!(lines(input.as_bytes()), "1e 2r 3e of 3");
    let rejected = read(Format::Auto, &input).remove(1);
    assert_eq!(rejected, format!("rejected unparsed reason=expected a line of at most {LINE_BYTES_MAX} bytes, found {}", long.len()));
}

#[test]
fn an_event_does_not_grow_without_end() {
    let input = format!("{START}{}", "  more\n".repeat(100_000));
    let parsed = Format::Auto.parse(input.as_bytes(), &Context::default());
    assert!(
        parsed
            .items
            .iter()
            .all(|item| matches!(&item.fate, Fate::Evidence(claim) | Fate::Ignored(claim) if claim.raw.len() <= LINE_BYTES_MAX))
    );
}

#[test]
fn broken_json_is_a_line_like_any_other() {
    let input = "{\"kind\":\"fired\",\"request_id\":\n{}\n{\"a\":1}\n[1,2]\n{\"kind\":\"armed\",\"request_id\":\"r1\",\"left_ms\":1}\n";
    assert_eq!(lines(input.as_bytes()), "1i 2i 3i 4i 5e of 5");
}

#[test]
fn a_document_over_several_lines_is_read_as_one() {
    let events =
        "[\n {\"kind\":\"armed\",\"request_id\":\"r1\",\"left_ms\":1},\n {\"kind\":\"closed\",\"request_id\":\"r1\",\"left_ms\":1}\n]\n";
    assert_eq!(lines(events.as_bytes()), "1e 2e of 4");
}

#[test]
fn ordinary_lines_give_no_evidence() {
    let words = "2026-11-22T12:04:30Z INFO served /orders in 12 ms\n127.0.0.1 - - [22/Nov/2026:12:04:30 +0000] \"GET / HTTP/1.1\" 200 12 \"-\" \"-\"\n{\"level\":\"info\",\"msg\":\"ok\"}\n";
    let parsed = Format::Auto.parse(words.repeat(4000).as_bytes(), &Context::default());
    assert_eq!((parsed.lines, parsed.items.len()), (12_000, 12_000));
    assert!(parsed.items.iter().all(|item| matches!(item.fate, Fate::Ignored(_))));
}

#[test]
fn words_of_applications_that_look_like_a_platforms_are_no_evidence() {
    for line in [
        "INFO worker: Task timed out after 5 seconds, will retry",
        "Task timed out after 5 seconds",
        "2026-02-11T10:00:00.120Z ERROR Task timed out after 30.00 seconds",
        "2026-02-11T10:00:00Z INFO worker: Task timed out after 3.00 seconds",
        "2026-02-11T10:00:00.120Z babe941c-216d-4d62-be39-5391fe4911dc Task timed out after three seconds",
        "RequestId: abc Error: payment was refused",
        "START of the nightly job",
        "END RequestId",
        "REPORT for last month: Duration: 30 days",
        "saw WORKER TIMEOUT (pid:12) in the log",
        "2026-11-22 12:00:00 INFO ops: WORKER TIMEOUT (pid:12)",
        "WORKER TIMEOUT (pid:12) again",
        "he wrote \"[2026-11-22 12:04:32 +0000] [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)\"",
        r#"{"level":"error","msg":"upstream said: RequestId: abc Error: Task timed out after 3.00 seconds"}"#,
        r#"{"level":"INFO","message":"WORKER TIMEOUT (pid:12)"}"#,
        r#"{"kind":"fired","what":"a cannon"}"#,
    ] {
        assert!(read_one(Format::Auto, line).starts_with("ignored app_log"), "{line}: {}", read_one(Format::Auto, line));
    }
}

#[test]
fn a_format_asked_for_reads_no_other() {
    assert!(read_one(Format::Gunicorn, START).starts_with("ignored"));
    assert!(read_one(Format::LambdaText, BOOT).starts_with("ignored"));
}

#[test]
fn what_the_input_as_a_whole_says_fills_gaps_only() {
    let context = Context {
        instance: Some("web-1".into()),
        function: Some("checkout".into()),
        sent_at: Some("2026-11-22T12:00:00Z".parse().expect("a time")),
        ..Context::default()
    };
    let parsed = Format::Auto.parse(format!("{BOOT}{START}").as_bytes(), &context);
    let claims: Vec<_> = parsed
        .items
        .iter()
        .filter_map(|item| match &item.fate {
            Fate::Evidence(claim) => Some(claim),
            _ => None,
        })
        .collect();
    assert_eq!(claims[0].observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-22T12:04:30Z"));
    assert_eq!(claims[1].observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-22T12:00:00Z"));
    assert!(claims.iter().all(|claim| claim.instance.as_ref().is_some_and(|name| name.as_str() == "web-1")));
}

#[test]
fn facts_are_one_flat_object_under_the_names_of_the_vocabulary() {
    let report = "REPORT RequestId: r1\tDuration: 3016.78 ms\tMemory Size: 128 MB\tStatus: timeout\n";
    let parsed = Format::Auto.parse(report.as_bytes(), &Context::default());
    let expected = serde_json::json!({
        "fate": "evidence", "kind": "invocation_report", "line": 1, "format": "lambda_text", "platform": "aws_lambda", "request_id": "r1",
        "duration_ms": 3016.78, "elapsed_ms": 3016.78, "memory_size_mb": 128, "status": "timeout", "outcome": "timeout", "cold_start": false,
        "limit_ms": 3000, "limit_setting": "Timeout", "raw": report.trim_end(),
    });
    assert_eq!(facts::of(&parsed.items[0]), expected);
}

#[test]
fn a_rejected_item_says_why() {
    let rejected = Format::Watchdog.parse(b"{\"kind\":\"fired\"}", &Context::default());
    let facts = facts::of(&rejected.items[0]);
    assert_eq!((facts["fate"].as_str(), facts["kind"].as_str(), facts["line"].as_u64()), (Some("rejected"), Some("unparsed"), Some(1)));
    assert!(facts["reason"].as_str().is_some_and(|reason| reason.starts_with("expected ")), "{facts}");
}
