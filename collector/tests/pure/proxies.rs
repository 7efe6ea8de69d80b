//! Proxies in front of a function: whose timer ran out, and which lines are about one request.

use collector::correlate::Knowledge;
use domain::Incident;

use crate::support::{Span, explained, explained_text, fixture, only, verdict, verdicts};

fn told(name: &str) -> Vec<Incident> {
    explained(name, &fixture(name), &Knowledge::default()).incidents
}

fn told_with(name: &str, file: &str, configuration: &str) -> Vec<Incident> {
    let knowledge = Knowledge { limits: collector::limits::read(file, configuration).expect("a known kind"), ..Knowledge::default() };
    explained(name, &fixture(name), &knowledge).incidents
}

fn named(incident: &Incident) -> String {
    incident.request_id.as_ref().map_or_else(|| "-".to_owned(), |id| id.as_str()[..8].to_owned())
}

#[test]
fn equal_requests_in_one_second_are_told_apart_by_process_and_connection() {
    let incidents = told("nginx/read-timeout.log");
    let expected = "caller_left confirmed certain router nginx proxy_read_timeout 1000";
    assert_eq!(verdicts(&incidents), [expected, expected]);
    assert_eq!(incidents.iter().map(named).collect::<Vec<_>>(), ["5d0c1e2f", "a1b2c3d4"]);
    assert_eq!(incidents[0].summary, "nginx's proxy_read_timeout (1 s) fired first; the function went on");
    // A process ID of nginx's is not the server's, although it is the same number here.
    assert_eq!(incidents[0].platform, Some(domain::Product::GUNICORN));
}

/// nginx 1.22.1 in front of uvicorn 0.38 with the watchdog (November 2026): nginx gave up at 12.96, half a second after the event.
#[test]
fn a_stamp_in_whole_seconds_does_not_say_that_the_function_went_on_within_its_second() {
    let nginx = "127.0.0.1 - - [27/Nov/2026:23:11:12 +0000] \"GET /cpu HTTP/1.1\" 504 167 \"-\" \"curl/7.88.1\" rt=5.005 urt=5.005 us=504 rid=fdff1911\n";
    let event = |kind: &str, second: &str, elapsed: u32| {
        format!(
            "{{\"kind\":\"{kind}\",\"request_id\":\"fdff1911\",\"observed_at\":\"2026-11-27T23:11:{second}Z\",\"limit_ms\":5000,\"left_ms\":494,\"elapsed_ms\":{elapsed}}}\n"
        )
    };
    let fired = nginx.to_owned() + &event("fired", "12.453", 4505);
    assert_eq!(verdict(&only(explained_text(&fired))), "timeout confirmed likely router nginx proxy_read_timeout 5000");
    let closed = only(explained_text(&(fired + &event("closed", "16.954", 9006))));
    assert_eq!(verdict(&closed), "caller_left confirmed likely router nginx proxy_read_timeout 5000");
    assert!(closed.diagnosis.reasons.iter().any(|reason| reason.text == "the function went on for 4.95 s after that"), "{closed:#?}");
}

#[test]
fn without_a_connection_two_equal_requests_in_one_second_are_told_once_each() {
    let text = String::from_utf8(fixture("nginx/read-timeout.log")).expect("text").replace("conn=", "c=").replace("pid=34 ", "");
    let incidents = explained_text(&text);
    assert_eq!(incidents.iter().map(named).collect::<Vec<_>>(), ["5d0c1e2f", "a1b2c3d4"]);
}

#[test]
fn error_lines_alone_are_incidents_without_an_id() {
    let text = String::from_utf8(fixture("nginx/read-timeout.log")).expect("text");
    let errors: String = text.lines().filter(|line| line.contains("[error]")).flat_map(|line| [line, "\n"]).collect();
    let incidents = explained_text(&errors);
    assert_eq!(verdicts(&incidents), ["timeout confirmed certain router nginx proxy_read_timeout -"; 2]);
    assert_eq!(incidents.iter().map(named).collect::<Vec<_>>(), ["-", "-"]);
}

