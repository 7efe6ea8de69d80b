//! Sections that a function prints to its own log: one line when a section is entered, one when it is left.
//!
//! ```text
//! topen import pandas
//! tclose import pandas
//! 2026-11-27T10:00:00.412Z stdout: tclose connect db {"took_ms": 212.5, "request_id": "0b6a…"}
//! ```
//!
//! A form of our own, plain enough for any language (docs/wire/tracepoints.md). The time is that of the line's prefix or of its
//! transport, unless the JSON says better.

use domain::{Claim, FunctionName, Instance, Kind, RequestId};
use serde_json::Value;

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "tracepoints";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["topen ", "tclose "]];

pub(super) const LINES: Lines = Lines { begins, read };

/// How much of a section's name is kept.
const NAME_BYTES_MAX: usize = 512;

fn begins(line: &str) -> Option<usize> {
    ["topen ", "tclose "].iter().filter_map(|word| line.find(word)).min().filter(|at| is_boundary(&line[..*at]))
}

/// What stands before is a prefix (times, then a level or something that ends like one), and not a sentence that goes on.
fn is_boundary(before: &str) -> bool {
    const LEVEL_CHARS_MIN: usize = 4;
    let words: Vec<&str> = before.split_whitespace().skip_while(|word| times::rfc3339(word).is_some()).collect();
    let is_level = |word: &str| word.len() >= LEVEL_CHARS_MIN && word.bytes().all(|b| b.is_ascii_uppercase());
    words.last().is_none_or(|last| last.ends_with([':', ']', '|', '>']) || words.len() == 1 && is_level(last))
}

fn read(text: &str) -> Option<Fate> {
    let line = text.lines().next()?.trim_end();
    let line = &line[begins(line)?..];
    let claim = marked(Claim::new(Kind::Other, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX)), line)?;
    Some(Fate::Evidence(Box::new(claim)))
}

/// The same claim as a tracepoint, if a message is one: `topen NAME [JSON]`, `tclose NAME [JSON]`.
pub(super) fn marked(claim: Claim, message: &str) -> Option<Claim> {
    let (word, rest) = message.trim().split_once(' ')?;
    let phase = match word {
        "topen" => "opened",
        "tclose" => "closed",
        _ => return None,
    };
    let (name, json) = match rest.find(" {").and_then(|at| Some((at, serde_json::from_str::<Value>(&rest[at..]).ok()?))) {
        Some((at, json)) => (&rest[..at], json),
        None => (rest, Value::Null),
    };
    let name = cut(name.trim(), NAME_BYTES_MAX);
    if name.is_empty() {
        return None;
    }
    let text = |key: &str| json.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut claim = Claim { kind: Kind::WatchdogTracepoint, ..claim }.with("section", name).with("phase", phase);
    claim.request_id = text("request_id").map(RequestId::from).or(claim.request_id);
    claim.function = text("function").map(FunctionName::from).or(claim.function);
    claim.instance = text("instance").map(Instance::from).or(claim.instance);
    claim.pid = json.get("pid").and_then(Value::as_u64).and_then(|pid| pid.try_into().ok()).or(claim.pid);
    claim.observed_at = text("at").and_then(times::rfc3339).or(claim.observed_at);
    for key in ["version", "release"] {
        if let Some(value) = text(key) {
            claim = claim.with(key, cut(value, NAME_BYTES_MAX));
        }
    }
    if let Some(took) = json.get("took_ms").and_then(Value::as_f64).filter(|took| *took >= 0.0) {
        claim = claim.with("took_ms", took);
    }
    Some(claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Option<Claim> {
        match read(text)? {
            Fate::Evidence(claim) => Some(*claim),
            other => panic!("expected evidence, found {other:?}"),
        }
    }

    #[test]
    fn a_section_is_entered_and_left() {
        let opened = claim("topen import pandas").expect("a tracepoint");
        assert_eq!(
            (opened.kind, opened.text("section"), opened.text("phase")),
            (Kind::WatchdogTracepoint, Some("import pandas"), Some("opened"))
        );
        let closed = claim("2026-11-27T10:00:00.412Z stdout: tclose connect db {\"took_ms\": 212.5, \"request_id\": \"r1\"}").expect("one");
        assert_eq!((closed.text("section"), closed.number("took_ms")), (Some("connect db"), Some(212.5)));
        assert_eq!(closed.request_id, Some(RequestId::from("r1")));
    }

    #[test]
    fn other_words_are_no_tracepoint() {
        for text in [
            "topen",
            "topen ",
            "we call topen here",
            "2026-11-27T10:00:00Z we call topen here",
            "stopen x",
            "tclosed x",
            "tclose {\"took_ms\": 1}x y {",
        ] {
            let found = claim(text);
            assert!(
                found.as_ref().is_none_or(|claim| text.starts_with("tclose {") && claim.number("took_ms").is_none()),
                "{text}: {found:?}"
            );
        }
    }
}
