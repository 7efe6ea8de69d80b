//! nginx's lines: phases name settings, and times say whose 504 it is.

use crate::parse::Format;
use crate::parse::tests::read_one;

fn error(words: &str, upstream: &str) -> String {
    let read = Format::Auto.parse(
        format!(
            "2026/11/22 12:17:10 [error] 5159#5159: *2 {words}, client: 10.0.0.9, server: , request: \"GET /r?s=1 HTTP/1.1\", upstream: \"{upstream}\", host: \"h\""
        )
        .as_bytes(),
        &crate::parse::Context::default(),
    );
    let crate::parse::Fate::Evidence(claim) = &read.items[0].fate else { return "ignored".to_owned() };
    let setting = claim.limit.as_ref().map_or("-", |limit| limit.setting.as_str());
    let outcome = claim.outcome.map(|outcome| format!("{outcome:?}")).unwrap_or_default();
    format!("{outcome} {setting}")
}

#[test]
fn the_phase_and_the_upstreams_scheme_name_the_setting() {
    let timed_out = |phase: &str, upstream: &str| error(&format!("upstream timed out (110: Connection timed out) while {phase}"), upstream);
    let http = "http://127.0.0.1:8000/r";
    assert_eq!(timed_out("reading response header from upstream", http), "GatewayTimeout proxy_read_timeout");
    assert_eq!(timed_out("reading upstream", http), "GatewayTimeout proxy_read_timeout");
    assert_eq!(timed_out("connecting to upstream", http), "ConnectTimeout proxy_connect_timeout");
    assert_eq!(timed_out("SSL handshaking to upstream", "https://127.0.0.1/r"), "ConnectTimeout proxy_connect_timeout");
    assert_eq!(timed_out("sending request to upstream", http), "GatewayTimeout proxy_send_timeout");
    assert_eq!(timed_out("reading response header from upstream", "fastcgi://127.0.0.1:9000"), "GatewayTimeout fastcgi_read_timeout");
    assert_eq!(timed_out("reading response header from upstream", "uwsgi://127.0.0.1:9000"), "GatewayTimeout uwsgi_read_timeout");
}

#[test]
fn other_ends_are_told_apart() {
    let http = "http://127.0.0.1:8000/r";
    assert_eq!(
        error("client timed out (110: Connection timed out) while reading client request body", http),
        "ClientIdleTimeout client_body_timeout"
    );
    assert_eq!(
        error(
            "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while sending request to upstream",
            http
        ),
        "ClientClosed -"
    );
    assert_eq!(error("upstream prematurely closed connection while reading response header from upstream", http), "Error -");
    assert_eq!(error("connect() failed (111: Connection refused) while connecting to upstream", http), "Error -");
    assert_eq!(error("client 10.0.0.9 closed keepalive connection", http), "ignored");
    let own = read_one(Format::Auto, "2026/11/22 12:17:08 [notice] 5158#5158: start worker processes");
    assert!(own.starts_with("ignored"), "{own}");
}