#[test]
fn a_connection_that_never_came_up_was_not_the_applications() {
    let incident = only(told("nginx/connect-timeout.log"));
    assert_eq!(verdict(&incident), "timeout confirmed certain router nginx proxy_connect_timeout 1000");
    assert!(incident.diagnosis.reasons.iter().any(|reason| reason.text.contains("never saw the request")));
}

#[test]
fn a_timeout_behind_a_200_survived() {
    let incident = only(told("nginx/next-upstream.log"));
    assert_eq!(verdict(&incident), "timeout survived certain router nginx proxy_read_timeout 1000");
}

#[test]
fn a_client_that_waited_has_left_and_a_hasty_one_is_nobodys_incident() {
    let incident = only(told("nginx/client-left.log"));
    assert_eq!(verdict(&incident), "caller_left confirmed likely client - - -");
    assert_eq!((named(&incident), incident.summary.as_str()), ("9e3f1c74".to_owned(), "the caller gave up first; the function went on"));
}

#[test]
fn a_broken_connection_is_the_consequence_of_the_servers_act() {
    for (name, id) in [("nginx/worker-killed.log", "b0513e96"), ("haproxy/worker-killed.log", "-")] {
        let incident = only(told(name));
        assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout -", "{name}");
        assert_eq!(named(&incident), id, "{name}");
        let seen = incident.diagnosis.reasons.iter().find(|reason| reason.text.contains("a consequence")).expect("what the proxy saw");
        assert!(!seen.evidence.is_empty());
    }
}

#[test]
fn a_broken_connection_at_another_time_or_a_second_one_is_not_joined() {
    let text = String::from_utf8(fixture("haproxy/worker-killed.log")).expect("text");
    let later = explained_text(&text.replace("14:12:20.511", "14:13:20.511"));
    assert!(only(later).diagnosis.reasons.iter().all(|reason| !reason.text.contains("a consequence")));
    let second = text.lines().last().expect("the line").replace("slow=20", "slow=21").replace("6b0ce641", "7c1df752");
    let both = only(explained_text(&format!("{text}{second}\n")));
    assert!(both.diagnosis.reasons.iter().all(|reason| !reason.text.contains("a consequence")));
}

#[test]
fn whoever_acted_first_is_the_verdict_and_the_later_limit_its_consequence() {
    let incident = only(told("nginx/proxy-first.log"));
    assert_eq!(verdict(&incident), "caller_left confirmed certain router nginx proxy_read_timeout 1000");
    assert!(incident.diagnosis.consequences.iter().any(|note| note.text.contains("gunicorn")));
}

#[test]
fn a_504_of_unknown_origin_is_nginxs_only_likely() {
    let incident = only(told("nginx/json.log"));
    assert_eq!(verdict(&incident), "timeout confirmed likely router nginx proxy_read_timeout 1000");
    let certain = only(told_with(
        "nginx/json.log",
        "nginx.conf",
        "server { location / { proxy_read_timeout 1s; } location /b { proxy_read_timeout 60s; } }",
    ));
    assert_eq!(verdict(&certain), "timeout confirmed certain router nginx proxy_read_timeout 1000");
    assert!(certain.diagnosis.advice.iter().any(|advice| advice.place.as_deref() == Some("nginx.conf:1")));
}

#[test]
fn the_termination_state_of_haproxy_decides() {
    assert_eq!(
        verdicts(&told("haproxy/states.log")),
        [
            "timeout confirmed certain router haproxy timeout server 1000",
            "timeout confirmed certain router haproxy timeout queue 1000",
            "timeout confirmed certain router haproxy timeout connect 1000",
            "caller_left confirmed likely client - - -",
        ]
    );
}

#[test]
fn haproxys_common_log_format_gives_the_same_verdicts() {
    assert_eq!(
        verdicts(&told("haproxy/common-log.log")),
        [
            "timeout confirmed certain router haproxy timeout server 1000",
            "timeout confirmed certain router haproxy timeout server -",
            "timeout confirmed possible router haproxy timeout http-request 1000",
            "timeout confirmed certain router haproxy timeout queue 1000",
            "timeout confirmed certain router haproxy timeout client 3000",
        ]
    );
}

