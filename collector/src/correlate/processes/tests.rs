use domain::{Incident, IncidentState, Outcome};

use crate::correlate::Knowledge;
use crate::explain::{Input, explain};
use crate::parse::Format;

fn incidents(files: &[(&str, &str)]) -> Vec<Incident> {
    let inputs: Vec<_> = files.iter().map(|(name, text)| Input { name, bytes: text.as_bytes() }).collect();
    explain(&inputs, Format::Auto, &Knowledge::default(), "2026-12-01T00:00:00Z".parse().expect("a time")).incidents
}

/// Outcome, setting and value in milliseconds of each incident.
fn verdicts(files: &[(&str, &str)]) -> Vec<(Outcome, Option<String>, Option<i64>)> {
    let verdict = |one: Incident| {
        let limit = one.diagnosis.limit;
        let value = limit.as_ref().and_then(|limit| limit.value_ms).map(domain::Millis::as_ms);
        (one.outcome, limit.map(|limit| limit.setting), value)
    };
    incidents(files).into_iter().map(verdict).collect()
}

const START: &str =
    "2026/11/22 09:00:00 Version: 0.11.6\tSHA: aa\n2026/11/22 09:00:00 Timeouts: read: 25s write: 25s hard: 20s health: 1s\n";

#[test]
fn a_caller_who_left_is_not_exec_timeout() {
    let log = format!(
        "{START}2026/11/22 09:05:00 Upstream HTTP request error: Get \"http://127.0.0.1:5000/a\": context canceled\n2026/11/22 09:05:00 Upstream HTTP killed due to exec_timeout: 20s\n"
    );
    assert_eq!(verdicts(&[("f.log", &log)]), [(Outcome::CallerLeft, None, None)]);
}

#[test]
fn a_process_younger_than_its_limit_was_ended_by_a_header() {
    let at = |clock: &str| {
        format!(
            "{START}2026/11/22 {clock} Upstream HTTP request error: Get \"http://127.0.0.1:5000/a\": context deadline exceeded\n2026/11/22 {clock} Upstream HTTP killed due to exec_timeout: 20s\n"
        )
    };
    assert_eq!(verdicts(&[("f.log", &at("09:00:05"))]), [(Outcome::Timeout, Some("X-Timeout".to_owned()), None)]);
    assert_eq!(verdicts(&[("f.log", &at("09:05:00"))]), [(Outcome::Timeout, Some("exec_timeout".to_owned()), Some(20_000))]);
}

#[test]
fn pairs_that_several_requests_wrote_at_once_are_put_together() {
    let error = |path: &str| {
        format!("2026/11/22 09:05:00 Upstream HTTP request error: Get \"http://127.0.0.1:5000/{path}\": context deadline exceeded\n")
    };
    let blame = "2026/11/22 09:05:00 Upstream HTTP killed due to exec_timeout: 20s\n";
    let log = format!("{START}{}{}{blame}{blame}", error("a"), error("b"));
    assert_eq!(verdicts(&[("f.log", &log)]).len(), 2);
}

#[test]
fn an_answer_after_the_write_timeout_reached_nobody_and_one_before_it_did() {
    let line = |seconds: &str| format!("{START}2026/11/22 09:05:00 GET /a - 200 OK - ContentLength: 17B ({seconds}s)\n");
    assert_eq!(verdicts(&[("f.log", &line("26.0084"))]), [(Outcome::Timeout, Some("write_timeout".to_owned()), Some(25_000))]);
    assert_eq!(verdicts(&[("f.log", &line("24.0084"))]), []);
}

#[test]
fn a_killed_process_needs_a_request_that_ran_that_long() {
    let log = |seconds: &str| {
        format!("{START}2026/11/22 09:05:00 GET /a - 200 - ContentLength: 14B ({seconds}s)\n2026/11/22 09:05:00 signal: killed\n")
    };
    assert_eq!(verdicts(&[("f.log", &log("20.0016"))]), [(Outcome::Timeout, Some("exec_timeout".to_owned()), Some(20_000))]);
    let killed = incidents(&[("f.log", &log("3.0016"))]);
    assert_eq!((killed[0].outcome, killed[0].diagnosis.confidence), (Outcome::Crash, domain::Confidence::Possible));
}

#[test]
fn two_processes_in_one_log_leave_the_limit_unknown() {
    let other = START.replace("hard: 20s", "hard: 3s");
    let log = format!("{START}{other}2026/11/22 09:05:00 signal: killed\n");
    assert_eq!(verdicts(&[("f.log", &log)]), [(Outcome::Timeout, Some("exec_timeout".to_owned()), None)]);
}

