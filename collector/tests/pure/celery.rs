//! Celery: tasks whose process died without a word about them, and tasks that a stop cut off.

use collector::correlate::Knowledge;
use domain::{Confidence, Incident};

use crate::support::{cited, explained, explained_text, fixture, only, verdict, verdicts};

const FIRST: &str = "3dea50e3-aab7-4f88-b94d-9da62aaa3dd2";
const SECOND: &str = "7202c026-cec2-4c96-b51f-705b822db640";

/// A worker's line at so many seconds after 21:43:00.
fn line(second: u32, level: &str, message: &str) -> String {
    format!("[2026-11-27 21:43:{second:02},635: {level}/MainProcess] {message}\n")
}

fn received(second: u32, id: &str) -> String {
    line(second, "INFO", &format!("Task tasks.late[{id}] received"))
}

fn killed(second: u32) -> String {
    line(second, "ERROR", "Process 'ForkPoolWorker-2' pid:12097 exited with 'signal 9 (SIGKILL)'")
}

fn task(incident: &Incident) -> Option<&str> {
    incident.request_id.as_ref().map(domain::RequestId::as_str)
}

/// 5.2.7 to 5.6.3: of a task that is acknowledged late and rejected with its process, no `WorkerLostError` is printed.
#[test]
fn a_process_killed_under_the_only_task_took_that_task_with_it() {
    let incident = only(explained_text(&format!("{}{}", received(25, FIRST), killed(28))));
    assert_eq!(verdict(&incident), "crash confirmed likely app_server celery - -");
    assert_eq!((task(&incident), cited(&incident)), (Some(FIRST), vec![1, 2]));
    // The same task is delivered again, and finishes.
    let again = format!("{}{}", received(29, FIRST), line(33, "INFO", &format!("Task tasks.late[{FIRST}] succeeded in 4.0s: 1")));
    let incident = only(explained_text(&format!("{}{}{again}", received(25, FIRST), killed(28))));
    assert_eq!((task(&incident), incident.attempt), (Some(FIRST), 1));
}

#[test]
fn of_two_tasks_none_is_named_and_an_idle_process_is_no_incident() {
    let two = format!("{}{}{}", received(25, FIRST), received(26, SECOND), killed(28));
    let incident = only(explained_text(&two));
    assert_eq!((verdict(&incident).as_str(), task(&incident)), ("crash confirmed possible app_server celery - -", None));
    let idle =
        format!("{}{}{}", received(25, FIRST), line(26, "INFO", &format!("Task tasks.late[{FIRST}] succeeded in 0.5s: 1")), killed(28));
    assert_eq!(verdicts(&explained_text(&idle)), [""; 0]);
    // At level WARNING nothing tells.
    assert_eq!(only(explained_text(&killed(28))).diagnosis.confidence, Confidence::Possible);
}

#[test]
fn what_the_worker_kills_itself_did_not_crash() {
    let hard = line(27, "ERROR", &format!("Hard time limit (2s) exceeded for tasks.late[{FIRST}]"));
    let incident = only(explained_text(&format!("{}{hard}{}", received(25, FIRST), killed(28))));
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server celery --time-limit 2000");
    let revoked = line(27, "INFO", &format!("Terminating {FIRST} (9)"));
    assert_eq!(verdicts(&explained_text(&format!("{}{revoked}{}", received(25, FIRST), killed(28)))), [""; 0]);
}

#[test]
fn a_lost_process_is_one_incident_with_its_exit_and_the_line_about_it() {
    let lost = line(38, "ERROR", "Task handler raised error: WorkerLostError('Worker exited prematurely: exitcode 0 Job: 0.')");
    let incident = only(explained_text(&format!("{}{}{lost}", received(25, FIRST), killed(28))));
    assert_eq!((verdict(&incident).as_str(), task(&incident)), ("crash confirmed likely app_server celery - -", Some(FIRST)));
}

/// 5.6.3 with `worker_soft_shutdown_timeout=2.0`, SIGQUIT.
#[test]
fn a_soft_shutdown_cuts_off_what_outlives_it() {
    let soft = line(27, "WARNING", "Initiating Soft Shutdown, terminating in 2.0 seconds");
    let ended = line(28, "INFO", &format!("Task tasks.late[{FIRST}] succeeded in 3.0s: 1"));
    let incident = only(explained_text(&format!("{}{soft}worker: Cold shutdown (MainProcess)\n", received(25, FIRST))));
    assert_eq!(verdict(&incident), "dropped_at_shutdown confirmed possible app_server celery worker_soft_shutdown_timeout 2000");
    assert_eq!(verdicts(&explained_text(&format!("{}{soft}{ended}", received(25, FIRST)))), [""; 0], "in time");
    let begun = line(25, "DEBUG", &format!("Task accepted: tasks.late[{FIRST}] pid:12097"));
    let incident = only(explained_text(&format!("{}{begun}worker: Cold shutdown (MainProcess)\n", received(25, FIRST))));
    assert_eq!(verdict(&incident), "dropped_at_shutdown confirmed likely app_server celery - -");
    assert_eq!(verdicts(&explained_text(&format!("worker: Cold shutdown (MainProcess)\n{}", received(25, FIRST)))), [""; 0], "before it");
}

#[test]
fn a_retry_after_a_soft_limit_is_said_to_be_one() {
    let soft = line(27, "WARNING", &format!("Soft time limit (1s) exceeded for tasks.late[{FIRST}]"));
    let retry = line(27, "INFO", &format!("Task tasks.late[{FIRST}] retry: Retry in 1s: SoftTimeLimitExceeded()"));
    let incident = only(explained_text(&format!("{}{soft}{retry}", received(25, FIRST))));
    assert_eq!(verdict(&incident), "timeout confirmed certain app_server celery --soft-time-limit 1000");
    assert_eq!(cited(&incident), [2, 3]);
}

#[test]
fn real_workers_are_understood_whatever_their_log_looks_like() {
    let told = |name: &str| {
        let name = format!("celery/{name}.log");
        verdicts(&explained(&name, &fixture(&name), &Knowledge::default()).incidents)
    };
    let limit = |setting: &str| format!("timeout confirmed certain app_server celery {setting}");
    let both = ["--soft-time-limit 1000", "--soft-time-limit 1000", "--time-limit 3000"].map(limit);
    assert_eq!(told("5.6.3-worker-log-format"), both);
    assert_eq!(told("5.6.3-json"), both);
    assert_eq!(told("5.6.3-soft-shutdown"), ["dropped_at_shutdown confirmed possible app_server celery worker_soft_shutdown_timeout 2000"]);
    assert_eq!(told("5.2.7-killed-acks-late"), ["crash confirmed likely app_server celery - -"]);
}
