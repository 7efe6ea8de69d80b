//! Lines that are not true, or not what they seem, and what becomes of each.

use collector::correlate::Knowledge;
use domain::{Confidence, Outcome};

use crate::support::{cited, explained, explained_text, only, verdict, verdicts};

const ID: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn of_watchdog_blames_exec_timeout_for_what_its_caller_did() {
    let start = "2026/11/22 09:00:00 Version: 0.10.7\tSHA: aa\n2026/11/22 09:00:00 Timeouts: read: 15s write: 15s hard: 10s health: 10s\n";
    let pair = |method: &str, error: &str| {
        format!(
            "{start}2026/11/22 09:05:00 Upstream HTTP request error: {method} \"http://127.0.0.1:5000/a\": {error}\n2026/11/22 09:05:00 Upstream HTTP killed due to exec_timeout: 10s\n"
        )
    };
    let left = only(explained_text(&pair("Get", "context canceled")));
    assert_eq!(verdict(&left), "caller_left confirmed likely client - - -");
    assert!(left.diagnosis.contradicted[0].text.starts_with("exec_timeout did not fire"));
    // With a body, read_timeout may have ended it just so.
    let body = only(explained_text(&pair("Post", "context canceled")));
    assert_eq!((body.outcome, body.diagnosis.confidence), (Outcome::CallerLeft, Confidence::Possible));
    let truly = only(explained_text(&pair("Get", "context deadline exceeded")));
    assert_eq!(verdict(&truly), "timeout confirmed likely function_watchdog of_watchdog exec_timeout 10000");
}

#[test]
fn gunicorn_guesses_at_memory_after_its_own_kill() {
    let log = |first: &str| {
        format!(
            "[2026-11-22 12:05:00 +0000] [1] [INFO] Starting gunicorn 23.0.0\n[2026-11-22 12:05:00 +0000] [9] [INFO] Booting worker with pid: 9\n{first}[2026-11-22 12:06:32 +0000] [1] [ERROR] Worker (pid:9) was sent SIGKILL! Perhaps out of memory?\n"
        )
    };
    let own = only(explained_text(&log("[2026-11-22 12:06:31 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:9)\n")));
    assert_eq!((own.outcome, own.diagnosis.contradicted.len()), (Outcome::Timeout, 1));
    let others = only(explained_text(&log("")));
    assert_eq!(others.outcome, Outcome::Crash);
}

#[test]
fn a_cached_error_page_is_no_timeout() {
    let line = |seconds: &str| {
        format!(
            "2026-02-11\t10:00:30\tFRA56-P1\t1045\t203.0.113.9\tGET\td111111abcdef8.cloudfront.net\t/slow\t504\t-\tcurl/8.5.0\t-\t-\tError\tKAgcOV0gcUKI-gBYKMLtK227n8zABCGB_cfWQ1mxQrdvYhgHTp_ATQ==\tpay.example.com\thttps\t42\t{seconds}\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tError\tHTTP/2.0\t-\t-\t46532\t{seconds}\tOriginCommError\ttext/html\t1033\t-\t-\n"
        )
    };
    assert_eq!(verdicts(&explained_text(&line("0.010"))), [""; 0]);
    assert_eq!(only(explained_text(&line("30.012"))).outcome, Outcome::Timeout);
}

#[test]
fn an_error_that_outer_layers_pass_on_is_the_inner_ones() {
    let nginx = |us: &str, uht: &str| {
        format!(
            "10.0.0.9 - - [22/Nov/2026:12:00:10 +0000] \"GET /r HTTP/1.1\" 504 160 \"-\" \"-\" rt=10.001 urt=10.001 uct=0.000 uht={uht} us={us}\n"
        )
    };
    assert_eq!(verdicts(&explained_text(&nginx("504", "10.001"))), [""; 0], "a header came: the server behind answered 504 itself");
    assert_eq!(only(explained_text(&nginx("504", "-"))).outcome, Outcome::Timeout);
    let alb = |target: &str| {
        format!(
            "https 2026-11-02T08:14:45.012000Z app/shop/1f2e3d4c5b6a7980 198.51.100.7:50001 10.0.0.3:80 0.002 12.0 0.0 504 {target} 51 204 \"GET https://shop.example.com:443/ HTTP/2.0\" \"curl\" - - - \"Root=1-690714a8-0000000000000000000000a1\" \"-\" \"-\" 3 2026-11-02T08:14:33.000000Z \"forward\" \"-\" \"-\" \"-\" \"-\"\n"
        )
    };
    assert!(explained_text(&alb("504")).iter().all(|one| one.diagnosis.product.as_ref().is_none_or(|product| product.as_str() != "alb")));
}

