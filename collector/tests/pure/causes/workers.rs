//! Causes about the worker: the queue in front of it, what held it, and how long its stop waited.

use domain::{Confidence, Outcome};

use super::support::{cause, changes, event, folded, named, timed_out};
use crate::support::{explained, explained_text, gunicorn_with, only};

#[test]
fn a_budget_spent_before_the_handler_was_entered_went_into_a_queue() {
    let entered = |budget: u32| {
        let more = format!(",\"platform\":\"aws_lambda\",\"limit_ms\":3000,\"budget_at_entry_ms\":{budget}");
        folded(&(timed_out("") + &event("fired", 2500, &more)))
    };
    assert_eq!(cause(&entered(900)), ("queue_wait", None, Some(2100)));
    assert!(entered(900).summary.ends_with("2.1 s had passed before the handler began"), "{}", entered(900).summary);
    assert_eq!(named(&entered(2950)).0, "unknown", "it had nearly all of it");
}

#[test]
fn a_limit_on_the_queue_says_so_itself() {
    let line = |state: &str, times: &str| {
        format!(
            "10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web app/s1 {times} 503 198 - - {state}-- 1/1/0/0/0 0/0 \"GET /report HTTP/1.1\"\n"
        )
    };
    let queued = only(explained_text(&line("sQ", "0/5000/-1/-1/5000")));
    assert_eq!((named(&queued).0, queued.diagnosis.cause.waited_ms.map(domain::Millis::as_ms)), ("queue_wait", Some(5000)));
    assert!(!changes(&queued).is_empty() && queued.diagnosis.advice[0].kind == "add_capacity");
    let connecting = only(explained_text(&line("sC", "0/0/-1/-1/5000")));
    assert_eq!(named(&connecting).0, "connect_hang");
    let rack = only(explained_text("source=rack-timeout id=a wait=31000ms timeout=30000ms state=expired at=error\n"));
    assert_eq!(named(&rack), ("queue_wait", Confidence::Certain));
    let served = only(explained_text("source=rack-timeout id=a wait=12ms timeout=15000ms service=15001ms state=timed_out at=error\n"));
    assert_eq!(named(&served).0, "unknown", "it was served all the time");
}

/// gunicorn 27.0.1 after `pkill -HUP gunicorn` (November 2026), 20.1.0's words for a crash.
#[test]
fn advice_about_a_signal_is_about_that_signal() {
    for (signal, word) in [("SIGHUP", "pkill -HUP"), ("SIGSEGV", "core dump"), ("SIGKILL", "dmesg")] {
        let log = format!(
            "[2026-11-28 01:09:39 +0000] [1] [INFO] Starting gunicorn 27.0.1\n[2026-11-28 01:09:39 +0000] [7] [INFO] Booting worker with pid: 7\n\
             [2026-11-28 01:11:10 +0000] [1] [WARNING] Worker (pid:7) was sent {signal}!\n"
        );
        let advice = only(explained_text(&log)).diagnosis.advice;
        assert!(advice.iter().any(|one| one.text.contains(word)), "{signal}: {advice:#?}");
    }
}

/// A worker that is given up on at 09:10:00, and requests of its that its access log or watchdog tell of.
fn given_up(class: &str, requests: &[(&str, &str, &str)]) -> String {
    let mut log = format!(
        "[2026-11-22 09:00:00 +0000] [1] [INFO] Starting gunicorn 21.2.0\n[2026-11-22 09:00:00 +0000] [1] [INFO] Using worker: {class}\n[2026-11-22 09:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n"
    );
    for (id, began, more) in requests {
        let armed = format!(
            "{{\"kind\":\"armed\",\"request_id\":\"{id}\",\"instance\":\"web.log\",\"pid\":7,\"platform\":\"gunicorn\",\"observed_at\":\"2026-11-22T{began}Z\",\"elapsed_ms\":0{more}}}\n"
        );
        log.push_str(&armed);
    }
    log + "[2026-11-22 09:10:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:7)\n"
}

