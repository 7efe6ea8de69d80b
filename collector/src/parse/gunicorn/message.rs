//! gunicorn's messages, one by one: what the arbiter and the workers say.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Product, Value};

use super::FORMAT;
use crate::parse::python::{frames as python_frames, with_stack};
use crate::parse::python_logging::Head;
use crate::parse::{Fate, RAW_BYTES_MAX, cut};

/// Reads a message of gunicorn's logger: a claim about a process, or an application's words.
pub fn read(head: &Head<'_>, message: &str, raw: &str) -> Fate {
    if let Some(claim) = known(head, message, raw) {
        return Fate::Evidence(Box::new(claim));
    }
    let first = message.lines().next().unwrap_or_default();
    Fate::Ignored(Box::new(base(head, Kind::AppLog, head.pid, raw).with("level", head.level).with("message", first)))
}

/// Reads one of gunicorn's own messages; `None` when it is none of those that tell of a process.
pub fn known(head: &Head<'_>, message: &str, raw: &str) -> Option<Claim> {
    let claim = |kind, pid| base(head, kind, pid, raw);
    let first = message.lines().next().unwrap_or_default();
    lifecycle(&claim, head, first)
        .or_else(|| worker(&claim, head, first))
        .or_else(|| request_error(&claim, head, message))
        .or_else(|| boot_error(&claim, head, message))
}

/// What gunicorn says of a worker and nobody else says of anything: a number stands in each, and where it does nothing may follow.
const OF_WORKERS: [&str; 5] =
    ["WORKER TIMEOUT (pid:", "Worker (pid:", "Worker with pid ", "Booting worker with pid: ", "Worker exiting (pid: "];

/// Reads a message that nothing stands before, under a log format of `%(message)s`: a line that is one as a whole.
pub fn alone(text: &str) -> Option<Claim> {
    let line = text.trim_end();
    let is_one = !line.contains('\n') && OF_WORKERS.iter().any(|words| line.starts_with(words));
    let claim = is_one.then(|| worker(&|kind, pid| base(&Head::default(), kind, pid, text), &Head::default(), line)).flatten()?;
    claim.text("signal").is_none_or(|signal| signal.starts_with("SIG") || signal.starts_with("signal ")).then_some(claim)
}

fn base(head: &Head<'_>, kind: Kind, pid: Option<u32>, raw: &str) -> Claim {
    Claim { platform: Some(Product::GUNICORN), observed_at: head.at, pid, ..Claim::new(kind, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX)) }
}

/// Lines about the server as a whole, written by the arbiter.
fn lifecycle(claim: &impl Fn(Kind, Option<u32>) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
    if let Some(version) = message.strip_prefix("Starting gunicorn ") {
        return Some(claim(Kind::ServerStart, head.pid).with("version", version));
    }
    if let Some(class) = message.strip_prefix("Using worker: ") {
        return Some(claim(Kind::ServerStart, head.pid).with("worker_class", class));
    }
    match message {
        "Handling signal: term" | "Handling signal: int" | "Handling signal: quit" => {
            Some(claim(Kind::ServerStopping, head.pid).with("signal", &message["Handling signal: ".len()..]))
        }
        "Shutting down: Master" => Some(claim(Kind::ServerStopped, head.pid)),
        _ => None,
    }
}

