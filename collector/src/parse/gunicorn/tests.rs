//! gunicorn's lines, of every version that words them differently.

use crate::parse::Format;
use crate::parse::tests::{read, read_one};

/// Behind gunicorn's own head.
fn check(message: &str, expected: &str) {
    let line = format!("[2026-11-22 12:04:32 +0000] [8899] [CRITICAL] {message}");
    let read = read_one(Format::Gunicorn, &line);
    assert_eq!(read, format!("evidence {expected}"), "{message}");
}

const AT: &str = "observed_at=2026-11-22T12:04:32Z";

#[test]
fn the_arbiter_tells_of_itself() {
    check("Starting gunicorn 21.2.0", &format!("server_start {AT} pid=8899 version=21.2.0"));
    check("Using worker: gthread", &format!("server_start {AT} pid=8899 worker_class=gthread"));
    for signal in ["term", "int", "quit"] {
        check(&format!("Handling signal: {signal}"), &format!("server_stopping {AT} pid=8899 signal={signal}"));
    }
    check("Shutting down: Master", &format!("server_stopped {AT} pid=8899"));
}

#[test]
fn workers_come_and_go() {
    check("Booting worker with pid: 8901", &format!("worker_boot {AT} pid=8901"));
    check("Worker exiting (pid: 8901)", &format!("worker_exit {AT} pid=8901"));
    check("Finished server process [8901]", &format!("worker_exit {AT} pid=8901"));
}

#[test]
fn the_arbiter_gives_up_on_a_worker() {
    check("WORKER TIMEOUT (pid:8901)", &format!("worker_timeout arbiter_pid=8899 limit_ms=null {AT} outcome=timeout pid=8901"));
}

#[test]
fn every_versions_words_for_a_workers_end_are_read() {
    check("Worker with pid 8901 was terminated due to signal 9", &format!("worker_killed arbiter_pid=8899 {AT} pid=8901 signal=SIGKILL"));
    check(
        "Worker with pid 8901 was terminated due to signal 31",
        &format!("worker_killed arbiter_pid=8899 {AT} pid=8901 signal=signal 31"),
    );
    check(
        "Worker (pid:8901) was sent SIGKILL! Perhaps out of memory?",
        &format!("worker_killed arbiter_pid=8899 guess=out_of_memory {AT} pid=8901 signal=SIGKILL"),
    );
    check("Worker (pid:8901) was sent SIGSEGV!", &format!("worker_killed arbiter_pid=8899 {AT} pid=8901 signal=SIGSEGV"));
    check("Worker (pid:8901) exited with code 1", &format!("process_exit arbiter_pid=8899 exit_status=1 {AT} pid=8901"));
    check("Worker (pid:8901) exited with code 3.", &format!("process_exit arbiter_pid=8899 exit_status=3 {AT} pid=8901"));
}

#[test]
fn the_zone_of_the_server_is_read() {
    let line = "[2026-11-22 20:04:32 +0800] [8899] [INFO] Booting worker with pid: 8901";
    assert_eq!(read_one(Format::Auto, line), format!("evidence worker_boot {AT} pid=8901"));
}

#[test]
fn an_aborted_request_shows_where_it_stood() {
    let event = r#"[2026-11-22 12:04:32 +0000] [8901] [ERROR] Error handling request GET /report?seconds=20
Traceback (most recent call last):
  File "/srv/app/app.py", line 29, in run_query
    time.sleep(seconds)
    ^^^^^^^^^^^^^^^^^^^
  File "/srv/app/venv/lib/python3.11/site-packages/gunicorn/workers/base.py", line 200, in handle_abort
    sys.exit(1)
SystemExit: 1"#;
    assert_eq!(
        read_one(Format::Auto, event),
        format!("evidence request_error aborted=true method=GET {AT} path=/report?seconds=20 pid=8901")
    );
    let older = event.replace("GET /report", "/report");
    assert_eq!(read_one(Format::Auto, &older), format!("evidence request_error aborted=true {AT} path=/report?seconds=20 pid=8901"));
    let crate::parse::Fate::Evidence(claim) = super::parse_event(event).expect("gunicorn's") else { panic!("evidence") };
    let frames = &claim.stacks[0].frames;
    assert_eq!(
        frames.iter().map(|frame| frame.function.as_str()).collect::<Vec<_>>(),
        ["run_query"],
        "the handler of the signal is left out"
    );
    assert_eq!((frames[0].file.as_deref(), frames[0].line), (Some("/srv/app/app.py"), Some(29)));
}

