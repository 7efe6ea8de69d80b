use super::*;
use crate::parse::{Format, facts};

fn read(format: Format, text: &str) -> Vec<serde_json::Value> {
    format.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "tests read better without a reference at each call")]
fn check(line: &str, name: &str, expected: serde_json::Value) {
    for format in [Format::Syslog, Format::Auto] {
        let items = read(format, line);
        assert_eq!((items.len(), &items[0][name]), (1, &expected), "{line} as {}: {items:#?}", format.name());
    }
}

#[test]
fn heads_are_read_and_what_is_nil_is_absent() {
    let line = "<165>1 2026-11-02T22:14:15.003Z fn1.example.com pay 8710 ID47 - Task done";
    for (name, expected) in [("facility", 20.into()), ("severity", 5.into()), ("app", "pay".into()), ("proc_id", "8710".into())] {
        check(line, name, expected);
    }
    check(line, "observed_at", "2026-11-02T22:14:15.003Z".into());
    check(line, "instance", "fn1.example.com".into());
    check(line, "message", "Task done".into());
    check(line, "format", FORMAT.into());
    check("<13>1 - - - - - -", "app", serde_json::Value::Null);
    check("<34>1 2026-10-11T22:14:15.003000-07:00 h su - ID47 - \u{feff}'su root' failed", "message", "'su root' failed".into());
}

#[test]
fn structured_data_keeps_what_was_escaped_and_a_bracket_in_the_text_is_text() {
    let line = r#"<165>1 2026-11-02T22:14:15Z h a - - [x@1 k="a \"quoted\" \] and \\ slash" l=""][y z="1"] m"#;
    check(line, "structured_data", serde_json::json!({ "x@1": { "k": r#"a "quoted" ] and \ slash"#, "l": "" }, "y": { "z": "1" } }));
    check(line, "message", "m".into());
    check("<165>1 2026-11-02T22:14:15Z h a - - [2026] not data", "message", "[2026] not data".into());
    check("<165>1 2026-11-02T22:14:15Z h a - - - [x k=\"v\"] text", "message", "[x k=\"v\"] text".into());
}

#[test]
fn a_moment_without_year_is_none() {
    let line = "<34>Oct 11 22:14:15 mymachine su[42]: 'su root' failed";
    check(line, "observed_at", serde_json::Value::Null);
    check(line, "instance", "mymachine".into());
    check(line, "proc_id", "42".into());
    check(line, "message", "'su root' failed".into());
    check("<13>Nov  2 09:00:00 shop: hello: you", "message", "hello: you".into());
    check("<13>Nov  2 09:00:00 web-1 no tag here", "message", "no tag here".into());
}

#[test]
fn a_servers_lines_behind_syslog_are_the_servers_and_belong_together() {
    let lines = [
        "[2026-11-02 09:14:25 +0000] [306] [ERROR] Error handling request /slow",
        "Traceback (most recent call last):",
        "  File \"/srv/app.py\", line 12, in slow",
        "    time.sleep(60)",
        "SystemExit: 1",
    ];
    let text: String = lines
        .iter()
        .flat_map(|line| ["web-1", "web-2"].map(|host| format!("<13>1 2026-11-02T09:14:25.100Z {host} shop 300 - - {line}\n")))
        .collect();
    let items = read(Format::Syslog, &text);
    let told: Vec<_> = items.iter().map(|item| (item["kind"].clone(), item["instance"].clone(), item["pid"].clone())).collect();
    assert_eq!(
        told,
        [("request_error".into(), "web-1".into(), 306.into()), ("request_error".into(), "web-2".into(), 306.into())],
        "{items:#?}"
    );
    assert_eq!(items[0]["app"], "shop");
    assert!(items[0]["stacks"][0]["frames"].as_array().is_some_and(|frames| !frames.is_empty()), "{items:#?}");
}

/// rsyslog's template has two spaces in front of what came in the older format, and escapes control characters.
#[test]
fn what_rsyslog_passes_on_is_read_as_if_it_had_come_by_itself() {
    let items = read(Format::Syslog, include_str!("../../../../tests/fixtures/syslog/rsyslog.log"));
    let told: Vec<_> = items.iter().map(|item| (item["kind"].clone(), item["pid"].clone(), item["app"].clone())).collect();
    let expected =
        [("invocation_start", "octet"), ("timeout_notice", "octet"), ("invocation_end", "octet"), ("invocation_report", "octet")];
    let lambdas = expected.map(|(kind, app)| (kind.into(), serde_json::Value::Null, app.into()));
    assert_eq!(told[..4], lambdas, "{items:#?}");
    assert_eq!(items[3]["outcome"], "timeout", "it stands behind the last tab");
    assert_eq!(
        told[4..],
        [("worker_timeout".into(), 322.into(), "gunicorn".into()), ("request_error".into(), 322.into(), "gunicorn".into())]
    );
    assert!(items[5]["stacks"][0]["frames"].as_array().is_some_and(|frames| !frames.is_empty()), "{items:#?}");
}

#[test]
fn what_cannot_be_read_costs_no_neighbour() {
    let text =
        "<999>1 2026-11-02T06:45:29Z h a p m - x\n<13>1 yesterday h a p m - x\nno priority\n<13>1 2026-11-02T06:45:29Z h a p m - y\n";
    let fates: Vec<_> = read(Format::Syslog, text).iter().map(|item| item["fate"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(fates, ["rejected", "rejected", "ignored", "ignored"]);
}

#[test]
fn fixtures_are_read_alike_in_both_framings() {
    let lines = include_str!("../../../../tests/fixtures/syslog/logger.log");
    let counted = lines.lines().map(|line| format!("{} {line}", line.len())).collect::<Vec<_>>().concat();
    let said = |text: &str| read(Format::Syslog, text).iter().map(|item| item["message"].to_string()).collect::<Vec<_>>();
    assert_eq!(said(lines), said(&counted));
}