/// Lines about one worker, by whomever they are written.
fn worker(claim: &impl Fn(Kind, Option<u32>) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
    let arbiter = |kind, pid| {
        let claim = claim(kind, Some(pid));
        match head.pid {
            Some(own) => claim.with("arbiter_pid", own),
            None => claim,
        }
    };
    if let Some(pid) = message.strip_prefix("Booting worker with pid: ").and_then(whole_number) {
        return Some(claim(Kind::WorkerBoot, Some(pid)));
    }
    if let Some(pid) = message.strip_prefix("WORKER TIMEOUT (pid:").and_then(|rest| whole_number(rest.strip_suffix(')')?)) {
        let limit = Limit {
            layer: Layer::AppServer,
            product: Product::GUNICORN,
            setting: "--timeout".to_owned(),
            value_ms: None,
            known_from: KnownFrom::Claimed,
            place: None,
        };
        return Some(Claim { limit: Some(limit), outcome: Some(ClaimedOutcome::Timeout), ..arbiter(Kind::WorkerTimeout, pid) });
    }
    if let Some(pid) = message.strip_prefix("Worker exiting (pid: ").and_then(|rest| whole_number(rest.strip_suffix(')')?)) {
        return Some(claim(Kind::WorkerExit, Some(pid)));
    }
    // uvicorn's worker says it in its own words, and when it is ready.
    if message == "Application startup complete." {
        return head.pid.map(|pid| claim(Kind::Other, Some(pid)).with("has_started", true));
    }
    if let Some(pid) = message.strip_prefix("Finished server process [").and_then(|rest| whole_number(rest.strip_suffix(']')?)) {
        return Some(claim(Kind::WorkerExit, Some(pid)));
    }
    if let Some(rest) = message.strip_prefix("Worker (pid:") {
        let (pid, what) = rest.split_once(") ")?;
        let pid = whole_number(pid)?;
        if let Some(signal) = what.strip_prefix("was sent ") {
            let (signal, guess) = signal.split_once('!')?;
            let killed = arbiter(Kind::WorkerKilled, pid).with("signal", signal);
            return Some(if guess.contains("out of memory") { killed.with("guess", "out_of_memory") } else { killed });
        }
        let code = what.strip_prefix("exited with code ")?;
        return Some(arbiter(Kind::ProcessExit, pid).with("exit_status", whole_number(code.trim_end_matches('.'))?));
    }
    // Up to 20.1.0.
    let (pid, signal) = message.strip_prefix("Worker with pid ")?.split_once(" was terminated due to signal ")?;
    Some(arbiter(Kind::WorkerKilled, whole_number(pid)?).with("signal", signal_name(whole_number(signal)?)))
}

/// `Error handling request [METHOD ]/path` with its traceback, which from 22.0.0 on shows where the aborted request stood.
fn request_error(claim: &impl Fn(Kind, Option<u32>) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
    let target = message.lines().next()?.strip_prefix("Error handling request ")?;
    let mut claim = claim(Kind::RequestError, head.pid);
    let path = match target.split_once(' ') {
        Some((method, path)) => {
            claim = claim.with("method", method);
            path
        }
        None => target,
    };
    claim = claim.with("path", path);
    let mut frames = python_frames(message);
    // The signal handler's own frame stands on top of where the request was.
    let ended_by = frames.last().and_then(|frame| match frame.function.as_str() {
        "handle_abort" => Some("aborted"),
        "handle_quit" => Some("told_to_quit"),
        _ => None,
    });
    if let Some(how) = ended_by {
        frames.pop();
        claim.attributes.insert(how.to_owned(), Value::Flag(true));
    }
    Some(with_stack(claim, frames))
}

/// `Exception in worker process`: the application could not be loaded, so that the worker never served.
fn boot_error(claim: &impl Fn(Kind, Option<u32>) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
    let mut lines = message.lines();
    (lines.next()? == "Exception in worker process").then_some(())?;
    let mut claim = Claim { outcome: Some(ClaimedOutcome::InitCrash), ..claim(Kind::Fault, head.pid) };
    // The last line that is not indented names the exception: `ModuleNotFoundError: No module named 'shop'`.
    let error = lines.rfind(|line| !line.starts_with([' ', '\t', '\u{a0}']) && !line.starts_with("Traceback "));
    if let Some(error) = error {
        claim = claim.with("error_type", error.split(':').next().unwrap_or(error)).with("message", error);
    }
    Some(with_stack(claim, python_frames(message)))
}

/// A text that is a number and nothing else.
fn whole_number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn signal_name(number: u32) -> String {
    match number {
        6 => "SIGABRT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}
