//! gunicorn's error log, as text or JSON, and the access lines beside it.
//!
//! ```text
//! [2026-11-22 12:04:32 +0000] [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)
//! [2026-11-22 12:04:32 +0000] [8899] [ERROR] Worker (pid:8901) was sent SIGKILL! Perhaps out of memory?
//! {"asctime": "2026-11-22 12:09:52,003", "levelname": "CRITICAL", "name": "gunicorn.error", "process": 12969, "message": "WORKER TIMEOUT (pid:12970)"}
//! ```
//!
//! Read off gunicorn 19.9.0 to 27.0.1 running for real (November 2026); what differs between versions is in
//! `docs/formats/gunicorn.md`. No line names a request: the worker's process ID is the key.

use domain::{Claim, ClaimedOutcome, Frame, Kind, KnownFrom, Layer, Limit, Product, ThreadStack, Value};
use jiff::Timestamp;
use serde_json::Map;

use super::{Fate, RAW_BYTES_MAX, cut, times};

/// The format's name.
pub const FORMAT: &str = "gunicorn";

/// Reads one event; `None` when it is not gunicorn's.
#[must_use]
pub fn parse_event(text: &str) -> Option<Fate> {
    let (head, message) = split_head(text)?;
    Some(read(&head, message, text))
}

/// Reads one line of a JSON log configuration; `None` when the logger is not gunicorn's.
#[must_use]
pub fn parse_json(object: &Map<String, serde_json::Value>, raw: &str) -> Option<Fate> {
    let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str());
    let logger = text(&["name", "logger", "logger_name"])?;
    let message = text(&["message", "msg", "event"])?;
    let pid = ["process", "pid", "process_id"].iter().find_map(|name| object.get(*name)?.as_u64());
    let at = text(&["asctime", "timestamp", "time", "@timestamp"]).and_then(times::rfc3339);
    match logger {
        "gunicorn.error" => {
            let head = Head { at: at?, pid: u32::try_from(pid?).ok()?, level: text(&["levelname", "level", "severity"]).unwrap_or("") };
            Some(read(&head, message, raw))
        }
        "gunicorn.access" => super::access_log::parse_event(message).map(|fate| with_raw(fate, raw)),
        _ => None,
    }
}

fn with_raw(fate: Fate, raw: &str) -> Fate {
    let own = |claim: Box<Claim>| Box::new(Claim { raw: cut(raw, RAW_BYTES_MAX).to_owned(), ..*claim });
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(own(claim)),
        Fate::Ignored(claim) => Fate::Ignored(own(claim)),
        rejected @ Fate::Rejected(_) => rejected,
    }
}

/// What stands in brackets before the message.
struct Head<'a> {
    at: Timestamp,
    /// The process that wrote the line.
    pid: u32,
    level: &'a str,
}

/// `[2026-11-22 12:04:32 +0000] [8899] [CRITICAL] message`.
fn split_head(text: &str) -> Option<(Head<'_>, &str)> {
    let (at, rest) = text.strip_prefix('[')?.split_once("] [")?;
    let (pid, rest) = rest.split_once("] [")?;
    let (level, message) = rest.split_once("] ")?;
    let known_level = matches!(level, "DEBUG" | "INFO" | "WARNING" | "ERROR" | "CRITICAL" | "EXCEPTION");
    let head = Head { at: times::rfc3339(at)?, pid: pid.parse().ok()?, level };
    known_level.then_some((head, message))
}

fn read(head: &Head<'_>, message: &str, raw: &str) -> Fate {
    let claim = |kind, pid| Claim {
        platform: Some(Product::GUNICORN),
        observed_at: Some(head.at),
        pid: Some(pid),
        ..Claim::new(kind, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX))
    };
    let first = message.lines().next().unwrap_or_default();
    let read = lifecycle(&claim, head, first).or_else(|| worker(&claim, head, first)).or_else(|| request_error(&claim, head, message));
    match read {
        Some(claim) => Fate::Evidence(Box::new(claim)),
        None => Fate::Ignored(Box::new(claim(Kind::AppLog, head.pid).with("level", head.level).with("message", first))),
    }
}

/// Lines about the server as a whole, written by the arbiter.
fn lifecycle(claim: &impl Fn(Kind, u32) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
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
fn worker(claim: &impl Fn(Kind, u32) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
    let arbiter = |kind, pid| claim(kind, pid).with("arbiter_pid", head.pid);
    if let Some(pid) = message.strip_prefix("Booting worker with pid: ").and_then(number) {
        return Some(claim(Kind::WorkerBoot, pid));
    }
    if let Some(pid) = message.strip_prefix("WORKER TIMEOUT (pid:").and_then(number) {
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
    if let Some(pid) = message.strip_prefix("Worker exiting (pid: ").and_then(number) {
        return Some(claim(Kind::WorkerExit, pid));
    }
    // uvicorn's worker says it in its own words.
    if let Some(pid) = message.strip_prefix("Finished server process [").and_then(number) {
        return Some(claim(Kind::WorkerExit, pid));
    }
    if let Some(rest) = message.strip_prefix("Worker (pid:") {
        let pid = number(rest)?;
        if let Some((_, signal)) = rest.split_once(") was sent ") {
            let (signal, guess) = signal.split_once('!')?;
            let killed = arbiter(Kind::WorkerKilled, pid).with("signal", signal);
            return Some(if guess.contains("out of memory") { killed.with("guess", "out_of_memory") } else { killed });
        }
        let (_, code) = rest.split_once(") exited with code ")?;
        return Some(arbiter(Kind::ProcessExit, pid).with("exit_status", number(code)?));
    }
    // Up to 20.1.0.
    let rest = message.strip_prefix("Worker with pid ")?;
    let (_, signal) = rest.split_once(" was terminated due to signal ")?;
    Some(arbiter(Kind::WorkerKilled, number(rest)?).with("signal", signal_name(number(signal)?)))
}

/// `Error handling request [METHOD ]/path` with its traceback, which from 22.0.0 on shows where the aborted request stood.
fn request_error(claim: &impl Fn(Kind, u32) -> Claim, head: &Head<'_>, message: &str) -> Option<Claim> {
    let mut lines = message.lines();
    let target = lines.next()?.strip_prefix("Error handling request ")?;
    let mut claim = claim(Kind::RequestError, head.pid);
    match target.split_once(' ') {
        Some((method, path)) => {
            claim.attributes.insert("method".to_owned(), method.into());
            claim.attributes.insert("path".to_owned(), path.into());
        }
        None => {
            claim.attributes.insert("path".to_owned(), target.into());
        }
    }
    let mut frames = python_frames(message);
    // The abort's own frame stands on top of where the request was.
    if frames.last().is_some_and(|frame| frame.function == "handle_abort") {
        frames.pop();
        claim.attributes.insert("aborted".to_owned(), Value::Flag(true));
    }
    if !frames.is_empty() {
        claim.stacks.push(ThreadStack { name: Some("MainThread".to_owned()), serving: true, blocked: None, frames });
    }
    Some(claim)
}

/// The frames of a Python traceback, innermost last.
fn python_frames(text: &str) -> Vec<Frame> {
    text.lines()
        .filter_map(|line| {
            let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
            let (line, function) = rest.split_once(", in ")?;
            Some(Frame { function: function.to_owned(), file: Some(file.to_owned()), line: line.parse().ok() })
        })
        .collect()
}

/// The number at the beginning of a text.
fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
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