/// Cause and role of each incident, by request.
fn told(log: &str) -> Vec<(String, String, String)> {
    let prefixed =
        |line: &str| if line.starts_with('[') { format!("2026-11-22T09:10:00.000Z app[web.log]: {line}\n") } else { format!("{line}\n") };
    let log: String = log.lines().map(prefixed).collect();
    let incidents = explained("web.log", log.as_bytes(), &gunicorn_with("--timeout 30")).incidents;
    let mut told: Vec<_> = incidents
        .iter()
        .map(|incident| {
            let id = incident.request_id.as_ref().map_or("-", domain::RequestId::as_str).to_owned();
            let reasons: Vec<_> = incident.diagnosis.reasons.iter().map(|reason| reason.text.as_str()).collect();
            (id, incident.diagnosis.cause.id.clone(), reasons.join("; "))
        })
        .collect();
    told.sort();
    told
}

#[test]
fn the_request_that_held_a_worker_is_told_from_those_that_ended_with_it() {
    let found = told(&given_up("gthread", &[("r-1", "09:09:25.000", ""), ("r-2", "09:09:50.000", ""), ("r-3", "09:09:58.000", "")]));
    let causes: Vec<_> = found.iter().map(|(id, cause, _)| (id.as_str(), cause.as_str())).collect();
    assert_eq!(causes, [("r-1", "worker_starved"), ("r-2", "worker_starved"), ("r-3", "worker_starved")]);
    assert!(found[0].2.contains("this request held the worker") && found[0].2.contains("r-2, r-3"), "{}", found[0].2);
    assert!(found[1].2.contains("r-1 held"), "{}", found[1].2);
}

#[test]
fn where_several_may_have_held_it_all_are_named_and_none_is_blamed() {
    let found = told(&given_up("gthread", &[("r-1", "09:09:20.000", ""), ("r-2", "09:09:25.000", "")]));
    assert!(found.iter().all(|(_, _, why)| why.contains("nothing tells which one was stuck")), "{found:#?}");
    let blocked =
        ",\"stacks\":[{\"serving\":true,\"blocked\":true,\"frames\":[{\"function\":\"crunch\",\"file\":\"/srv/app/a.py\",\"line\":3}]}]";
    let found = told(&given_up("gthread", &[("r-1", "09:09:20.000", ""), ("r-2", "09:09:25.000", blocked)]));
    assert!(found[0].2.contains("r-2 held") && found[1].2.contains("this request held the worker"), "{found:#?}");
}

#[test]
fn a_request_younger_than_the_limit_was_not_what_stopped_the_heartbeat() {
    let young = told(&given_up("sync", &[("r-1", "09:09:50.000", "")]));
    assert_eq!(young[0].1, "worker_starved");
    let old = told(&given_up("sync", &[("r-1", "09:09:29.500", "")]));
    assert_eq!(old[0].1, "unknown");
}

/// nginx gave up after 10 s on a request of which its server wrote this later.
fn proxied(server: &str) -> Vec<domain::Incident> {
    let nginx = "10.0.0.9 - - [22/Nov/2026:12:00:10 +0000] \"GET /r HTTP/1.1\" 504 160 \"-\" \"-\" rid=r-1 rt=10.001 urt=10.001 uct=0.000 uht=- us=504 msec=1795348810.001\n";
    let inputs: Vec<_> = [("nginx.log", nginx), ("web.log", server)]
        .into_iter()
        .map(|(name, text)| collector::explain::Input { name, bytes: text.as_bytes() })
        .collect();
    collector::explain::explain(
        &inputs,
        collector::parse::Format::Auto,
        &collector::correlate::Knowledge::default(),
        crate::support::at(crate::support::LATER),
    )
    .incidents
}

