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

pub(super) mod head;
mod message;

use domain::Claim;
use serde_json::{Map, Value};

use super::python_logging::{self, Record};
use super::{Fate, Lines, RAW_BYTES_MAX, access_log, cut, marks};

/// The format's name.
pub const FORMAT: &str = "gunicorn";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[
    &marks::COMMON_LOG,
    &[
        "WORKER TIMEOUT (pid:",
        "Worker (pid:",
        "Worker with pid ",
        "Booting worker with pid: ",
        "Worker exiting (pid: ",
        "Finished server process [",
        "Application startup complete.",
        "Handling signal: ",
        "Starting gunicorn ",
        "Using worker: ",
        "Shutting down: Master",
        "Exception in worker process",
        "Error handling request ",
    ],
];

/// The error log and the access lines beside it.
pub(super) const LINES: Lines = Lines {
    begins: |line| head::find(line).or_else(|| access_log::find_head(line)),
    read: |text| parse_event(text).or_else(|| access_log::parse_event(text)),
};

/// Reads a record of a JSON log configuration.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    Some(vec![parse_json(object, raw).or_else(|| access_log::parse_record(object, raw))?])
}

/// Reads one event; `None` when it is not gunicorn's.
#[must_use]
pub fn parse_event(text: &str) -> Option<Fate> {
    if let Some((head, message)) = head::split(text) {
        return Some(message::read(&head, message, text));
    }
    // Under a log configuration of the user's own only what gunicorn's words make certain is read.
    let claim = match head::configured(text) {
        Some((head, message)) => message::known(&head, message, text),
        None => message::alone(text),
    };
    claim.map(|claim| Fate::Evidence(Box::new(claim)))
}

/// Reads one line of a JSON log configuration; `None` when it is not gunicorn's.
#[must_use]
pub fn parse_json(object: &Map<String, Value>, raw: &str) -> Option<Fate> {
    let Record { head, message, whole } = python_logging::record(object)?;
    match head.logger {
        "gunicorn.error" => Some(message::read(&head, &whole, raw)),
        "gunicorn.access" => access_log::parse_event(message).map(|fate| with_raw(fate, raw)),
        // Without the logger's name the level has to fit the words.
        "" if head::level_fits(head.level, message) => message::known(&head, &whole, raw).map(|claim| Fate::Evidence(Box::new(claim))),
        _ => None,
    }
}

fn with_raw(fate: Fate, raw: &str) -> Fate {
    let own = |claim: Box<Claim>| Box::new(Claim { raw: cut(raw, RAW_BYTES_MAX).to_owned(), ..*claim });
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(own(claim)),
        Fate::Ignored(claim) => Fate::Ignored(own(claim)),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    }
}

#[cfg(test)]
mod tests;
