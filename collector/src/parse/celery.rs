//! Celery's worker log: tasks, their time limits and their ends, versions 5.2.7 and 5.7.0.
//!
//! ```text
//! [2026-11-22 12:44:13,210: WARNING/MainProcess] Soft time limit (2.0s) exceeded for tasks.report[1f32e45a-…]
//! [2026-11-22 12:44:14,417: ERROR/MainProcess] Hard time limit (3s) exceeded for tasks.stubborn[b0bbfef9-…]
//! [2026-11-22 12:44:14,221: INFO/ForkPoolWorker-1] Task tasks.graceful[a8817630-…] succeeded in 1.0022s: 'gave up'
//! ```
//!
//! The task's ID is always there. A task may catch the soft limit and go on. Times have no zone unless `timezone` of the
//! worker's machine is UTC; they are read as UTC. `docs/formats/celery.md`.

use domain::{Claim, ClaimedOutcome, FunctionName, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::{Fate, Lines, RAW_BYTES_MAX, cut, go, marks, python, times};

/// The format's name.
pub const FORMAT: &str = "celery";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&[" time limit (", "] received", "] succeeded in ", "] raised ", "] retry: ", "WorkerLostError("]];

pub(super) const LINES: Lines = Lines { begins, read };

/// Where the head begins: bare, or after a blank behind a transport's prefix.
fn begins(line: &str) -> Option<usize> {
    const BRACKETS_MAX: usize = 8;
    let brackets = line.match_indices('[').map(|(at, _)| at).take(BRACKETS_MAX);
    brackets.into_iter().find(|at| (*at == 0 || line[..*at].ends_with([' ', '\t'])) && split(&line[*at..]).is_some())
}

/// `[2026-11-22 12:44:13,210: WARNING/MainProcess] message`.
fn split(line: &str) -> Option<(Timestamp, &str)> {
    let (head, message) = line.strip_prefix('[')?.split_once("] ")?;
    let (at, writer) = head.split_once(": ")?;
    let (level, process) = writer.split_once('/')?;
    let is_level = matches!(level, "DEBUG" | "INFO" | "WARNING" | "ERROR" | "CRITICAL");
    (is_level && !process.is_empty()).then_some((times::rfc3339(at)?, message))
}

/// Reads one event; `None` when it is not the worker's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let (at, message) = split(text.lines().next()?)?;
    let claim = |kind| Claim {
        platform: Some(Product::from(FORMAT)),
        observed_at: Some(at),
        ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    let found = limit(&claim(Kind::TimeoutNotice), message)
        .or_else(|| task(&claim(Kind::Accepted), message, text))
        .or_else(|| lost(claim(Kind::Fault), message));
    Some(match found {
        Some(found) => Fate::Evidence(Box::new(found)),
        None => Fate::Ignored(Box::new(claim(Kind::AppLog).with("message", message))),
    })
}

/// `tasks.report[1f32e45a-…]` and what follows it.
fn named<'t>(claim: &Claim, text: &'t str) -> Option<(Claim, &'t str)> {
    let (name, rest) = text.split_once('[')?;
    let (id, rest) = rest.split_once(']')?;
    let whole = !name.is_empty() && !id.is_empty() && !name.contains(' ') && !id.contains(' ');
    let claim = Claim { function: Some(FunctionName::from(name)), request_id: Some(RequestId::from(id)), ..claim.clone() };
    whole.then_some((claim, rest))
}

/// `Soft time limit (2.0s) exceeded for …`. The worker's own option is printed as a float, a task's as it was written.
fn limit(claim: &Claim, message: &str) -> Option<Claim> {
    let (kind, rest) = message.split_once(" time limit (")?;
    let (value, rest) = rest.split_once(") exceeded for ")?;
    let setting = match kind {
        "Soft" => "--soft-time-limit",
        "Hard" => "--time-limit",
        _ => return None,
    };
    let (claim, _) = named(claim, rest)?;
    let limit = Limit {
        layer: Layer::AppServer,
        product: Product::from(FORMAT),
        setting: setting.to_owned(),
        value_ms: go::duration(value),
        known_from: KnownFrom::Claimed,
        place: None,
    };
    Some(Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(limit), ..claim })
}

/// What became of a task.
fn task(claim: &Claim, message: &str, text: &str) -> Option<Claim> {
    let (claim, rest) = named(claim, message.strip_prefix("Task ")?)?;
    if rest == " received" {
        return Some(claim);
    }
    if let Some(rest) = rest.strip_prefix(" succeeded in ") {
        let elapsed = rest.split_once("s: ").and_then(|(seconds, _)| Millis::parse_seconds(seconds));
        return Some(Claim { kind: Kind::InvocationReport, outcome: Some(ClaimedOutcome::Success), elapsed_ms: elapsed, ..claim });
    }
    if let Some(error) = rest.strip_prefix(" raised ").and_then(|rest| Some(rest.split_once(": ")?.1)) {
        let error_type = error.split('(').next().unwrap_or(error);
        let mut frames = python::frames(text);
        // The signal handler's own frame stands on top of where the task was.
        if frames.last().is_some_and(|frame| frame.function == "soft_timeout_sighandler") {
            frames.pop();
        }
        let claim = Claim { kind: Kind::RequestError, outcome: Some(ClaimedOutcome::Error), ..claim.with("error_type", error_type) };
        return Some(python::with_stack(claim, frames));
    }
    rest.starts_with(" retry: ").then_some(Claim { kind: Kind::InvocationEnd, outcome: Some(ClaimedOutcome::Error), ..claim })
}

/// A pool process that died under a task, which this line does not name.
fn lost(claim: Claim, message: &str) -> Option<Claim> {
    let words = message.strip_prefix("Task handler raised error: WorkerLostError(")?;
    let how = words.split_once("Worker exited prematurely: ")?.1.split(" Job: ").next()?;
    let how = how.trim_end_matches("')").trim_end_matches("\")").trim_end_matches('.');
    Some(Claim { outcome: Some(ClaimedOutcome::Crash), ..claim.with("message", how) })
}

#[cfg(test)]
mod tests {
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
}
