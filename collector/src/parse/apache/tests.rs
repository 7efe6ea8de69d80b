//! Apache's and mod_wsgi's lines: the number in front decides, not the status.

use super::{FORMAT, error_log};
use crate::parse::tests::read_one;
use crate::parse::{Context, Fate, Format, Item};

fn error(module: &str, rest: &str) -> String {
    read_one(Format::Auto, &format!("[Sun Nov 22 12:30:24.079720 2026] [{module}:error] [pid 2685:tid 2689] {rest}"))
}

#[test]
fn the_number_in_front_decides() {
    let line = |number: &str, words: &str| error("proxy_http", &format!("({number})Some words: [client 10.0.0.9:48278] {words}"));
    let reading = "AH01102: error reading status line from remote server 127.0.0.1:8000";
    assert_eq!(
        line("70007", reading),
        "evidence proxy_error client=10.0.0.9:48278 error_number=70007 limit_ms=null observed_at=2026-11-22T12:30:24.079720Z outcome=gateway_timeout pid=2685 upstream=127.0.0.1:8000"
    );
    assert!(line("20014", reading).contains("outcome=error pid=2685 upstream=127.0.0.1:8000 upstream_closed=true"));
    assert!(line("111", "AH00957: HTTP: attempt to connect to 127.0.0.1:8000 (127.0.0.1) failed").contains("outcome=error"));
    assert!(line("110", "AH00957: HTTP: attempt to connect to 127.0.0.1:8000 (127.0.0.1) failed").contains("outcome=connect_timeout"));
    assert!(
        line("70007", "AH01095: prefetch request body failed to 127.0.0.1:8000 (127.0.0.1) from 10.0.0.9 ()")
            .contains("outcome=client_idle_timeout")
    );
}

#[test]
fn the_daemons_of_mod_wsgi_have_limits_of_their_own() {
    let line = |words: &str| error("wsgi", &format!("[client 10.0.0.9:36956] {words} 'app': /srv/app.wsgi"));
    assert!(line("Timeout when reading response headers from daemon process").contains("outcome=timeout"));
    let gone = line("Truncated or oversized response headers received from daemon process");
    assert!(gone.contains("outcome=timeout outcome_confidence=possible"), "{gone}");
}

#[test]
fn a_log_format_without_process_and_client_is_told_all_the_same_and_what_only_resembles_it_is_not() {
    let told = "[Sun Nov 22 15:05:24.079720 2026] [proxy_http:error] (70007)The timeout specified has expired: AH01102: error reading status line from remote server 10.1.0.2:8000";
    let mut items: Vec<Item> = Vec::new();
    Format::Auto.visit(told.as_bytes(), &Context::default(), &mut items);
    assert!(matches!(&items[0].fate, Fate::Evidence(claim) if claim.format == FORMAT && claim.outcome.is_some()), "{items:?}");
    assert!(error_log::read(&told.replace(":error]", ":error [pid 85:tid 89]")).is_none());
}

#[test]
fn what_it_says_of_itself_is_ignored() {
    let read = read_one(
        Format::Auto,
        "[Sun Nov 22 12:30:22.476707 2026] [mpm_event:notice] [pid 2684:tid 2684] AH00489: Apache/2.4.71 (Debian) configured",
    );
    assert!(read.starts_with("ignored app_log"), "{read}");
}

#[test]
fn an_access_line_is_stamped_at_its_beginning_and_names_no_id_by_itself() {
    let line = r#"10.0.0.9 - - [22/Nov/2026:12:30:23 +0000] "GET /r?s=4 HTTP/1.1" 502 544 "-" "-" 1001047 7c5d0411-7269-4008-8b13-e799c739ab35 aX9gX6d1w2fsFgXVf_hZrQAAAAE"#;
    assert_eq!(
        read_one(Format::Auto, line),
        "evidence gateway_request client=10.0.0.9 elapsed_ms=1001.047 method=GET observed_at=2026-11-22T12:30:24.001047Z outcome=error path=/r?s=4 response_bytes=544 started_at=2026-11-22T12:30:23Z status=502 unnamed_id=7c5d0411-7269-4008-8b13-e799c739ab35"
    );
    assert!(
        read_one(Format::Apache, r#"10.0.0.9 - - [22/Nov/2026:12:30:23 +0000] "GET / HTTP/1.1" 504 5 "-" "-""#).starts_with("evidence")
    );
}
