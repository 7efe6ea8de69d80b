//! Access lines, with and without what `--access-logformat` appends.

use crate::parse::Format;
use crate::parse::tests::read_one;

fn check(line: &str, expected: &str) {
    assert_eq!(read_one(Format::Auto, line), expected, "{line}");
}

const PLAIN: &str = r#"127.0.0.1 - - [22/Nov/2026:12:05:26 +0000] "GET /report?seconds=1 HTTP/1.1" 200 11 "-" "curl/8""#;

#[test]
fn a_line_that_names_nothing_is_ignored() {
    check(PLAIN, "ignored request method=GET observed_at=2026-11-22T12:05:26Z path=/report?seconds=1 response_bytes=11 status=200");
}

#[test]
fn request_process_and_duration_are_read() {
    check(
        &format!("{PLAIN} 1001412 rid=8ff0 pid=<10041>"),
        "evidence request elapsed_ms=1001.412 method=GET observed_at=2026-11-22T12:05:26Z path=/report?seconds=1 pid=10041 request_id=8ff0 \
         response_bytes=11 started_at=2026-11-22T12:05:24.998588Z status=200",
    );
    check(
        &format!("{PLAIN} 1.001412 pid=<10041>"),
        "evidence request elapsed_ms=1001.412 method=GET observed_at=2026-11-22T12:05:26Z path=/report?seconds=1 pid=10041 response_bytes=11 \
         started_at=2026-11-22T12:05:24.998588Z status=200",
    );
}

#[test]
fn a_number_is_no_duration_unless_gunicorn_wrote_it() {
    check(
        &format!("{PLAIN} 1001412 rid=\"8ff0\" pid=10041"),
        "evidence request method=GET observed_at=2026-11-22T12:05:26Z path=/report?seconds=1 pid=10041 request_id=8ff0 response_bytes=11 status=200",
    );
}

#[test]
fn free_text_of_a_client_names_nothing() {
    let line = r#"127.0.0.1 - - [22/Nov/2026:12:05:26 +0000] "GET / HTTP/1.1" 200 - "-" "evil rid=stolen pid=<1> \" rid=stolen" rid=-"#;
    check(line, "ignored request method=GET observed_at=2026-11-22T12:05:26Z path=/ status=200");
}

#[test]
fn what_is_no_access_line_is_nobodys() {
    for line in [
        r#"127.0.0.1 - - [22/Nov/2026:12:05:26] "GET / HTTP/1.1" 200 12"#,
        r#"127.0.0.1 - - [22/Xyz/2026:12:05:26 +0000] "GET / HTTP/1.1" 200 12"#,
        r#"127.0.0.1 - - [22/Nov/2026:12:05:26 +0000] "GET / HTTP/1.1" ok 12"#,
        r#"- [22/Nov/2026:12:05:26 +0000] "GET / HTTP/1.1" 200 12"#,
        "[22/Nov/2026:12:05:26 +0000] \"",
    ] {
        assert!(read_one(Format::Auto, line).starts_with("ignored app_log"), "{line}");
    }
}

/// gunicorn 23.0.0 (November 2026); nginx's and others' JSON has no process ID in angle brackets.
#[test]
fn json_is_told_by_gunicorns_process_id() {
    let line = |pid: &str| {
        format!(
            r#"{{"time":"[27/Nov/2026:15:19:59 +0000]","remote_ip":"127.0.0.1","request":"GET /r?s=5 HTTP/1.1","status":"500","duration":0.002105,"request_id":"r-9","pid":"{pid}"}}"#
        )
    };
    check(
        &line("<6862>"),
        "evidence request elapsed_ms=2.105 method=GET observed_at=2026-11-27T15:19:59Z path=/r?s=5 pid=6862 request_id=r-9 \
         started_at=2026-11-27T15:19:58.997895Z status=500",
    );
    assert!(read_one(Format::Auto, &line("6862")).starts_with("ignored"));
}