#[test]
fn a_request_that_its_server_took_late_had_waited_for_a_worker() {
    // gunicorn's %(D)s: microseconds.
    let access = |status: &str, took: &str| {
        format!("127.0.0.1 - - [22/Nov/2026:12:00:13 +0000] \"GET /r HTTP/1.1\" {status} \"-\" \"-\" {took} rid=r-1 pid=<7>\n")
    };
    let late = only(proxied(&access("200 5", "5000000")));
    assert_eq!((late.outcome, named(&late).0), (Outcome::CallerLeft, "worker_starved"), "{}", late.summary);
    let early = only(proxied(&access("200 5", "12900000")));
    assert_eq!(named(&early).0, "caller_left", "{}", early.summary);
    // What gunicorn writes when the arbiter aborts the worker counts from the abort, whether the arbiter's line is known or not.
    let aborted = access("500 0", "15258");
    assert_ne!(named(&only(proxied(&aborted))).0, "worker_starved");
    let timeout = "[2026-11-22 12:00:13 +0000] [5] [CRITICAL] WORKER TIMEOUT (pid:7)\n";
    assert_ne!(named(&only(proxied(&(timeout.to_owned() + &aborted)))).0, "worker_starved");
    // So does a watchdog know when the worker began.
    let fired = "{\"kind\":\"fired\",\"request_id\":\"r-1\",\"platform\":\"gunicorn\",\"pid\":7,\"limit_ms\":13000,\"left_ms\":500,\"elapsed_ms\":12500,\"observed_at\":\"2026-11-22T12:00:12.5Z\"}\n";
    assert_ne!(named(&only(proxied(&(fired.to_owned() + &access("500 265", "15258"))))).0, "worker_starved");
}

#[test]
fn a_stop_that_did_not_wait_long_enough_is_told_with_what_ends_it() {
    let drain = "2026/11/22 09:05:00 Version: 0.9.0\tSHA: aa\n2026/11/22 09:05:00 Timeouts: read: 10s write: 3s hard: 20s health: 1s\n2026/11/22 09:06:00 SIGTERM: no new connections in 1s\n2026/11/22 09:06:01 No new connections allowed, draining: 2 requests\n2026/11/22 09:06:04 Error in Shutdown: context deadline exceeded\n2026/11/22 09:06:04 Exiting. Active connections: 2\n";
    let cut = only(explained_text(drain));
    assert_eq!((cut.outcome, named(&cut).0), (Outcome::DroppedAtShutdown, "grace_too_short"));
    assert_eq!(changes(&cut)[0], "write_timeout 3 s → 20 s", "as long as exec_timeout lets a request run");
    let dies = "2026/11/22 09:05:00 Version: 0.11.6\tSHA: aa\n2026/11/22 09:06:00 SIGTERM: no new connections in 1s\n2026/11/22 09:06:00 Upstream HTTP request error: Get \"http://127.0.0.1:5000/a\": EOF\n2026/11/22 09:06:00 Forked function has terminated: signal: terminated\n";
    for incident in explained_text(dies) {
        assert_eq!(named(&incident).0, "unknown", "a longer grace period would not have helped");
    }
}

/// php-fpm 8.2 with `pm.max_children = 2` and three requests at once, nginx 1.22.1 in front (November 2026).
#[test]
fn a_pool_that_was_full_meanwhile_may_be_what_a_request_waited_for() {
    let told = |full_at: &str, taken: &str| {
        let log = format!(
            "[27-Nov-2026 15:26:{full_at}] WARNING: [pool www] server reached pm.max_children setting (2), consider raising it\n\
             {taken}127.0.0.1 - - [27/Nov/2026:15:26:35 +0000] \"GET /r.php HTTP/1.1\" 504 167 \"-\" \"-\" rid=548b9151 rt=3.004 uct=0.000 uht=- urt=3.004 us=504\n\
             2026/11/27 15:26:35 [error] 17426#17426: *7 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 127.0.0.1, server: , request: \"GET /r.php HTTP/1.1\", upstream: \"fastcgi://127.0.0.1:9000\", host: \"h\"\n"
        );
        let incident = only(explained_text(&log));
        (incident.diagnosis.cause.id.clone(), incident.diagnosis.confidence)
    };
    assert_eq!(told("34", "").0, "queue_wait");
    assert_eq!(told("34", "").1, Confidence::Certain, "of the limit nothing is in doubt");
    assert_eq!(told("20", "").0, "unknown", "long before");
    let taken = "127.0.0.1 -  27/Nov/2026:15:26:32 +0000 \"GET /r.php\" 200 /srv/r.php 5000.000 19108 rid=548b9151\n";
    assert_eq!(told("34", taken).0, "unknown", "it had been taken up at once");
}