#[test]
fn a_request_cut_off_by_an_order_to_quit_is_told_from_an_abort() {
    let event = "[2026-11-22 12:04:32 +0000] [8901] [ERROR] Error handling request /slow\nTraceback (most recent call last):\n  File \"/srv/app/app.py\", line 9, in app\n  File \"/x/gunicorn/workers/base.py\", line 198, in handle_quit\n    sys.exit(0)\nSystemExit: 0";
    assert_eq!(read_one(Format::Auto, event), format!("evidence request_error {AT} path=/slow pid=8901 told_to_quit=true"));
}

#[test]
fn an_application_that_does_not_load_is_told() {
    let event = "[2026-11-22 12:04:32 +0000] [8901] [ERROR] Exception in worker process\nTraceback (most recent call last):\n  File \"/srv/app/app.py\", line 1, in <module>\n    import shop\nModuleNotFoundError: No module named 'shop'";
    assert_eq!(read_one(Format::Auto, event), format!("evidence fault error_type=ModuleNotFoundError {AT} outcome=init_crash pid=8901"));
}

#[test]
fn other_messages_are_ignored() {
    for message in [
        "Listening at: http://127.0.0.1:8000 (8899)",
        "Control socket listening at /srv/app/.gunicorn/gunicorn.ctl",
        "Autorestarting worker after current request.",
        "Handling signal: hup",
        "Handling signal: winch",
        "Hang up: Master",
        "Master has been promoted.",
        "Reason: Worker failed to boot.",
        "WORKER TIMEOUT (pid:)",
        "WORKER TIMEOUT (pid:12",
        "WORKER TIMEOUT (pid:99999999999)",
        "Worker exiting (pid: 8901) because",
        "Booting worker with pid: x",
        "",
    ] {
        let line = format!("[2026-11-22 12:04:32 +0000] [8899] [INFO] {message}");
        assert!(read_one(Format::Auto, &line).starts_with("ignored app_log"), "{message}");
    }
}

#[test]
fn words_behind_a_log_configuration_are_read() {
    let timeout = "evidence worker_timeout arbiter_pid=8899 limit_ms=null observed_at=2026-11-22T12:04:32Z outcome=timeout pid=8901";
    assert_eq!(read_one(Format::Auto, "2026-11-22 12:04:32 [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)"), timeout);
    assert_eq!(read_one(Format::Auto, "2026-11-22 20:04:32 +0800 [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)"), timeout);
    let unknown_writer = "evidence worker_timeout limit_ms=null observed_at=2026-11-22T12:04:32.120Z outcome=timeout pid=8901";
    for line in [
        "2026-11-22 12:04:32,120 CRITICAL gunicorn.error: WORKER TIMEOUT (pid:8901)",
        "2026-11-22 12:04:32,120 - gunicorn.error - CRITICAL - WORKER TIMEOUT (pid:8901)",
        "2026-11-22T12:04:32.120Z [critical] WORKER TIMEOUT (pid:8901)",
    ] {
        assert_eq!(read_one(Format::Auto, line), unknown_writer, "{line}");
    }
    let timeless = read_one(Format::Auto, "CRITICAL:gunicorn.error:WORKER TIMEOUT (pid:8901)");
    assert_eq!(timeless, "evidence worker_timeout limit_ms=null outcome=timeout pid=8901");
}

#[test]
fn json_lines_are_read_with_what_they_name() {
    let full = r#"{"asctime": "2026-11-22 12:04:32,003", "levelname": "CRITICAL", "name": "gunicorn.error", "process": 8899, "message": "WORKER TIMEOUT (pid:8901)"}"#;
    let timeout = "evidence worker_timeout arbiter_pid=8899 limit_ms=null observed_at=2026-11-22T12:04:32.003Z outcome=timeout pid=8901";
    assert_eq!(read_one(Format::Auto, full), timeout);
    let structlog = r#"{"event": "WORKER TIMEOUT (pid:8901)", "logger": "gunicorn.error", "level": "critical", "timestamp": "2026-11-22T12:04:32.003Z"}"#;
    assert_eq!(read_one(Format::Auto, structlog), timeout.replace("arbiter_pid=8899 ", ""));
    let nameless = r#"{"level": "CRITICAL", "timestamp": "2026-11-22T12:04:32.003Z", "message": "WORKER TIMEOUT (pid:8901)"}"#;
    assert_eq!(read_one(Format::Auto, nameless), timeout.replace("arbiter_pid=8899 ", ""));
    let elastic = r#"{"@timestamp": "2026-11-22T12:04:32.003Z", "log.level": "critical", "message": "WORKER TIMEOUT (pid:8901)", "ecs": {"version": "1.6.0"}, "log": {"logger": "gunicorn.error"}, "process": {"name": "MainProcess", "pid": 8899}}"#;
    assert_eq!(read_one(Format::Auto, elastic), timeout);
    let others = r#"{"asctime": "2026-11-22 12:04:32,003", "levelname": "INFO", "name": "app", "process": 8901, "message": "Booting worker with pid: 12"}"#;
    assert!(read_one(Format::Auto, others).starts_with("ignored"));
}