fn access(rest: &str) -> String {
    let read = read_one(Format::Auto, &format!(r#"10.0.0.9 - - [22/Nov/2026:12:17:10 +0000] "GET /r?s=1 HTTP/1.1" {rest}"#));
    let keep =
        |word: &&str| ["outcome", "waited", "next", "upstream_closed", "evidence", "ignored"].iter().any(|own| word.starts_with(own));
    read.split(' ').filter(keep).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_504_is_nginxs_own_only_where_no_header_came() {
    assert_eq!(access(r#"504 167 "-" "-" rt=1.001 uct=0.001 uht=- urt=1.002 us=504"#), "evidence outcome=gateway_timeout waited_ms=1002");
    assert_eq!(access(r#"504 167 "-" "-" rt=1.001 uct=- uht=- urt=1.001 us=504"#), "evidence outcome=connect_timeout waited_ms=1001");
    assert_eq!(access(r#"504 167 "-" "-" rt=1.001 uct=0.001 uht=1.000 urt=1.002 us=504"#), "evidence outcome=upstream_timeout");
    assert_eq!(
        access(r#"504 167 "-" "-" rt=1.001 urt=1.002 us=504"#),
        "evidence outcome=gateway_timeout outcome_confidence=likely waited_ms=1002"
    );
}

#[test]
fn without_the_upstreams_status_the_requests_is_its_own() {
    for (rest, expected) in [
        (r#"504 167 "-" "-" rt=3.001 uct="0.000" uht="-" urt="3.000""#, "evidence outcome=gateway_timeout waited_ms=3000"),
        (r#"504 167 "-" "-" rt=1.001 uct="-" uht="-" urt="1.001""#, "evidence outcome=connect_timeout waited_ms=1001"),
        (r#"504 167 "-" "-" rt=1.001 uct="0.001" uht="1.000" urt="1.002""#, "evidence outcome=upstream_timeout"),
        (r#"504 167 "-" "-" rt=2.002 uct="0.001, 0.001" uht="-, -" urt="1.001, 1.001""#, "evidence outcome=gateway_timeout waited_ms=1001"),
        (r#"502 157 "-" "-" rt=2.118 uct="0.000" uht="-" urt="2.118""#, "evidence outcome=error upstream_closed=true"),
        (r#"504 167 "-" "-" rt=0.000 uct="-" uht="-" urt="-""#, "evidence outcome=error"),
        (r#"200 12 "-" "-" rt=0.003 uct="0.000" uht="0.003" urt="0.003""#, "ignored outcome=success"),
    ] {
        assert_eq!(access(rest), expected, "{rest}");
    }
}

#[test]
fn a_timeout_behind_a_200_is_seen() {
    assert_eq!(
        access(r#"200 12 "-" "-" rid=r-1 rt=1.006 uct=0.000, 0.001 uht=-, 0.006 urt=1.001, 0.006 us=504, 200"#),
        "evidence next_upstream=true outcome=gateway_timeout waited_ms=1001"
    );
}

/// nginx 1.22.1 (November 2026): the line of a GET came, and then no more of its headers.
#[test]
fn a_request_without_a_body_kept_its_headers_back() {
    for (method, setting) in [("GET", "client_header_timeout"), ("POST", "client_body_timeout")] {
        let line = format!(r#"10.0.0.9 - - [27/Nov/2026:15:23:15 +0000] "{method} /fast HTTP/1.1" 408 0 "-" "-" rt=1.001 urt=- us=-"#);
        let read = Format::Auto.parse(line.as_bytes(), &crate::parse::Context::default());
        let crate::parse::Fate::Evidence(claim) = &read.items[0].fate else { panic!("{line}") };
        assert_eq!(claim.limit.as_ref().map(|limit| limit.setting.as_str()), Some(setting), "{line}");
    }
}

#[test]
fn the_client_is_told_from_the_upstream() {
    assert_eq!(access(r#"499 0 "-" "-" rt=1.000 uht=- urt=0.999 us=-"#), "evidence outcome=client_closed");
    assert_eq!(
        access(r#"408 0 "-" "-" rt=1.001 urt=- us=-"#),
        "evidence outcome=client_idle_timeout outcome_confidence=likely waited_ms=1001"
    );
    assert_eq!(access(r#"408 0 "-" "-" rt=0.001 urt=0.001 us=408"#), "ignored");
    assert_eq!(access(r#"502 157 "-" "-" rt=2.118 uct=0.000 uht=- urt=2.118 us=502"#), "evidence outcome=error upstream_closed=true");
    assert_eq!(access(r#"200 12 "-" "-" rt=0.003 urt=0.003 us=200"#), "ignored outcome=success");
}

#[test]
fn json_is_told_by_nginxs_variables() {
    let line = r#"{"time":"2026-11-22T12:16:26+00:00","msec":"1795349786.485","request_id":"r-5","method":"GET","uri":"/r","status":"504","request_time":"1.002","upstream_response_time":"1.002","upstream_status":"504","bytes_sent":"329"}"#;
    assert_eq!(
        read_one(Format::Auto, line),
        "evidence gateway_request elapsed_ms=1002 limit_ms=null method=GET observed_at=2026-11-22T12:16:26.485Z outcome=gateway_timeout outcome_confidence=likely path=/r request_id=r-5 response_bytes=329 started_at=2026-11-22T12:16:25.483Z status=504 waited_ms=1002"
    );
}

#[test]
fn pairs_alone_are_told_by_nginxs_variables() {
    let line = r#"time="2026-11-27T15:22:28+00:00" client=10.0.0.9 method=GET uri="/r?s=4 x" status=499 request_time=1.202 upstream_status="-" upstream_response_time="1.202" request_id=r-6"#;
    assert_eq!(
        read_one(Format::Auto, line),
        "evidence gateway_request client=10.0.0.9 elapsed_ms=1202 method=GET observed_at=2026-11-27T15:22:28Z outcome=client_closed path=/r?s=4 x request_id=r-6 started_at=2026-11-27T15:22:26.798Z status=499"
    );
    for another in ["level=info msg=\"handled\" status=499 request_time=1.202", "the request_time=1.2 of upstream_status=504 is too long"] {
        assert!(read_one(Format::Auto, another).starts_with("ignored"), "{another}");
    }
}

#[test]
fn common_variations_of_the_format_are_read() {
    for line in [
        r#"10.0.0.9 - [27/Nov/2026:15:22:37 +0000] "GET /r HTTP/1.1" 499 0 request_time=1.201 upstream_status=-"#,
        r#"Nov 27 15:22:37 web1 nginx: 10.0.0.9 - [27/Nov/2026:15:22:37 +0000] "GET /r HTTP/1.1" 499 0 request_time=1.201 upstream_status=-"#,
        r#"10.0.0.9 - - [27/Nov/2026:15:22:37 +0000] "GET /r HTTP/1.1" 499 0 "-" "curl/8" "-" 1.201 1.200 ."#,
    ] {
        let read = read_one(Format::Auto, line);
        assert!(read.contains("client=10.0.0.9 elapsed_ms=1201 ") && read.contains("outcome=client_closed"), "{read}");
    }
}

#[test]
fn the_default_format_is_read_when_asked_for_and_where_its_status_is_nginxs_own() {
    let line = |status: u32| format!(r#"10.0.0.9 - - [22/Nov/2026:12:17:10 +0000] "GET /r HTTP/1.1" {status} 0 "-" "curl/8""#);
    assert!(read_one(Format::Nginx, &line(504)).starts_with("evidence"));
    assert!(read_one(Format::Auto, &line(504)).starts_with("ignored"), "its writer is not known");
    assert!(read_one(Format::Auto, &line(499)).contains("outcome=client_closed"));
}