/// gunicorn 22.0.0 on a busy host (November 2026): the traceback was written, and the worker had not left a second later.
#[test]
fn a_worker_that_unwound_and_was_killed_all_the_same_was_not_blocked_outside_python() {
    let line = |second: u32, level: &str, text: &str| format!("[2026-11-27 22:07:{second} +0000] [25121] [{level}] {text}\n");
    let timeout = line(20, "CRITICAL", "WORKER TIMEOUT (pid:25495)");
    let error = "[2026-11-27 22:07:20 +0000] [25495] [ERROR] Error handling request /report?seconds=6\nTraceback (most recent call last):\n  File \"/srv/app/app.py\", line 29, in run_query\n    time.sleep(seconds)\n  File \"/srv/venv/gunicorn/workers/base.py\", line 203, in handle_abort\n    sys.exit(1)\nSystemExit: 1\n";
    let killed = line(21, "ERROR", "Worker (pid:25495) was sent SIGKILL! Perhaps out of memory?");
    let reasons = |text: &str| {
        let diagnosis = only(explained_text(text)).diagnosis;
        diagnosis.reasons.into_iter().map(|reason| reason.text).collect::<Vec<_>>().join("; ")
    };
    assert!(reasons(&format!("{timeout}{error}{killed}")).contains("it took more than a second to leave"));
    assert!(reasons(&format!("{timeout}{killed}")).contains("it was blocked outside Python"));
}

/// gunicorn 22.0.0 with `uvicorn.workers.UvicornWorker` and `--timeout 2`, whose access lines have no time.
#[test]
fn a_worker_that_said_it_was_ready_was_not_starting() {
    let line = |second: u32, pid: u32, level: &str, text: &str| format!("[2026-11-27 22:07:{second} +0000] [{pid}] [{level}] {text}\n");
    let boot = line(41, 26513, "INFO", "Booting worker with pid: 26513");
    let ready = line(41, 26513, "INFO", "Application startup complete.");
    let timeout = line(44, 26471, "CRITICAL", "WORKER TIMEOUT (pid:26513)");
    let told = |text: &str| only(explained("app.log", text.as_bytes(), &gunicorn_with("--timeout 2")).incidents).diagnosis.cause.id;
    assert_eq!(told(&format!("{boot}{timeout}")), "cold_start");
    assert_eq!(told(&format!("{boot}{ready}{timeout}")), "unknown");
}

/// What follows from a timeout stands alone at the beginning of a log that was cut (gunicorn 21.2.0, uWSGI 2.0.31).
#[test]
fn a_log_that_begins_with_a_workers_end_proves_no_crash() {
    let line = |second: u32, level: &str, text: &str| format!("[2026-11-27 15:30:{second:02} +0000] [8900] [{level}] {text}\n");
    let earlier = line(2, "INFO", "Booting worker with pid: 8902");
    let later = line(40, "INFO", "Handling signal: term") + &line(40, "INFO", "Shutting down: Master");
    for end in ["Worker (pid:8901) was sent SIGKILL! Perhaps out of memory?", "Worker (pid:8901) exited with code 1"] {
        let told = |before: &str| {
            let incident = only(explained_text(&format!("{before}{}{later}", line(20, "ERROR", end))));
            (incident.outcome, incident.diagnosis.confidence)
        };
        assert_eq!(told(""), (Outcome::Crash, Confidence::Possible), "{end}");
        assert_eq!(told(&earlier), (Outcome::Crash, Confidence::Likely), "{end}");
    }
    let killed = "DAMN ! worker 1 (pid: 7) died, killed by signal 9 :( trying respawn ...\n";
    let confidence = |before: &str| only(explained_text(&format!("{before}{killed}"))).diagnosis.confidence;
    assert_eq!((confidence(""), confidence("spawned uWSGI worker 1 (pid: 7, cores: 1)\n")), (Confidence::Possible, Confidence::Likely));
}
