//! What stands before gunicorn's words: its own head in brackets, or whatever a log configuration puts there.
//!
//! ```text
//! [2026-11-22 12:04:32 +0000] [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)          gunicorn's own
//! 2026-11-22 12:04:32,120 [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)              `--log-config`, as in gunicorn's examples
//! 2026-11-22 12:04:32,120 CRITICAL gunicorn.error: WORKER TIMEOUT (pid:8901)
//! ```

use jiff::Timestamp;

use crate::parse::times;

/// What a line says about itself.
pub struct Head<'a> {
    pub at: Option<Timestamp>,
    /// The process that wrote the line.
    pub pid: Option<u32>,
    pub level: &'a str,
}

const LEVELS: [&str; 6] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "EXCEPTION"];

/// gunicorn's own head, and the message after it.
pub fn split(text: &str) -> Option<(Head<'_>, &str)> {
    let (at, rest) = text.strip_prefix('[')?.split_once("] [")?;
    let (pid, rest) = rest.split_once("] [")?;
    let (level, message) = rest.split_once("] ")?;
    let head = Head { at: Some(times::rfc3339(at)?), pid: Some(pid.parse().ok()?), level };
    LEVELS.contains(&level).then_some((head, message))
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
    // A whole head is short; more than that is somebody's sentence.
    if before.len() > HEAD_BYTES_MAX || !before.ends_with([' ', '\t', ':', ']', '|']) {
        return None;
    }
    let words = || {
        before.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | ':' | '|' | ',')).filter(|word| !word.is_empty())
    };
    let level = words().find(|word| is_level(word)).unwrap_or("");
    let logger = words().any(|word| matches!(word, "gunicorn" | "gunicorn.error"));
    let at = before.char_indices().filter(|(_, c)| c.is_ascii_digit()).find_map(|(index, _)| moment(&before[index..]));
    let pid = before.split(['[', '(']).skip(1).find_map(|part| part.split([']', ')']).next()?.parse().ok());
    (logger && level.is_empty() || level_fits(level, message)).then_some((Head { at, pid, level }, message))
}

const HEAD_BYTES_MAX: usize = 120;

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// A time at the beginning of a text, as Python's logging writes it, with or without a zone.
fn moment(text: &str) -> Option<Timestamp> {
    const SHORTEST: usize = "2026-11-22 12:04:32".len();
    let ends = text.char_indices().filter(|(at, c)| *at >= SHORTEST && matches!(c, ' ' | ']' | '\t' | '|')).map(|(at, _)| at);
    ends.chain([text.len()]).take(2).filter_map(|end| times::rfc3339(&text[..end])).last()
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
