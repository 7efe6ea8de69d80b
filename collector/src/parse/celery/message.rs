//! The worker's messages, one by one.

use domain::{Claim, ClaimedOutcome, FunctionName, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};

use super::FORMAT;
use crate::parse::{go, python};

/// Where in a line one of the worker's messages about a task begins.
pub fn begins(line: &str) -> Option<usize> {
    const STARTS: [&str; 5] =
        ["Soft time limit (", "Hard time limit (", "Task ", "Task handler raised error: WorkerLostError(", "Initiating Soft Shutdown, "];
    let of_task = |at: &usize| line[*at..].strip_prefix("Task ").is_none_or(|rest| is_end(rest) || rest.starts_with("handler raised "));
    STARTS.iter().filter_map(|start| line.match_indices(start).map(|(at, _)| at).find(of_task)).min()
}

/// Whether it goes on as what is said of a task: `name[ID] received`.
fn is_end(rest: &str) -> bool {
    let end = rest.split_once("] ").filter(|(named, _)| named.contains('[') && !named.contains(' '));
    end.is_some_and(|(_, end)| end == "received" || ["succeeded in ", "raised ", "retry: "].iter().any(|word| end.starts_with(word)))
}

/// Reads a message; `None` when it is none of those that tell of a task or of the worker. `text` is the message with its traceback.
pub fn known(claim: &Claim, message: &str, text: &str) -> Option<Claim> {
    let of_kind = |kind| Claim { kind, ..claim.clone() };
    limit(&of_kind(Kind::TimeoutNotice), message)
        .or_else(|| task(&of_kind(Kind::Accepted), message, text))
        .or_else(|| accepted(&of_kind(Kind::InvocationStart), message))
        .or_else(|| lost(of_kind(Kind::Fault), message))
        .or_else(|| process_exit(of_kind(Kind::ProcessExit), message))
        .or_else(|| revoked(of_kind(Kind::Other), message))
        .or_else(|| soft_shutdown(of_kind(Kind::ServerStopping), message))
}

/// `tasks.report[1f32e45a-…]` and what follows it.
fn named<'t>(claim: &Claim, text: &'t str) -> Option<(Claim, &'t str)> {
    let (name, rest) = text.split_once('[')?;
    let (id, rest) = rest.split_once(']')?;
    let whole = !name.is_empty() && !id.is_empty() && !name.contains(' ') && !id.contains(' ');
    let claim = Claim { function: Some(FunctionName::from(name)), request_id: Some(RequestId::from(id)), ..claim.clone() };
    whole.then_some((claim, rest))
}

/// A limit of the worker's with the value that a line gives it.
fn claimed(setting: &str, value_ms: Option<Millis>) -> Limit {
    let product = Product::from(FORMAT);
    Limit { layer: Layer::AppServer, product, setting: setting.to_owned(), value_ms, known_from: KnownFrom::Claimed, place: None }
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
    Some(Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(claimed(setting, go::duration(value))), ..claim })
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

/// `Task accepted: tasks.report[1f32e45a-…] pid:12`, at level DEBUG: a process of the pool has begun.
fn accepted(claim: &Claim, message: &str) -> Option<Claim> {
    let (claim, rest) = named(claim, message.strip_prefix("Task accepted: ")?)?;
    rest.starts_with(" pid:").then_some(Claim { started_at: claim.observed_at, ..claim })
}

/// `Process 'ForkPoolWorker-2' pid:12097 exited with 'signal 9 (SIGKILL)'`. Which task it ran, if any, is not told.
fn process_exit(claim: Claim, message: &str) -> Option<Claim> {
    let (pid, how) = message.strip_prefix("Process '")?.split_once("' pid:")?.1.split_once(" exited with '")?;
    pid.parse::<u32>().ok()?;
    let how = how.strip_suffix('\'')?;
    // With SIGTERM the worker ends its own processes; 155 is how one leaves that has done its number of tasks.
    let is_usual = how.contains("SIGTERM") || matches!(how, "exitcode 0" | "exitcode 155");
    Some(Claim { outcome: (!is_usual).then_some(ClaimedOutcome::Crash), ..claim.with("message", how) })
}

/// `Terminating 629aea35-… (9)`: somebody revoked the task with `terminate=True`, and the worker ends the process that runs it.
fn revoked(claim: Claim, message: &str) -> Option<Claim> {
    let (id, signal) = message.strip_prefix("Terminating ")?.split_once(" (")?;
    let whole = !id.contains(' ') && signal.ends_with(')');
    whole.then(|| Claim { request_id: Some(RequestId::from(id)), ..claim.with("revoked_with", signal.trim_end_matches(')')) })
}

/// `Initiating Soft Shutdown, terminating in 2.0 seconds`, from 5.5 on.
fn soft_shutdown(claim: Claim, message: &str) -> Option<Claim> {
    let seconds = message.strip_prefix("Initiating Soft Shutdown, terminating in ")?.strip_suffix(" seconds")?;
    let limit = claimed("worker_soft_shutdown_timeout", Some(Millis::parse_seconds(seconds)?));
    Some(Claim { limit: Some(limit), ..claim })
}