#[test]
fn a_captured_uuid_is_the_requests_id_where_the_application_says_so() {
    let incident = only(told("haproxy/server-timeout.log"));
    assert_eq!(
        (named(&incident), verdict(&incident).as_str()),
        ("5afbd530".to_owned(), "caller_left confirmed certain router haproxy timeout server 1000")
    );
    let text = String::from_utf8(fixture("haproxy/server-timeout.log")).expect("text");
    let alone = only(explained_text(text.lines().next().expect("the proxy's")));
    assert_eq!((named(&alone), verdict(&alone).as_str()), ("-".to_owned(), "timeout confirmed certain router haproxy timeout server 1000"));
}

#[test]
fn apaches_502_is_its_own_limit_or_the_servers_end() {
    let incident = only(told_with("apache/proxy-timeout.log", "apache2.conf", "Timeout 60\nProxyTimeout 1\n"));
    assert_eq!(
        (named(&incident), verdict(&incident).as_str()),
        ("7c1df752".to_owned(), "caller_left confirmed certain router apache ProxyTimeout 1000")
    );
    assert_eq!(verdicts(&told("apache/worker-killed.log")), [""; 0]);
    assert_eq!(
        verdict(&only(told("apache/body-read-timeout.log"))),
        "timeout confirmed certain router apache RequestReadTimeout body 1000"
    );
}

#[test]
fn a_daemon_process_that_is_gone_is_a_timeout_only_where_the_limit_says_so() {
    let name = "apache/mod-wsgi.log";
    let both = [
        "timeout confirmed possible app_server mod_wsgi request-timeout -",
        "timeout confirmed certain app_server mod_wsgi socket-timeout -",
    ];
    assert_eq!(verdicts(&told(name)), both);
    let told = told_with(name, "apache2.conf", "WSGIDaemonProcess app request-timeout=2 threads=1\n");
    assert_eq!(verdict(&told[0]), "timeout confirmed likely app_server mod_wsgi request-timeout 2000");
}

#[test]
fn caddys_error_and_varnishs_fetch_error_name_the_timer() {
    let caddy = only(told("caddy/header-timeout.log"));
    assert_eq!(verdict(&caddy), "caller_left confirmed certain router caddy response_header_timeout 1000");
    assert_eq!(verdict(&only(told("caddy/client-left.log"))), "caller_left confirmed likely client - - -");
    let varnish = only(told_with("varnish/first-byte-timeout.log", "default.vcl", "backend b { .first_byte_timeout = 1s; }"));
    assert_eq!(verdict(&varnish), "caller_left confirmed certain cdn varnish first_byte_timeout 1000");
}

#[test]
fn a_limit_that_had_not_passed_is_contradicted() {
    let incident = only(told_with("nginx/connect-timeout.log", "nginx.conf", "server { proxy_connect_timeout 60s; }"));
    assert_eq!(verdict(&incident), "timeout confirmed possible router nginx proxy_connect_timeout 60000");
    assert!(!incident.diagnosis.contradicted.is_empty());
}

/// HAProxy 2.6.12 in front of nginx 1.22.1 (November 2026): nginx's stamp, in whole seconds, seems to be the earlier one.
#[test]
fn the_client_that_left_a_proxy_is_the_proxy_in_front_whose_timer_ran_out() {
    let both = |waited_ms: u32| {
        let nginx = r#"127.0.0.1 - - [27/Nov/2026:15:25:45 +0000] "GET /r HTTP/1.1" 499 0 "-" "-" rid=873910c5-ffd3-4aae-888e-2e44f82654bc rt=1.001 uct=0.000 uht=- urt=1.002 us=-"#;
        let haproxy = format!(
            r#"127.0.0.1:56914 [27/Nov/2026:15:25:44.300] fe be/s1 0/0/0/-1/{waited_ms} 504 198 - - sH-- 1/1/0/0/0 0/0 {{873910c5-ffd3-4aae-888e-2e44f82654bc}} "GET /r HTTP/1.1""#
        );
        only(explained_text(&format!("{nginx}\n{haproxy}\n")))
    };
    let incident = both(1000);
    assert_eq!(verdict(&incident), "timeout confirmed certain router haproxy timeout server 1000");
    let consequences: Vec<&str> = incident.diagnosis.consequences.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(consequences, ["nginx behind it saw its client close the connection"]);
    // A timer that ran out later is not why the client left.
    assert_eq!(verdict(&both(1800)), "caller_left confirmed likely client - - -");
}

