//! What Python's logging puts before or around a message where somebody configured it themselves: a head as text, or JSON.
//!
//! ```text
//! 2026-11-22 12:04:32,120 CRITICAL gunicorn.error: WORKER TIMEOUT (pid:8901)
//! 2026-11-27 21:44:01,749 ERROR [celery.worker.request] Hard time limit (3s) exceeded for tasks.stubborn[0556…]
//! {"asctime": "2026-11-22 12:09:52,003", "levelname": "CRITICAL", "name": "gunicorn.error", "process": 12969, "message": "…"}
//! ```
//!
//! The attributes of a record are in Python's documentation of `logging`; the keys are those of python-json-logger, structlog and
//! Elastic's common schema, which nests them: `{"log.level": "error", "log": {"logger": "gunicorn.error"}, "process": {"pid": 12969}}`.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::times;

/// What a record says about itself; what it does not say is "" or `None`.
#[derive(Clone, Copy, Default)]
pub struct Head<'a> {
    pub at: Option<Timestamp>,
    /// The process that wrote it.
    pub pid: Option<u32>,
    pub level: &'a str,
    pub logger: &'a str,
}

/// A record as JSON.
pub struct Record<'a> {
    pub head: Head<'a>,
    pub message: &'a str,
    /// The message with the traceback behind it, which is a field of its own in most formatters.
    pub whole: String,
}

const LEVELS: [&str; 6] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "EXCEPTION"];

/// Whether a word is one of the levels, as any formatter spells it.
pub fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Reads what stands before a message; `None` where that is no head. `is_logger` knows the logger's name.
pub fn before(before: &str, is_logger: impl Fn(&str) -> bool) -> Option<Head<'_>> {
    // A whole head is short; more than that is somebody's sentence.
    const BYTES_MAX: usize = 120;
    if before.len() > BYTES_MAX || !before.ends_with([' ', '\t', ':', ']', '|']) {
        return None;
    }
    let words = || before.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | ':' | '|' | ','));
    Some(Head {
        at: times::within(before),
        pid: before.split(['[', '(']).skip(1).find_map(|part| part.split([']', ')']).next()?.parse().ok()),
        // Celery puts the process behind it: `INFO/MainProcess`.
        level: words().filter_map(|word| word.split('/').next()).find(|word| is_level(word)).unwrap_or(""),
        logger: words().find(|word| is_logger(word)).unwrap_or(""),
    })
}

/// Reads a record of a JSON formatter; `None` where it has no message.
pub fn record(object: &Map<String, Value>) -> Option<Record<'_>> {
    let value = |name: &&str| object.get(*name).or_else(|| nested(object, name));
    let text = |names: &[&str]| names.iter().find_map(|name| value(name)?.as_str());
    let message = text(&["message", "msg", "event"])?;
    let pid = ["process", "pid", "process_id", "process.pid"].iter().find_map(|name| value(name)?.as_u64());
    let head = Head {
        at: text(&["asctime", "timestamp", "time", "@timestamp"]).and_then(times::rfc3339),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        level: text(&["levelname", "level", "severity", "log_level", "log.level"]).unwrap_or(""),
        logger: text(&["name", "logger", "logger_name", "log.logger"]).unwrap_or(""),
    };
    let traceback = text(&["exc_info", "exc_text", "exception", "stack_trace", "traceback", "error.stack_trace"]);
    let whole = traceback.map_or_else(|| message.to_owned(), |traceback| format!("{message}\n{traceback}"));
    Some(Record { head, message, whole })
}

/// `log.logger` in `{"log": {"logger": …}}`.
fn nested<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    let (outer, inner) = name.split_once('.')?;
    object.get(outer)?.get(inner)
}
