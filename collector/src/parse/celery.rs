//! Celery's worker log: tasks, their time limits and their ends, versions 5.2.7 to 5.7.0.
//!
//! ```text
//! [2026-11-22 12:44:13,210: WARNING/MainProcess] Soft time limit (2.0s) exceeded for tasks.report[1f32e45a-…]
//! [2026-11-22 12:44:14,417: ERROR/MainProcess] Hard time limit (3s) exceeded for tasks.stubborn[b0bbfef9-…]
//! [2026-11-22 12:44:14,221: INFO/ForkPoolWorker-1] Task tasks.graceful[a8817630-…] succeeded in 1.0022s: 'gave up'
//! [2026-11-27 21:44:21,505: WARNING/MainProcess] Initiating Soft Shutdown, terminating in 2.0 seconds
//! {"timestamp": "2026-11-27T21:43:57", "level": "INFO", "logger": "celery.worker.strategy", "message": "Task tasks.report[7e70…] received"}
//! ```
//!
//! The task's ID is always there. A task may catch the soft limit and go on. Times have no zone unless `timezone` of the
//! worker's machine is UTC; they are read as UTC. `docs/formats/celery.md`.

mod message;

use domain::{Claim, Kind, Product};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::python_logging::{self, Head, Record};
use super::{Fate, Lines, RAW_BYTES_MAX, access_line, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "celery";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&[
    " time limit (",
    "] received",
    "] succeeded in ",
    "] raised ",
    "] retry: ",
    "WorkerLostError(",
    " exited with 'signal ",
    " exited with 'exitcode ",
    "Terminating ",
    "Initiating Soft Shutdown, ",
    "worker: Cold shutdown (",
    "Task accepted: ",
]];

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
    (python_logging::is_level(level) && !process.is_empty()).then_some((times::rfc3339(at)?, message))
}

/// Reads one event; `None` when it is not the worker's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let first = text.lines().next()?;
    // It is printed past the log, and so without a head.
    if first.starts_with("worker: Cold shutdown (") {
        return Some(Fate::Evidence(Box::new(Claim { kind: Kind::ServerStopping, ..claim(None, text) })));
    }
    if let Some((at, words)) = split(first) {
        let found = message::known(&claim(Some(at), text), words, text);
        return Some(found.map_or_else(
            || Fate::Ignored(Box::new(Claim { kind: Kind::AppLog, ..claim(Some(at), text) }.with("message", words))),
            |found| Fate::Evidence(Box::new(found)),
        ));
    }
    // Under a log configuration of the user's own only what the worker's words make certain is read.
    let start = message::begins(first)?;
    let head = if start == 0 { Head::default() } else { python_logging::before(&first[..start], is_logger)? };
    let is_fit = start == 0 || !head.level.is_empty() || !head.logger.is_empty();
    let found = is_fit.then(|| message::known(&claim(head.at, text), &first[start..], text))??;
    // Without a head nothing but the ID tells that it is a worker who says so.
    let is_sure = start > 0 || found.request_id.as_ref().is_none_or(|id| access_line::is_uuid(id.as_str()));
    is_sure.then(|| Fate::Evidence(Box::new(found)))
}

/// Reads a record of a JSON log configuration.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let Record { head, message: words, whole } = python_logging::record(object)?;
    let is_own = is_logger(head.logger) || head.logger.is_empty() && message::begins(words) == Some(0);
    let found = is_own.then(|| message::known(&claim(head.at, raw), words, &whole))??;
    Some(vec![Fate::Evidence(Box::new(found))])
}

fn is_logger(word: &str) -> bool {
    word == "celery" || word.starts_with("celery.") || word == "multiprocessing"
}

fn claim(at: Option<Timestamp>, raw: &str) -> Claim {
    let platform = Some(Product::from(FORMAT));
    Claim { platform, observed_at: at, ..Claim::new(Kind::AppLog, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX)) }
}

#[cfg(test)]
mod tests;