/// Caddy 2.6.2 with `read_timeout 1s` (November 2026): it had tried twice, so the time that passed is not the limit.
#[test]
fn a_limit_on_one_reading_is_not_read_off_the_whole_time() {
    let line = r#"{"level":"error","ts":1795793476.5938656,"logger":"http.log.error","msg":"read tcp 127.0.0.1:56516->127.0.0.1:20121: i/o timeout","request":{"remote_ip":"127.0.0.1","remote_port":"38754","method":"GET","host":"h","uri":"/r","headers":{}},"duration":1.983407926,"status":504}"#;
    assert_eq!(verdict(&only(explained_text(line))), "timeout confirmed certain router caddy read_timeout -");
}

/// nginx 1.22.1 with its default log format (November 2026): only its error line tells, and not of when the wait began.
#[test]
fn a_request_that_the_application_was_at_when_the_proxy_gave_up_is_the_one_where_it_is_the_only_one() {
    let error = r#"2026/11/27 15:22:20 [error] 9#9: *2 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 10.0.0.9, server: , request: "GET /r HTTP/1.1", upstream: "http://127.0.0.1:8000/r", host: "h""#;
    let served = |id: &str, end: &str| {
        format!(r#"10.0.0.1 - - [27/Nov/2026:15:22:{end} +0000] "GET /r HTTP/1.1" 200 11 "-" "-" 4001438 rid={id} pid=<7>"#)
    };
    let incident = only(explained_text(&format!("{error}\n{}\n{}\n", served("r-1", "23"), served("r-0", "09"))));
    assert_eq!(incident.request_id.as_ref().map(domain::RequestId::as_str), Some("r-1"));
    let incident = only(explained_text(&format!("{error}\n{}\n{}\n", served("r-1", "23"), served("r-2", "22"))));
    assert_eq!(incident.request_id, None, "either may be it");
}

/// nginx 1.22.1, where one of two servers writes its access log without times and IDs (November 2026).
#[test]
fn two_connections_that_were_given_up_on_are_two_requests_though_one_access_line_is_read() {
    let error = |connection: u32| {
        format!(
            r#"2026/11/28 01:27:40 [error] 23019#23019: *{connection} upstream timed out (110: Connection timed out) while reading response header from upstream, client: 127.0.0.1, server: , request: "GET /hang HTTP/1.1", upstream: "http://127.0.0.1:8796/hang", host: "h""#
        )
    };
    let access = r#"127.0.0.1 - - [28/Nov/2026:01:27:40 +0000] "GET /hang HTTP/1.1" 504 167 "-" "curl/7.88.1" rt=5.005 urt=5.005 us=504 rid=397a56115700345df7bd79a905e6e7a1"#;
    let incidents = explained_text(&format!("{}\n{}\n{access}\n", error(1), error(3)));
    let named: Vec<_> = incidents.iter().map(named).collect();
    assert_eq!(named.iter().filter(|name| name.as_str() == "-").count(), 1, "{named:?}");
    assert_eq!(named.len(), 2);
}

/// HAProxy 2.6.12 with `option http-buffer-request` and only `timeout client 1s` (November 2026).
#[test]
fn which_of_two_timers_ended_a_request_that_never_came_whole_only_the_configuration_tells() {
    let line = r#"127.0.0.1:50960 [27/Nov/2026:15:25:44.298] fe fe/<NOSRV> -1/-1/-1/-1/1001 408 0 - - cR-- 1/1/0/0/0 0/0 "<BADREQ>""#;
    let told = |configuration: &str| {
        let limits = collector::limits::read("haproxy.cfg", configuration).expect("HAProxy's");
        let knowledge = Knowledge { limits, ..Knowledge::default() };
        verdict(&only(explained("haproxy.log", line.as_bytes(), &knowledge).incidents))
    };
    assert!(told("").starts_with("timeout confirmed possible router haproxy"), "{}", told(""));
    let client = told("defaults\n  timeout client 1s\n  timeout server 9s\n");
    assert!(client.ends_with("router haproxy timeout client 1000"), "{client}");
}

const PHP: &str = "timeout confirmed certain application php max_execution_time 1000";

#[test]
fn phps_own_limit_is_told_of_the_request_that_it_ended() {
    for (name, id) in [("nginx", "b75e0f8e"), ("apache", "-")] {
        let text = String::from_utf8(fixture(&format!("php_fpm/max-execution-time-{name}.log"))).expect("text");
        let incident = only(explained_text(&text));
        assert_eq!((named(&incident).as_str(), verdict(&incident).as_str()), (id, PHP), "{name}");
        let said: Vec<bool> =
            incident.diagnosis.evidence.iter().map(|one| one.text.contains("Maximum execution time of 1 second")).collect();
        assert_eq!(said.iter().filter(|says| **says).count(), 2, "{name}: the proxy and php-fpm");
        // Without the proxy's error log the moment and the status are left, without its access log its path.
        let without = |words: &str| text.lines().filter(|line| !line.contains(words)).collect::<Vec<_>>().join("\n");
        let errors = if name == "nginx" { "FastCGI sent" } else { "AH01071" };
        let incident = only(explained_text(&without(errors)));
        assert_eq!((named(&incident).as_str(), verdict(&incident).as_str()), (id, PHP), "{name}");
        let incident = only(explained_text(&without("HTTP/1.1\" ")));
        assert_eq!((named(&incident).as_str(), verdict(&incident).as_str()), ("-", PHP), "{name}");
        let incident = only(explained_text(&without("child ")));
        assert_eq!((named(&incident).as_str(), verdict(&incident).as_str()), (id, PHP), "{name}");
    }
}

#[test]
fn two_scripts_that_php_ended_at_one_moment_stay_apart() {
    let text = String::from_utf8(fixture("php_fpm/max-execution-time-two.log")).expect("text");
    assert_eq!(verdicts(&explained_text(&text)), [PHP, PHP]);
    let without_nginxs = text.lines().filter(|line| !line.contains("FastCGI")).collect::<Vec<_>>().join("\n");
    let incidents = explained_text(&without_nginxs);
    let told: Vec<_> = incidents.iter().map(|incident| (incident.pid, named(incident), verdict(incident))).collect();
    assert_eq!(told, [10221, 10222].map(|pid| (Some(pid), "-".to_owned(), PHP.to_owned())));
}

#[test]
fn a_500_of_another_moment_or_too_short_for_the_limit_is_not_phps() {
    let said = r#"[22-Nov-2026 12:00:09] WARNING: [pool www] child 7 said into stderr: "NOTICE: PHP message: PHP Fatal error:  Maximum execution time of 5 seconds exceeded in /srv/a.php on line 3""#;
    let access = |at: &str, status: u32, rt: &str| {
        format!(r#"10.1.0.9 - - [22/Nov/2026:12:00:{at} +0000] "GET /a.php HTTP/1.1" {status} 5 "-" "-" rid=request-1 rt={rt} urt={rt}"#)
    };
    for (line, id) in [
        (access("09", 500, "5.100"), "request-"),
        (access("12", 500, "5.100"), "-"),
        (access("09", 500, "0.020"), "-"),
        (access("09", 200, "5.100"), "-"),
    ] {
        let incident = only(explained_text(&format!("{line}\n{said}\n")));
        assert_eq!(named(&incident), id, "{line}");
    }
}

#[test]
fn a_client_that_left_after_nobody_knows_how_long_is_only_suspected() {
    let incident = only(explained_text(r#"10.0.0.9 - - [22/Nov/2026:12:17:10 +0000] "GET /r HTTP/1.1" 499 0 "-" "curl/8""#));
    assert_eq!(verdict(&incident), "caller_left suspected possible client - - -");
    assert!(incident.diagnosis.reasons.iter().any(|reason| reason.text.contains("no line says how long")));
    assert!(incident.diagnosis.refuted_by.contains("$request_time"));
    let briefly = r#"10.0.0.9 - - [22/Nov/2026:12:17:10 +0000] "GET /r HTTP/1.1" 499 0 "-" "curl/8" rt=0.100 urt=-"#;
    assert!(explained_text(briefly).is_empty());
}

#[test]
fn no_time_lies_between_the_stamps_of_two_clocks() {
    // nginx asked from 12:00:40 on; whom it asked says from 12:00:30 on, which cannot be by the same clock.
    let nginx = "192.0.2.1 - - [22/Nov/2026:12:01:10 +0000] \"GET /r HTTP/1.1\" 504 160 \"-\" \"-\" rid=aaaa1111bbbb2222 rt=30.001 uct=0.000 uht=- urt=30.001 us=504\n";
    let shop = |from_ms, to_ms| Span {
        service: "shop",
        trace: "5b8efff798038103d269b633813fc60c",
        id: "eee19b7ec3c1b174",
        parent: "",
        kind: 2,
        from_ms,
        to_ms,
        failed: false,
        attributes: &[("faas.invocation_id", "aaaa1111bbbb2222")],
    };
    let together = |span: Span<'_>| only(explained_text(&format!("{nginx}{}", span.line())));
    let elapsed_ms = |incident: &Incident| incident.elapsed_ms.map(domain::Millis::as_ms_f64);
    let apart = together(shop(30_000, 65_000));
    assert_eq!(verdict(&apart), "timeout confirmed certain router nginx proxy_read_timeout 30000");
    assert_eq!((apart.timeline.clocks.len(), elapsed_ms(&apart)), (1, Some(35_000.0)), "not the 40 s from one to the other");
    let alike = together(shop(40_500, 75_500));
    assert_eq!((alike.timeline.clocks.len(), elapsed_ms(&alike)), (0, Some(30_001.0)));
}

/// HAProxy 2.6.12 and an application that only sends spans: their trace is in no proxy's line.
#[test]
fn spans_of_a_server_tell_what_the_proxy_waited_for_where_one_trace_fits() {
    let haproxy =
        "127.0.0.1:45890 [22/Nov/2026:12:00:01.200] f b/s1 0/0/0/-1/5002 504 198 - - sH-- 1/1/0/0/0 0/0 \"GET /pay?x=1 HTTP/1.1\"\n";
    let (http, url) = ([("http.target", "/pay?x=1")], [("url.path", "/pay"), ("url.query", "x=1")]);
    let server = |trace: &str, attributes: &[(&str, &str)]| {
        let span = Span {
            service: "shop",
            trace,
            id: "eee19b7ec3c1b174",
            parent: "",
            kind: 2,
            from_ms: 1_204,
            to_ms: 11_210,
            failed: false,
            attributes,
        };
        let call = [("http.request.method", "POST"), ("server.address", "payments.internal")];
        let client =
            Span { id: "eee19b7ec3c1b175", parent: "eee19b7ec3c1b174", kind: 3, from_ms: 1_210, to_ms: 11_205, attributes: &call, ..span };
        span.line() + &client.line()
    };
    let (one, another) = ("5b8efff798038103d269b633813fc60c", "6b8efff798038103d269b633813fc60c");
    for attributes in [&http[..], &url[..]] {
        let incident = only(explained_text(&format!("{haproxy}{}", server(one, attributes))));
        assert_eq!(verdict(&incident), "caller_left confirmed certain router haproxy timeout server 5000");
        let cause = &incident.diagnosis.cause;
        assert_eq!((cause.id.as_str(), cause.operation.as_deref()), ("waiting_on_downstream", Some("POST payments.internal")));
        assert_eq!(incident.function.as_ref().map(domain::FunctionName::as_str), Some("shop"));
    }
    let unsure = |spans: String| only(explained_text(&format!("{haproxy}{spans}"))).diagnosis.cause.id;
    assert_eq!(unsure(server(one, &http) + &server(another, &http)), "unknown", "either may be it");
    assert_eq!(unsure(server(one, &[("http.target", "/pay")])), "unknown", "another request");
    let advice = only(explained_text(haproxy)).diagnosis.advice;
    assert!(advice.iter().any(|one| one.text.contains("a request ID that it hands on")), "{advice:#?}");
}
