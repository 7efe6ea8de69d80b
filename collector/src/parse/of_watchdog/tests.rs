use super::*;
use crate::parse::tests::evidence;

fn claim(text: &str) -> Claim {
    evidence(text, read)
}

#[test]
fn the_first_line_of_a_pair_decides_and_the_second_only_names_the_configured_value() {
    let deadline = claim(
        "2026/11/22 09:00:02 Upstream HTTP request error: Get \"http://127.0.0.1:5000/a?b=c\": context deadline exceeded\n2026/11/22 09:00:02 Upstream HTTP killed due to exec_timeout: 1m0s",
    );
    assert_eq!((deadline.outcome, deadline.text("path")), (Some(ClaimedOutcome::Timeout), Some("/a?b=c")));
    assert_eq!(deadline.limit.expect("named").value_ms.map(Millis::as_ms), Some(60_000));
    let canceled = claim(
        "2026/11/22 09:00:02 Upstream HTTP request error: Post \"http://127.0.0.1:5000/a\": context canceled\n2026/11/22 09:00:02 Upstream HTTP killed due to exec_timeout: 20s",
    );
    assert_eq!((canceled.outcome, canceled.limit.clone()), (Some(ClaimedOutcome::ClientClosed), None));
    assert_eq!((canceled.text("method"), canceled.number("blamed_exec_timeout_ms")), (Some("POST"), Some(20_000.0)));
}

#[test]
fn only_the_second_half_continues_a_pair() {
    let error = "2026/11/22 09:00:02 Upstream HTTP request error: Get \"http://f/\": context canceled";
    assert!(continues(error, "2026/11/22 09:00:02 Upstream HTTP killed due to exec_timeout: 20s"));
    assert!(!continues(error, "2026/11/22 09:00:02 stderr: Upstream HTTP killed due to exec_timeout: 20s"));
    assert!(!continues("2026/11/22 09:00:02 hello", "2026/11/22 09:00:02 Upstream HTTP killed due to exec_timeout: 20s"));
}

#[test]
fn request_lines_are_read_in_every_versions_form() {
    let old = claim("2026/11/22 09:00:02 GET /a - 200 OK - ContentLength: 17");
    assert_eq!((old.number("status"), old.elapsed_ms, old.request_id), (Some(200.0), None, None));
    let new = claim("2026/11/22 09:00:02 GET /a?x= - b - 500 - ContentLength: 17B (1.0016s) [4f2c]");
    assert_eq!((new.text("path"), new.number("status")), (Some("/a?x= - b"), Some(500.0)));
    assert_eq!((new.elapsed_ms, new.request_id.as_ref().map(RequestId::as_str)), (Some(Millis::from_us(1_001_600)), Some("4f2c")));
}

#[test]
fn both_forms_of_the_banner_give_the_limits() {
    for line in ["Timeouts: read: 30s, write: 3s hard: 20s.", "Timeouts: read: 30s write: 3s hard: 20s health: 1s"] {
        let banner = claim(&format!("2026/11/22 09:00:00 {line}"));
        assert_eq!((banner.kind, banner.number("write_timeout_ms")), (Kind::ServerStart, Some(3000.0)), "{line}");
        assert_eq!(banner.number("exec_timeout_ms"), Some(20_000.0), "{line}");
    }
}

#[test]
fn the_end_of_the_function_is_a_crash_unless_it_was_told_to_stop() {
    assert_eq!(claim("2026/11/22 09:00:00 Forked function has terminated: exit status 3").outcome, Some(ClaimedOutcome::Crash));
    assert_eq!(claim("2026/11/22 09:00:00 Forked function has terminated: signal: killed").outcome, Some(ClaimedOutcome::Crash));
    assert_eq!(claim("2026/11/22 09:00:00 Forked function has terminated: signal: terminated").outcome, None);
}

#[test]
fn a_functions_own_words_are_not_of_watchdogs() {
    for line in [
        "2026/11/22 09:00:00 stderr: Upstream HTTP killed due to exec_timeout: 2s",
        "2026/11/22 09:00:00 signal: killed by me",
        "2026/11/22 09:00:00 hello - 200 - ContentLength: 3B",
        "Upstream HTTP killed due to exec_timeout: 2s",
    ] {
        assert!(read(line).is_none(), "{line}");
    }
}
