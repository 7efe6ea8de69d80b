//! What stands before gunicorn's words: its own head in brackets, or whatever a log configuration puts there.
//!
//! ```text
//! [2026-11-22 12:04:32 +0000] [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)          gunicorn's own
//! 2026-11-22 12:04:32,120 [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)              `--log-config`, as in gunicorn's examples
//! 2026-11-22 12:04:32,120 CRITICAL gunicorn.error: WORKER TIMEOUT (pid:8901)
//! ```

use crate::parse::python_logging::{self, Head, is_level};
use crate::parse::times;

/// gunicorn's own head, and the message after it.
pub fn split(text: &str) -> Option<(Head<'_>, &str)> {
    let (at, rest) = text.strip_prefix('[')?.split_once("] [")?;
    let (pid, rest) = rest.split_once("] [")?;
    let (level, message) = rest.split_once("] ")?;
    let head = Head { at: Some(times::rfc3339(at)?), pid: Some(pid.parse().ok()?), level, ..Head::default() };
    is_level(level).then_some((head, message))
}

/// Where in a line gunicorn's own head begins: whatever a transport put in front of it ends there. Only after a blank,
/// so that a line which quotes another is not taken for it.
#[must_use]
pub fn find(line: &str) -> Option<usize> {
    let brackets = line.match_indices('[').map(|(at, _)| at).take(BRACKETS_MAX);
    brackets.into_iter().find(|at| (*at == 0 || line[..*at].ends_with([' ', '\t'])) && split(&line[*at..]).is_some())
}

/// More brackets than any transport's prefix has.
const BRACKETS_MAX: usize = 8;

/// gunicorn's words under another head: gunicorn's level for these words or its logger's name, with or without a time and a
/// process ID.
pub fn configured(text: &str) -> Option<(Head<'_>, &str)> {
    let first = text.lines().next()?;
    let start = WORDS.iter().filter_map(|(words, _)| first.find(words)).min()?;
    let (before, message) = text.split_at(start);
    let head = python_logging::before(before, |word| matches!(word, "gunicorn" | "gunicorn.error"))?;
    let is_named = !head.logger.is_empty() && head.level.is_empty();
    (is_named || level_fits(head.level, message)).then_some((head, message))
}

/// How gunicorn's messages begin, with the level that it gives them; "" where versions differ.
const WORDS: [(&str, &str); 10] = [
    ("WORKER TIMEOUT (pid:", "CRITICAL"),
    ("Worker (pid:", ""),
    ("Worker with pid ", "WARNING"),
    ("Booting worker with pid: ", "INFO"),
    ("Worker exiting (pid: ", "INFO"),
    ("Handling signal: ", "INFO"),
    ("Starting gunicorn ", "INFO"),
    ("Using worker: ", "INFO"),
    ("Exception in worker process", "ERROR"),
    ("Error handling request ", "ERROR"),
];

/// Whether gunicorn writes such a message at that level.
pub fn level_fits(level: &str, message: &str) -> bool {
    let fits =
        |own: &str| if own.is_empty() { is_level(level) && !level.eq_ignore_ascii_case("DEBUG") } else { own.eq_ignore_ascii_case(level) };
    WORDS.iter().any(|(words, own)| message.starts_with(words) && fits(own))
}
