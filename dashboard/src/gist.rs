//! What a log line says, without what stands before it: for places with room for a few words. The whole line is always one
//! click away.
//!
//! ```text
//! 2023-12-28T11:04:25.070 app[xyz] cdg [info] [2023-12-28 11:04:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)
//!                                                                                          └──── the gist ────────┘
//! ```

/// The gist of `line`; the line itself where nothing else is left.
#[must_use]
pub fn gist(line: &str) -> String {
    let line = line.trim();
    let mut rest = line;
    while let Some(after) = without_stamp(rest) {
        rest = after.trim_start();
    }
    let words = if rest.is_empty() { line } else { rest };
    words.split([' ', '\t']).filter(|word| !word.is_empty()).map(shortened).collect::<Vec<_>>().join(" ")
}

/// Whether a line is JSON, of which no part says what it means.
#[must_use]
pub fn is_json(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("{\"") || line.starts_with("[{")
}

/// The rest of a line behind a time, an ID, something in brackets, or a name in front of brackets.
fn without_stamp(line: &str) -> Option<&str> {
    if let Some(inner) = line.strip_prefix('[') {
        return inner.split_once(']').map(|(_, rest)| rest);
    }
    let (word, rest) = line.split_once([' ', '\t'])?;
    let names_a_process = word.ends_with(']') && word.contains('[') || rest.trim_start().starts_with('[') && is_short_name(word);
    (is_time(word) || is_id(word) || names_a_process).then_some(rest)
}

fn is_time(word: &str) -> bool {
    word.len() >= 8 && word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || "-:.,TZ+/".contains(c))
}

fn is_short_name(word: &str) -> bool {
    const NAME_BYTES_MAX: usize = 8;
    word.len() <= NAME_BYTES_MAX && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// A UUID, a trace ID or the like.
fn is_id(word: &str) -> bool {
    const ID_BYTES_MIN: usize = 20;
    word.len() >= ID_BYTES_MIN && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-') && word.chars().any(|c| c.is_ascii_digit())
}

/// The same word; an ID only by its beginning.
fn shortened(word: &str) -> String {
    if is_id(word) { format!("{}…", &word[..4]) } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_message_is_dropped() {
        for (line, expected) in [
            (
                "2023-12-28T11:04:25.070 app[xyz] cdg [info] [2023-12-28 11:04:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)",
                "WORKER TIMEOUT (pid:322)",
            ),
            (
                "2017-11-20T22:23:32.998Z 6f747a63-ce41-11e7-8cfe-3d61dad3d219 Task timed out after 3.00 seconds",
                "Task timed out after 3.00 seconds",
            ),
            ("REPORT RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219\tDuration: 3 ms", "REPORT RequestId: 6f74… Duration: 3 ms"),
            ("stack: payments.py:88", "stack: payments.py:88"),
            ("[only] [brackets]", "[only] [brackets]"),
            ("", ""),
        ] {
            assert_eq!(gist(line), expected);
        }
    }

    #[test]
    fn json_is_recognised() {
        assert!(is_json(" {\"kind\":\"fired\"}") && !is_json("[2026-11-22] x") && !is_json("{x"));
    }
}