#[test]
fn the_gateways_act_is_told_once_with_what_the_watchdog_saw_of_it() {
    let gateway = "Timeouts: read=35s\twrite=35s\tupstream=2s\n2026/11/22 09:05:00 error with upstream request to: /function/pay/7, Get \"http://p/function/pay/7?a=b\": context deadline exceeded\n2026/11/22 09:05:00 Forwarded [GET] to /function/pay/7?a=b - [502] - 2.0003s\n";
    let watchdog = format!(
        "{START}2026/11/22 09:05:00 Upstream HTTP request error: Get \"http://127.0.0.1:5000/7?a=b\": context canceled\n2026/11/22 09:05:00 Upstream HTTP killed due to exec_timeout: 20s\n"
    );
    let both = [("gateway.log", gateway), ("pay.log", watchdog.as_str())];
    assert_eq!(verdicts(&both), [(Outcome::Timeout, Some("upstream_timeout".to_owned()), Some(2000))]);
    let elsewhere = watchdog.replace("/7?a=b", "/8");
    assert_eq!(verdicts(&[both[0], ("pay.log", elsewhere.as_str())]).len(), 2);
}

#[test]
fn a_drain_that_ends_well_is_no_incident_and_one_that_falls_silent_is_lost() {
    let stop =
        "2026/11/22 09:05:00 SIGTERM: no new connections in 1s\n2026/11/22 09:05:01 No new connections allowed, draining: 2 requests\n";
    let silent = incidents(&[("f.log", &format!("{START}{stop}"))]);
    assert_eq!((silent[0].outcome, silent[0].state), (Outcome::DroppedAtShutdown, IncidentState::Lost));
    assert_eq!(verdicts(&[("f.log", &format!("{START}{stop}2026/11/22 09:05:04 Exiting. Active connections: 0\n"))]), []);
}

#[test]
fn a_task_that_catches_its_soft_limit_survives_and_one_that_outlives_it_meets_both() {
    let line = |second: &str, message: &str| format!("[2026-11-22 09:00:{second},000: INFO/MainProcess] {message}\n");
    let soft = line("01", "Soft time limit (1s) exceeded for t.x[a]");
    let caught = incidents(&[("c.log", &format!("{soft}{}", line("02", "Task t.x[a] succeeded in 1.1s: 1")))]);
    assert_eq!((caught.len(), caught[0].outcome, caught[0].state), (1, Outcome::Timeout, IncidentState::Survived));
    let outlived = verdicts(&[("c.log", &format!("{soft}{}", line("03", "Hard time limit (3s) exceeded for t.x[a]")))]);
    let settings: Vec<_> = outlived.iter().map(|(_, setting, value)| (setting.as_deref(), *value)).collect();
    assert_eq!(settings, [(Some("--soft-time-limit"), Some(1000)), (Some("--time-limit"), Some(3000))]);
}

#[test]
fn rack_timeouts_error_is_told_only_where_its_own_line_is_missing() {
    let own = "source=rack-timeout id=a timeout=2000ms service=2000ms state=timed_out at=error\n";
    let error = "2026-11-22 09:00:00 +0000 Rack app (\"GET /a\" - (10.0.0.1)): #<Rack::Timeout::RequestTimeoutError: Request ran for longer than 2000ms >\n";
    assert_eq!(incidents(&[("p.log", &format!("{own}{error}"))]).len(), 1);
    assert_eq!(verdicts(&[("p.log", error)]), [(Outcome::Timeout, Some("service_timeout".to_owned()), Some(2000))]);
}

#[test]
fn servers_that_end_workers_are_told_apart_from_kills() {
    let uwsgi = "Sun Nov 22 09:00:00 2026 - *** HARAKIRI ON WORKER 2 (pid: 78, try: 1) ***\nDAMN ! worker 2 (pid: 78) died, killed by signal 9 :( trying respawn ...\nDAMN ! worker 3 (pid: 79) died, killed by signal 9 :( trying respawn ...\n";
    let outcomes: Vec<_> = incidents(&[("u.log", uwsgi)]).into_iter().map(|one| (one.pid, one.outcome)).collect();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.contains(&(Some(78), Outcome::Timeout)) && outcomes.contains(&(Some(79), Outcome::Crash)), "{outcomes:?}");
}
