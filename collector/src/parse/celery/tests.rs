//! What lines of a Celery worker say.

use domain::{ClaimedOutcome, FunctionName, KnownFrom, Millis, RequestId};

use super::*;

fn claim(message: &str) -> Claim {
    match read(&format!("[2026-11-22 09:00:00,250: INFO/MainProcess] {message}")) {
        Some(Fate::Evidence(claim)) => *claim,
        other => panic!("expected evidence in {message:?}, found {other:?}"),
    }
}

#[test]
fn both_limits_name_the_task_and_their_value() {
    for (message, setting, ms) in [
        ("Soft time limit (2.0s) exceeded for shop.tasks.pay[a-1]", "--soft-time-limit", 2000),
        ("Hard time limit (300s) exceeded for shop.tasks.pay[a-1]", "--time-limit", 300_000),
    ] {
        let claim = claim(message);
        let limit = claim.limit.expect("named");
        assert_eq!((limit.setting.as_str(), limit.value_ms), (setting, Some(Millis::from_ms(ms))));
        assert_eq!(claim.request_id, Some(RequestId::from("a-1")));
        assert_eq!(claim.function, Some(FunctionName::from("shop.tasks.pay")));
    }
}

#[test]
fn a_task_is_followed_to_its_end() {
    assert_eq!(claim("Task t.x[a-1] received").kind, Kind::Accepted);
    let done = claim("Task t.x[a-1] succeeded in 1.25s: {'s': 1}");
    assert_eq!((done.outcome, done.elapsed_ms), (Some(ClaimedOutcome::Success), Some(Millis::from_ms(1250))));
    let failed = claim(
        "Task t.x[a-1] raised unexpected: SoftTimeLimitExceeded()\nTraceback (most recent call last):\n  File \"/a.py\", line 3, in wait\n    sleep(1)\n  File \"/p.py\", line 229, in soft_timeout_sighandler\n    raise SoftTimeLimitExceeded()",
    );
    assert_eq!((failed.kind, failed.text("error_type")), (Kind::RequestError, Some("SoftTimeLimitExceeded")));
    assert_eq!(failed.stacks[0].frames.last().map(|frame| frame.function.as_str()), Some("wait"));
}

#[test]
fn a_lost_process_is_a_crash_of_nobody_named() {
    let lost = claim("Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 3.')");
    assert_eq!((lost.kind, lost.request_id, lost.outcome), (Kind::Fault, None, Some(ClaimedOutcome::Crash)));
    assert_eq!(lost.attributes.get("message").and_then(domain::Value::as_text), Some("signal 9 (SIGKILL)"));
}

#[test]
fn a_tasks_own_words_are_ignored() {
    let own = read("[2026-11-22 09:00:00,250: INFO/ForkPoolWorker-1] Soft time limit is near");
    assert!(matches!(own, Some(Fate::Ignored(_))));
    assert!(read("[2026-11-22 09:00:00,250] Soft time limit (2s) exceeded for t[a]").is_none());
}

/// Read off 5.6.3 with a `worker_log_format` and a JSON formatter of the user's own (November 2026).
#[test]
fn a_log_configuration_of_the_users_own_changes_nothing() {
    const ID: &str = "05561034-abaa-4df0-9b9e-c2d4711293f1";
    let words = format!("Hard time limit (3s) exceeded for tasks.stubborn[{ID}]");
    for text in [
        format!("2026-11-27 21:44:01,749 ERROR [celery.worker.request] {words}"),
        format!("[2026-11-27 21:44:01,749: ERROR/MainProcess/MainThread] {words}"),
        format!("ERROR:celery.worker.request:{words}"),
        words.clone(),
    ] {
        let Some(Fate::Evidence(claim)) = read(&text) else { panic!("{text}") };
        assert_eq!((claim.kind, claim.request_id), (Kind::TimeoutNotice, Some(RequestId::from(ID))), "{text}");
        let at = claim.observed_at.map(|at| at.to_string());
        assert_eq!(at.as_deref(), text.contains("21:44").then_some("2026-11-27T21:44:01.749Z"), "{text}");
    }
    for logger in [r#""logger": "celery.worker.request", "#, ""] {
        let record = format!(r#"{{"timestamp": "2026-11-27T21:44:00", "level": "ERROR", {logger}"message": "{words}"}}"#);
        let object: Map<String, Value> = serde_json::from_str(&record).expect("JSON");
        let fates = read_record(&object, &record).expect("celery's");
        assert!(
            matches!(&fates[..], [Fate::Evidence(claim)] if claim.limit.as_ref().is_some_and(|limit| limit.value_ms == Some(Millis::from_ms(3000))))
        );
    }
}

#[test]
fn who_quotes_a_worker_is_not_one() {
    for text in [
        "2026-11-27 21:44:01,749 INFO shop.views Task accepted",
        "Task shop.pay[12] received",
        "2026-11-27 21:44:01,749 INFO shop.jobs Task export for customer[12] received",
        "the runbook says: Hard time limit (3s) exceeded for tasks.stubborn[05561034-abaa-4df0-9b9e-c2d4711293f1]",
    ] {
        assert!(read(text).is_none(), "{text}");
    }
    let record = r#"{"level": "INFO", "logger": "shop.jobs", "message": "Task tasks.pay[05561034-abaa-4df0-9b9e-c2d4711293f1] received"}"#;
    assert!(read_record(&serde_json::from_str(record).expect("JSON"), record).is_none());
}

#[test]
fn a_process_that_died_and_a_stop_are_read_without_a_task() {
    let killed = claim("Process 'ForkPoolWorker-2' pid:12097 exited with 'signal 9 (SIGKILL)'");
    assert_eq!((killed.kind, killed.pid, killed.outcome), (Kind::ProcessExit, None, Some(ClaimedOutcome::Crash)));
    assert_eq!(claim("Process 'ForkPoolWorker-2' pid:12097 exited with 'signal 15 (SIGTERM)'").outcome, None);
    let stop = claim("Initiating Soft Shutdown, terminating in 2.0 seconds").limit.expect("named");
    assert_eq!((stop.setting.as_str(), stop.value_ms), ("worker_soft_shutdown_timeout", Some(Millis::from_ms(2000))));
    assert_eq!((stop.known_from, claim("Terminating 629aea35 (9)").request_id), (KnownFrom::Claimed, Some(RequestId::from("629aea35"))));
    let cold = read("worker: Cold shutdown (MainProcess)");
    assert!(matches!(cold, Some(Fate::Evidence(claim)) if claim.kind == Kind::ServerStopping && claim.observed_at.is_none()));
}
