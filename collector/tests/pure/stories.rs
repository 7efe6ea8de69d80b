//! The questions that people bring: a log, and what may be said of it.

use collector::correlate::Knowledge;

use crate::support::{cited, explained, explained_text, fixture, gunicorn_with, only, verdict, verdicts};

#[test]
fn the_four_lines_of_lambda_give_the_functions_own_timeout() {
    let report = explained("born.log", &fixture("lambda_text/born.log"), &Knowledge::default());
    assert_eq!((report.read.evidence, report.read.ignored, report.read.rejected), (4, 0, 0));
    let incident = only(report.incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain platform aws_lambda Timeout 3000");
    assert_eq!(incident.summary, "AWS Lambda's function timeout (3 s) fired");
    assert_eq!(incident.request_id.as_ref().map(domain::RequestId::as_str), Some("6f747a63-ce41-11e7-8cfe-3d61dad3d219"));
    assert_eq!(cited(&incident), [3, 4], "REPORT and the notice");
    assert_eq!(incident.elapsed_ms.map(domain::Millis::as_ms_f64), Some(3001.52));
    assert_eq!(incident.ended_at.map(|at| at.to_string()).as_deref(), Some("2017-11-20T22:23:32.998Z"));
    assert!(incident.diagnosis.advice.iter().any(|advice| advice.setting.as_deref() == Some("Timeout") && advice.place.is_some()));
}

#[test]
fn the_log_from_fly_gives_gunicorns_timeout_and_not_the_platforms_idle_limit() {
    let name = "gunicorn/fly-21.2.0.log";
    let incident = only(explained(name, &fixture(name), &Knowledge::default()).incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout -");
    assert_eq!((incident.pid, incident.instance.as_ref().map(domain::Instance::as_str)), (Some(322), Some("xyz")));
    assert!(
        incident.diagnosis.evidence.iter().any(|citation| citation.text.ends_with("WORKER TIMEOUT (pid:322)")),
        "the line is cited as it came"
    );
    assert_eq!(incident.ended_at.map(|at| at.to_string()).as_deref(), Some("2023-12-28T11:04:25.07Z"));
    let advice = &incident.diagnosis.advice[0];
    assert_eq!((advice.kind.as_str(), advice.setting.as_deref()), ("change_setting", Some("--timeout")));
    assert!(advice.place.as_deref().is_some_and(|place| place.contains("Procfile") && place.contains("gunicorn.conf.py")));
    assert!(!serde_json::to_string(&incident).expect("JSON").contains("idle"));
}

#[test]
fn events_that_a_watchdog_prints_into_the_servers_log_say_where_its_processes_ran() {
    let event = |instance: &str| {
        format!(
            "{{\"kind\":\"fired\",\"request_id\":\"r1\",\"platform\":\"gunicorn\",\"instance\":\"{instance}\",\"pid\":9117,\"limit_ms\":2000,\
             \"path\":\"/report?seconds=20\",\"stacks\":[{{\"serving\":true,\"frames\":[{{\"function\":\"run_query\",\"file\":\"/srv/app/app.py\",\"line\":29}}]}}],\
             \"left_ms\":500,\"elapsed_ms\":1500,\"observed_at\":\"2026-11-22T12:04:46.4Z\"}}\n"
        )
    };
    let log = |events: &str| [&fixture("gunicorn/23.0.0-sync.log"), events.as_bytes()].concat();
    let told = |events: &str| explained("app.log", &log(events), &Knowledge::default()).incidents;
    let incident = only(told(&event("web-1")));
    assert_eq!((incident.request_id.as_ref().map(domain::RequestId::as_str), incident.pid), (Some("r1"), Some(9117)));
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout 2000");
    let stood: Vec<_> = incident.diagnosis.reasons.iter().filter(|reason| reason.text.contains("stood in `run_query`")).collect();
    assert_eq!((stood.len(), stood[0].evidence.len()), (1, 2), "what the watchdog and the log say of one place is said once: {stood:#?}");
    assert_eq!(told(&(event("web-1") + &event("web-2"))).len(), 2, "two places: nobody knows which of them the lines are of");
}

#[test]
fn configuration_gives_the_limit_its_value_and_its_place() {
    let name = "gunicorn/fly-21.2.0.log";
    let incident = only(explained(name, &fixture(name), &gunicorn_with("--timeout 30")).incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout 30000");
    let advice = &incident.diagnosis.advice[0];
    assert_eq!((advice.from.as_deref(), advice.place.as_deref()), (Some("30"), Some("Procfile:1")));
}

#[test]
fn two_values_for_one_setting_are_none() {
    let limits =
        collector::limits::read("Procfile", "web: gunicorn app:app --timeout 30\napi: gunicorn api:app --timeout 60\n").expect("read");
    let name = "gunicorn/fly-21.2.0.log";
    let incident = only(explained(name, &fixture(name), &Knowledge { limits, ..Knowledge::default() }).incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout -");
}

#[test]
fn a_command_line_outranks_a_configuration_file() {
    let mut limits = collector::limits::read("gunicorn.conf.py", "timeout = 90\n").expect("read");
    limits.extend(collector::limits::read("Procfile", "web: gunicorn app:app --timeout 30").expect("read"));
    let name = "gunicorn/fly-21.2.0.log";
    let incident = only(explained(name, &fixture(name), &Knowledge { limits, ..Knowledge::default() }).incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout 30000");
}

#[test]
fn a_guess_at_memory_after_gunicorns_own_timeout_is_contradicted() {
    let name = "gunicorn/21.2.0-sync-native-lock.log";
    let incident = only(explained(name, &fixture(name), &Knowledge::default()).incidents);
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server gunicorn --timeout -");
    let contradicted = &incident.diagnosis.contradicted[0];
    assert!(contradicted.text.starts_with("no sign of full memory") && contradicted.evidence[0].text.contains("Perhaps out of memory?"));
}

#[test]
fn a_kill_of_which_only_one_line_is_known_is_only_possible() {
    let line = "[2026-11-22 12:04:33 +0000] [8899] [ERROR] Worker (pid:8901) was sent SIGKILL! Perhaps out of memory?\n";
    assert_eq!(verdict(&only(explained_text(line))), "crash confirmed possible app_server gunicorn - -");
}

/// Logs in which nothing overran, each with what invites the wrong conclusion.
#[test]
fn lookalikes_trigger_nothing() {
    const ID: &str = "11111111-2222-4333-8444-555555555555";
    let invocation = |inside: &str, report: &str| {
        format!(
            "START RequestId: {ID} Version: 7\n{inside}\nEND RequestId: {ID}\nREPORT RequestId: {ID}\tDuration: {report}\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t\n"
        )
    };
    let quick = "250.10 ms\tBilled Duration: 251 ms";
    let slow = "4000.00 ms\tBilled Duration: 4000 ms";
    let cases = [
        ("a success", invocation("hello", quick)),
        ("an application's words", invocation("INFO: Task timed out after 3.00 seconds, will retry", quick)),
        ("the platform's very words, printed by an application", invocation("Task timed out after 2.00 seconds", slow)),
        ("the same with a time and a level", invocation("2026-02-11T10:00:00.120Z WARN Task timed out after 2.00 seconds", slow)),
        (
            "an error of the handler",
            invocation(&format!("2026-02-11T10:00:00.120Z\t{ID}\tERROR\tInvoke Error \t{{\"errorType\":\"TimeoutError\"}}"), quick),
        ),
        (
            "an error that Python caught",
            invocation(
                "[ERROR] MemoryError\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 9, in handler",
                quick,
            ),
        ),
        (
            "full memory, which is no limit on time",
            invocation("hello", "250.10 ms\tBilled Duration: 251 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB"),
        ),
        (
            "an init that failed before one that did not",
            format!("INIT_REPORT Init Duration: 10005.10 ms\tPhase: init\tStatus: timeout\n{}", invocation("hello", quick)),
        ),
        (
            "an init that crashed before one that did not",
            format!(
                "INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n{}",
                invocation("hello", quick)
            ),
        ),
        ("a request that was cut off in the log", format!("START RequestId: {ID} Version: 7\n")),
    ];
    for (what, log) in cases {
        assert_eq!(verdicts(&explained_text(&log)), [""; 0], "{what}\n{log}");
    }
}

#[test]
fn words_of_an_error_answer_without_an_id_are_only_possible() {
    assert_eq!(
        verdict(&only(explained_text("Task timed out after 3.00 seconds\n"))),
        "timeout confirmed possible platform aws_lambda Timeout 3000"
    );
}

#[test]
fn two_servers_with_the_same_process_ids_stay_apart() {
    let one = "[2026-11-22 12:00:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n\
               [2026-11-22 12:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n\
               [2026-11-22 12:05:00 +0000] [1] [ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?\n";
    let other = "[2026-11-22 12:00:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n\
                 [2026-11-22 12:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n\
                 [2026-11-22 12:04:59 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:7)\n";
    let log: String =
        one.lines().map(|line| format!("web-1  | {line}\n")).chain(other.lines().map(|line| format!("web-2  | {line}\n"))).collect();
    let incidents = explained_text(&log);
    assert_eq!(
        verdicts(&incidents),
        ["timeout confirmed certain app_server gunicorn --timeout -", "crash confirmed likely app_server gunicorn - -"]
    );
}

#[test]
fn a_process_id_that_is_used_again_is_another_worker() {
    let log = "[2026-11-22 12:00:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n\
               [2026-11-22 12:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n\
               [2026-11-22 12:01:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:7)\n\
               [2026-11-22 12:01:00 +0000] [7] [INFO] Worker exiting (pid: 7)\n\
               [2026-11-22 12:02:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n\
               [2026-11-22 12:02:00 +0000] [7] [INFO] Booting worker with pid: 7\n\
               [2026-11-22 12:09:00 +0000] [1] [ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?\n\
               [2026-11-22 12:09:00 +0000] [8] [INFO] Booting worker with pid: 8\n";
    let incidents = explained_text(log);
    assert_eq!(
        verdicts(&incidents),
        ["timeout confirmed certain app_server gunicorn --timeout -", "crash confirmed likely app_server gunicorn - -"]
    );
    assert_ne!(incidents[0].id, incidents[1].id);
}

#[test]
fn a_stop_says_nothing_about_the_workers_of_the_next_start() {
    let log = "[2026-11-22 12:00:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n\
               [2026-11-22 12:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n\
               [2026-11-22 12:01:00 +0000] [1] [INFO] Handling signal: term\n\
               [2026-11-22 12:01:31 +0000] [1] [INFO] Shutting down: Master\n\
               [2026-11-22 12:02:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n\
               [2026-11-22 12:02:00 +0000] [7] [INFO] Booting worker with pid: 7\n\
               [2026-11-22 12:03:00 +0000] [1] [INFO] Handling signal: term\n\
               [2026-11-22 12:03:00 +0000] [7] [INFO] Worker exiting (pid: 7)\n\
               [2026-11-22 12:03:00 +0000] [1] [INFO] Shutting down: Master\n";
    let incident = only(explained_text(log));
    assert_eq!(verdict(&incident), "dropped_at_shutdown confirmed likely app_server gunicorn --graceful-timeout -");
    assert_eq!(incident.ended_at.map(|at| at.to_string()).as_deref(), Some("2026-11-22T12:01:31Z"));
}

#[test]
fn retries_of_the_platform_are_attempts_of_one_request() {
    let id = "6bc28136-0a5c-4f0e-9d0e-9f1d2f3b6c11";
    let run = |minute: u32, report: &str| {
        format!(
            "{{\"timestamp\":\"2026-02-11T10:0{minute}:00.000Z\",\"logStream\":\"s{minute}\",\"message\":\"START RequestId: {id} Version: 7\"}}\n\
             {{\"timestamp\":\"2026-02-11T10:0{minute}:03.001Z\",\"logStream\":\"s{minute}\",\"message\":\"END RequestId: {id}\"}}\n\
             {{\"timestamp\":\"2026-02-11T10:0{minute}:03.001Z\",\"logStream\":\"s{minute}\",\"message\":\"REPORT RequestId: {id}\\tDuration: {report}\"}}\n"
        )
    };
    let timed_out = "3000.00 ms\\tBilled Duration: 3000 ms\\tMemory Size: 128 MB\\tMax Memory Used: 40 MB\\tStatus: timeout";
    let log = [run(1, timed_out), run(4, timed_out), run(7, "120.00 ms\\tBilled Duration: 120 ms")].concat();
    let incidents = explained_text(&log);
    assert_eq!(
        incidents.iter().map(|incident| (incident.attempt, incident.elapsed_ms.map(domain::Millis::as_ms))).collect::<Vec<_>>(),
        [(1, Some(3000)), (2, Some(3000))]
    );
    assert_eq!(incidents[0].problem, incidents[1].problem);
    assert_ne!(incidents[0].id, incidents[1].id);
}

#[test]
fn pumas_own_ends_are_told_with_their_limits() {
    let told = |name: &str, limits: &str| {
        let knowledge = Knowledge { limits: collector::limits::read("puma.rb", limits).expect("Puma's"), ..Knowledge::default() };
        only(explained(name, &fixture(name), &knowledge).incidents)
    };
    let starved = told("puma/5.6.5-worker-timeout.log", "");
    assert_eq!(verdict(&starved), "timeout confirmed certain app_server puma worker_timeout 6000");
    assert_eq!((starved.pid, starved.diagnosis.cause.id.as_str()), (Some(3989), "worker_starved"));
    let cut_off = told("puma/5.6.5-force-shutdown.log", "force_shutdown_after 1\n");
    assert_eq!(verdict(&cut_off), "dropped_at_shutdown confirmed certain app_server puma force_shutdown_after 1000");
    let boot = only(explained_text("[1] ! Terminating timed out worker (Worker 0 failed to boot within 60 seconds): 9"));
    assert_eq!(verdict(&boot), "init_timeout confirmed certain app_server puma worker_boot_timeout 60000");
}

#[test]
fn a_uvicorn_worker_that_died_is_told_from_one_that_took_its_leave() {
    let name = "uvicorn/0.54.0-workers.log";
    let incidents = explained(name, &fixture(name), &Knowledge::default()).incidents;
    let told: Vec<_> = incidents.iter().map(|incident| (incident.pid, verdict(incident), cited(incident))).collect();
    let crash = "crash confirmed possible app_server uvicorn - -";
    assert_eq!(told, [(Some(8292), crash.to_owned(), vec![10]), (Some(8398), crash.to_owned(), vec![15])]);
    assert!(incidents[0].diagnosis.reasons.iter().any(|reason| reason.text.contains("--timeout-worker-healthcheck")));
}

#[test]
fn a_request_that_a_uvicorn_worker_had_in_flight_ended_with_it() {
    let armed = r#"{"kind":"armed","request_id":"r-1","pid":7,"observed_at":"2026-11-22T12:00:05Z","elapsed_ms":5000,"function":"pay"}"#;
    let died = r#"{"log":"INFO:     Child process [7] died\n","stream":"stderr","time":"2026-11-22T12:00:09.5Z"}"#;
    let incident = only(explained_text(&format!("{armed}\n{died}")));
    assert_eq!(
        (incident.request_id.as_ref().map(domain::RequestId::as_str), verdict(&incident).as_str()),
        (Some("r-1"), "crash confirmed possible app_server uvicorn - -")
    );
}

#[test]
fn of_notices_alone_each_retry_is_an_attempt() {
    let notice = |at: &str| format!("2026-11-22T{at}Z 6f747a63-ce41-11e7-8cfe-3d61dad3d219 Task timed out after 3.00 seconds\n");
    let three = explained_text(&[notice("12:00:03.000"), notice("12:01:04.120"), notice("12:03:05.700")].concat());
    assert_eq!(three.iter().map(|incident| incident.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(explained_text(&[notice("12:00:03.000"), notice("12:00:03.004")].concat()).len(), 1, "said twice");
}