#[test]
fn a_heroku_connection_that_broke_with_a_worker_is_that_workers_end() {
    let router = format!(
        "2026-02-11T10:00:37.958556+00:00 heroku[router]: at=error code=H13 desc=\"Connection closed without response\" method=GET path=\"/x\" host=shop.herokuapp.com request_id={ID} fwd=\"203.0.113.9\" dyno=web.1 connect=1ms service=29801ms status=503 bytes=0 protocol=https\n"
    );
    let alone = only(explained_text(&router));
    assert_eq!((alone.outcome, alone.diagnosis.confidence), (Outcome::Crash, Confidence::Possible));
    let app = "2026-02-11T10:00:37.558556+00:00 app[web.1]: [2026-02-11 10:00:37 +0000] [4] [CRITICAL] WORKER TIMEOUT (pid:11)\n2026-02-11T10:00:37.658556+00:00 app[web.1]: [2026-02-11 10:00:37 +0000] [11] [INFO] Worker exiting (pid: 11)\n";
    let together = only(explained_text(&(app.to_owned() + &router)));
    assert_eq!(verdict(&together), "timeout confirmed certain app_server gunicorn --timeout -");
    assert_eq!(together.request_id.as_ref().map(domain::RequestId::as_str), Some(ID));
}

#[test]
fn a_crash_while_starting_that_is_reported_as_a_timeout_is_told_with_its_phase() {
    let line = |ms: u64, text: &str| format!("{{\"timestamp\":{},\"logStream\":\"s\",\"message\":\"{text}\"}}\n", 1_770_804_000_000 + ms);
    let log = [
        line(0, "INIT_START Runtime Version: python:3.13.v29"),
        line(10_003, "INIT_REPORT Init Duration: 10000.62 ms\\tPhase: init\\tStatus: timeout"),
        line(10_010, &format!("START RequestId: {ID} Version: $LATEST")),
        line(
            40_015,
            &format!(
                "REPORT RequestId: {ID}\\tDuration: 30000.00 ms\\tBilled Duration: 40001 ms\\tMemory Size: 128 MB\\tMax Memory Used: 30 MB\\tStatus: timeout"
            ),
        ),
    ];
    let incident = only(explained_text(&log.concat()));
    assert_eq!((incident.outcome, incident.diagnosis.cause.id.as_str()), (Outcome::Timeout, "cold_start"));
    let reached = line(10_500, &format!("[INFO]\\t2026-02-11T10:00:10.500Z\\t{ID}\\tin the handler"));
    let incident = only(explained_text(&(log.concat() + &reached)));
    assert_eq!(incident.diagnosis.cause.id, "unknown", "the handler was reached");
}

/// Celery 5.3.6 ends its processes so after `worker: Cold shutdown (MainProcess)`, which has no time.
#[test]
fn a_celery_process_that_was_told_to_leave_may_have_been_told_by_celery() {
    let told = |signal: &str| {
        let line = format!(
            "[2026-11-27 15:41:14,244: ERROR/MainProcess] Task handler raised error: WorkerLostError('Worker exited prematurely: {signal} Job: 0.')"
        );
        verdict(&only(explained_text(&line)))
    };
    assert_eq!(told("signal 15 (SIGTERM)"), "crash confirmed possible app_server celery - -");
    assert_eq!(told("signal 9 (SIGKILL)"), "crash confirmed likely app_server celery - -");
}

/// uWSGI 2.0.31 (November 2026): it sends the SIGKILL itself.
#[test]
fn uwsgis_end_for_memory_is_no_kill_from_outside() {
    let log = "*** EVIL RELOAD ON WORKER 1 RSS: 26923008 (pid: 20322) ***\nDAMN ! worker 1 (pid: 20322) died, killed by signal 9 :( trying respawn ...\n";
    let incident = only(explained_text(log));
    assert_eq!(verdict(&incident), "out_of_memory confirmed certain app_server uwsgi - -");
    assert_eq!(cited(&incident), [1], "what followed from it is no proof");
}

#[test]
fn an_init_that_the_function_timeout_ended_is_no_crash_although_every_line_says_runtime_unknown() {
    let lines = |duration: &str, error: &str| {
        format!(
            "INIT_REPORT Init Duration: 30005.69 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.Unknown\n\
             START RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219 Version: 1\n\
             END RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219\n\
             REPORT RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219\tDuration: {duration} ms\tBilled Duration: 30412 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\tStatus: error\tError Type: {error}\n"
        )
    };
    let told = |text: &str, timeout: Option<u32>| {
        let configured = timeout
            .map(|seconds| format!("Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Timeout: {seconds}\n"));
        let mut knowledge = Knowledge::default();
        if let Some(yaml) = configured {
            knowledge.learn(collector::limits::parts("template.yml", &yaml).expect("read"));
        }
        verdict(&only(explained("app.log", text.as_bytes(), &knowledge).incidents))
    };
    let whole = lines("30000.00", "Runtime.Unknown");
    assert_eq!(told(&whole, None), "init_timeout confirmed likely platform aws_lambda Timeout 30000");
    assert_eq!(told(&whole, Some(30)), "init_timeout confirmed certain platform aws_lambda Timeout 30000");
    let crash = "crash confirmed certain platform aws_lambda - -";
    assert_eq!(told(&whole, Some(60)), crash, "half of the limit was left");
    assert_eq!(told(&lines("30411.20", "Runtime.Unknown"), None), crash, "no limit is 30.4 s");
    assert_eq!(told(&lines("30000.00", "Runtime.ExitError"), None), crash, "the process ended itself");
}