#[test]
fn any_transports_prefix_is_taken_off_and_names_the_instance() {
    let line = "[2026-11-22 12:04:30 +0000] [8901] [INFO] Booting worker with pid: 8901";
    for (prefix, instance) in [
        ("2026-11-22T12:04:30.070 app[xyz] cdg [info] ", Some("xyz")),
        ("2026-11-22T12:04:30.680000+00:00 app[web.1]: ", Some("web.1")),
        ("web-1  | ", Some("web-1")),
        ("Nov 22 12:04:30 shop-host gunicorn[8901]: ", Some("shop-host")),
        ("2026-11-22T12:04:30+0000 shop-host gunicorn[8901]: ", Some("shop-host")),
        ("[pod/shop-5d9f/gunicorn] ", Some("pod/shop-5d9f/gunicorn")),
        ("12:04:30 web.1  | ", Some("web.1")),
        ("2026-11-22T12:04:30.123456789Z stderr F ", None),
        ("2026-11-22T12:04:30.123Z [inf]  ", None),
        ("Nov 22 12:04:30 PM  ", None),
    ] {
        let read = read_one(Format::Auto, &format!("{prefix}{line}"));
        let named = instance.map_or(String::new(), |name| format!("instance={name} "));
        assert!(read.starts_with(&format!("evidence worker_boot {named}observed_at=2026-11-22T12:04:30")), "{prefix}: {read}");
    }
}

#[test]
fn continuation_lines_have_the_same_prefix() {
    let plain = include_str!("../../../../tests/fixtures/gunicorn/23.0.0-sync.log");
    let bare: Vec<String> = read(Format::Auto, plain);
    for prefix in ["shop-host gunicorn: ", "Nov 22 12:04:30 shop-host gunicorn[8901]: ", "[pod/shop-5d9f/gunicorn] ", "web-1  | "] {
        let prefixed: String = plain.lines().flat_map(|line| [prefix, line, "\n"]).collect();
        let read = read(Format::Auto, &prefixed);
        let kinds = |items: &[String]| {
            items
                .iter()
                .filter(|item| item.starts_with("evidence"))
                .map(|item| item.split(' ').nth(1).map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(&read), kinds(&bare), "{prefix}");
        assert!(read.iter().any(|item| item.contains("aborted=true")), "{prefix}");
    }
}

#[test]
fn messages_alone_are_read_where_they_are_whole() {
    for (line, expected) in [
        ("WORKER TIMEOUT (pid:8901)", "worker_timeout limit_ms=null outcome=timeout pid=8901"),
        ("Worker (pid:8901) was sent SIGKILL! Perhaps out of memory?", "worker_killed guess=out_of_memory pid=8901 signal=SIGKILL"),
        ("Worker with pid 8901 was terminated due to signal 9", "worker_killed pid=8901 signal=SIGKILL"),
        ("Booting worker with pid: 8902", "worker_boot pid=8902"),
    ] {
        assert_eq!(read_one(Format::Auto, line), format!("evidence {expected}"));
    }
    for line in [
        "WORKER TIMEOUT (pid:8901) is what the log says",
        "we saw WORKER TIMEOUT (pid:8901)",
        "Worker (pid:7) was sent home!",
        "Booting worker with pid: unknown",
        "Worker exiting (pid: 7), as asked",
        "Handling signal: term",
        "Using worker: sync",
    ] {
        assert_eq!(read_one(Format::Auto, line), "ignored app_log", "{line}");
    }
}
