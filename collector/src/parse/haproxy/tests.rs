//! HAProxy's lines, in both orders.

use crate::parse::Format;
use crate::parse::tests::read_one;

fn read(line: &str) -> String {
    read_one(Format::Auto, line)
}

#[test]
fn the_termination_state_decides_and_not_the_status() {
    let line = |state: &str, times: &str, status: &str| {
        read(&format!(
            r#"10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web~ app/s1 {times} {status} 198 - - {state} 1/1/0/0/0 0/0 "GET /r?x=1 HTTP/1.1""#
        ))
    };
    let told = |read: String| {
        let word = |name: &str| read.split(' ').find_map(|word| word.strip_prefix(name)).unwrap_or("-").to_owned();
        (read.split(' ').next().expect("a fate").to_owned(), word("outcome="), word("waited_ms="))
    };
    let check = |state, times, status, expected: (&str, &str, &str)| {
        let (fate, outcome, waited) = told(line(state, times, status));
        assert_eq!((fate.as_str(), outcome.as_str(), waited.as_str()), expected, "{state}");
    };
    check("sH--", "0/0/3/-1/1004", "504", ("evidence", "gateway_timeout", "1001"));
    check("sQ--", "0/1002/-1/-1/1002", "503", ("evidence", "gateway_timeout", "1002"));
    check("sC--", "0/0/-1/-1/1001", "503", ("evidence", "connect_timeout", "1001"));
    check("sD--", "0/0/0/5/3005", "200", ("evidence", "gateway_timeout", "-"));
    check("CH--", "0/0/0/-1/1000", "400", ("evidence", "client_closed", "-"));
    check("cD--", "0/0/0/4/9000", "200", ("evidence", "client_idle_timeout", "-"));
    check("SC--", "0/0/-1/-1/0", "503", ("evidence", "error", "-"));
    check("SH--", "0/0/0/-1/2833", "502", ("evidence", "error", "-"));
    check("----", "0/0/0/1008/1008", "200", ("ignored", "success", "-"));
    check("----", "0/0/0/1008/1008", "504", ("evidence", "error", "-"));
    check("sD--", "0/0/0/4/9000", "101", ("evidence", "idle_timeout", "-"));
}

#[test]
fn a_prefix_of_syslog_is_taken_off_and_a_captured_uuid_stays_unnamed() {
    let line = r#"Nov 22 12:19:06 gw1 haproxy[412]: 10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web app/s1 0/0/0/-1/1001 504 198 - - sH-- 1/1/0/0/0 0/0 {1a2e60bc-0460-4288-accd-8b07b9114cef|x} "GET /r HTTP/1.1""#;
    assert_eq!(
        read(line),
        "evidence gateway_request client=10.0.0.9:37704 elapsed_ms=1001 frontend=web instance=gw1 limit_ms=null method=GET observed_at=2026-11-22T12:19:06.432Z outcome=gateway_timeout path=/r response_bytes=198 retries=0 started_at=2026-11-22T12:19:05.431Z status=504 termination=sH-- unnamed_id=1a2e60bc-0460-4288-accd-8b07b9114cef upstream=app/s1 waited_ms=1001"
    );
}

#[test]
fn a_word_behind_the_request_line_may_be_the_requests_id() {
    let line = |behind: &str| {
        read(&format!(
            r#"127.0.0.1:51496 [27/Nov/2026:22:54:50.960] g b/s1 0/0/0/-1/5000 504 198 - - sH-- 1/1/0/0/0 0/0 "GET /pay10 HTTP/1.1"{behind}"#
        ))
    };
    let id = |behind: &str| line(behind).split(' ').find_map(|word| Some(word.strip_prefix("unnamed_id=")?.to_owned()));
    let own = "7F000001:C928_7F000001:225A_6B0A0A3A_0002:6358";
    assert_eq!(id(&format!(" {own}")).as_deref(), Some(own), "`%ID` in its usual form");
    assert_eq!((id(""), id(" -"), id(" a b"), id(" rid=r-1")), (None, None, None, None));
}

#[test]
fn tcp_sessions_are_read_and_a_probe_is_not_evidence() {
    let idle = read("10.0.0.9:37705 [22/Nov/2026:12:19:05.431] db pg/s1 0/0/5002 212 sD 1/1/0/0/0 0/0");
    assert!(idle.starts_with("evidence gateway_request") && idle.contains("outcome=idle_timeout"), "{idle}");
    let queued = read("10.0.0.9:37705 [22/Nov/2026:12:19:05.431] db pg/<NOSRV> 5000/-1/5000 0 sQ 1/1/0/0/0 0/0");
    assert!(queued.contains("outcome=gateway_timeout"), "{queued}");
    let probe = read(r#"10.0.0.9:5 [22/Nov/2026:12:19:04.830] web web/<NOSRV> -1/-1/-1/-1/0 400 0 - - CR-- 1/1/0/0/0 0/0 "<BADREQ>""#);
    assert!(probe.starts_with("ignored"), "{probe}");
}

/// HAProxy 2.6.12 with `option httplog clf` and two captured headers.
fn clf(request: &str, status: &str, server: &str, timers: &str, state: &str) -> String {
    read(&format!(
        r#"10.0.0.9 - - [22/Nov/2026:12:19:05 +0000] "{request}" {status} 198 "" "" 45708 062 "web~" "app" "{server}" {timers} {state} 1 1 0 0 0 0 0 "" "" "1a2e60bc-0460-4288-accd-8b07b9114cef" """#
    ))
}

#[test]
fn the_common_log_format_says_the_same_in_another_order() {
    assert_eq!(
        clf("GET /r?x=1 HTTP/1.1", "504", "s1", "0 0 1 -1 1002", "sH--"),
        "evidence gateway_request client=10.0.0.9:45708 elapsed_ms=1002 frontend=web limit_ms=null method=GET observed_at=2026-11-22T12:19:06.002Z outcome=gateway_timeout path=/r?x=1 response_bytes=198 retries=0 started_at=2026-11-22T12:19:05Z status=504 termination=sH-- unnamed_id=1a2e60bc-0460-4288-accd-8b07b9114cef upstream=app/s1 waited_ms=1001"
    );
    let queued = clf("GET /r HTTP/1.1", "503", "<NOSRV>", "0 1002 -1 -1 1002", "sQ--");
    assert!(queued.contains("outcome=gateway_timeout") && queued.contains("upstream=app/<NOSRV> waited_ms=1002"), "{queued}");
    let late = clf("<BADREQ>", "408", "<NOSRV>", "-1 -1 -1 -1 1001", "cR--");
    assert!(late.contains("outcome=client_idle_timeout"), "{late}");
    assert!(clf("<BADREQ>", "400", "<NOSRV>", "-1 -1 -1 -1 0", "CR--").starts_with("ignored"));
    assert!(clf("GET /r HTTP/1.1", "200", "s1", "0 0 0 9 9", "--NI").starts_with("ignored gateway_request"));
}

#[test]
fn quotes_of_the_client_move_no_field_of_the_common_log_format() {
    // HAProxy writes a quote inside of quotes as `#22`; a line that somebody forged otherwise is not read as HAProxy's.
    let quoted = clf("GET /a#22 504 1 #22 HTTP/1.1", "200", "s1", "0 0 1 2 3", "----");
    assert!(quoted.contains("status=200"), "{quoted}");
    assert!(!clf("GET /a", "504", "s1", "0 0 1 2", "sH--").contains("termination"));
    assert!(!clf("GET /a", "504", "s1", "0 0 1 2 3", "sH").contains("termination"));
}

#[test]
fn the_common_log_format_is_found_behind_a_prefix_and_in_a_custom_one_behind_it() {
    let line = r#"Nov 22 12:19:06 gw1 haproxy[412]: 10.0.0.9 - - [22/Nov/2026:12:19:05 +0100] "GET /r HTTP/1.1" 504 198 "" "" 45708 062 "web" "app" "s1" 0 0 1 -1 1002 sH-- 1 1 0 0 +2 0 0 "" "" rid=r-7"#;
    let told = read(line);
    for part in ["instance=gw1", "request_id=r-7", "retries=2", "started_at=2026-11-22T11:19:05Z", "termination=sH--"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}
