//! Container log files of Kubernetes (CRI), as they lie in `/var/log/pods`.
//!
//! ```text
//! 2026-02-11T10:00:00.123456789Z stdout F a whole line
//! 2026-02-11T10:00:00.123456789Z stderr P the beginning of a long line, which goes on
//! 2026-02-11T10:00:00.123456790Z stderr F in the next line of the same stream
//! ```
//!
//! Kubernetes' "CRI logging" design and containerd's writer, read in November 2026; further tags may follow the first after a
//! colon. Beginnings are put together in `events.rs`. `docs/formats/cri.md`.

use jiff::Timestamp;

use super::envelope::{Envelope, next_word};
use super::marks;

/// The format's name.
pub const FORMAT: &str = "cri";

/// A line in parts may have its marks in any; whole ones have those of whoever wrote them.
pub(super) const MARKS: marks::Declared = &[&[" stdout P", " stderr P"]];

/// Takes off what follows the time: `stderr F `.
pub(super) fn open(at: Timestamp, rest: &str) -> Option<(Envelope, &str)> {
    let (stream, rest) = next_word(rest).filter(|(stream, _)| matches!(*stream, "stdout" | "stderr"))?;
    // An empty line has nothing after its tag, not even a blank, when an editor has cut it.
    let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_partial = match tags.split(':').next() {
        Some("F") => false,
        Some("P") => true,
        _ => return None,
    };
    let facts = vec![("stream", stream.into())];
    Some((Envelope { at: Some(at), facts, by: Some(FORMAT), is_partial, ..Envelope::default() }, text))
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    fn read(text: &str) -> Vec<(u64, String, String)> {
        let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
        assert_eq!(Format::Cri.parse(text.as_bytes(), &Context::default()).items.len(), parsed.items.len());
        let told = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        parsed
            .items
            .iter()
            .map(|item| (item.line, facts::of(item)))
            .map(|(line, item)| (line, told(&item, "format"), told(&item, "message")))
            .collect()
    }

    fn app(line: u64, message: &str) -> (u64, String, String) {
        (line, "cri".to_owned(), message.to_owned())
    }

    #[test]
    fn parts_of_a_line_are_put_together_in_each_stream() {
        let at = "2026-11-02T10:00:00.123456789Z";
        let text = format!(
            "{at} stdout P one \n{at} stderr P three \n{at} stdout F two\n{at} stderr P four \n{at} stderr F five\n{at} stdout F:x six\n"
        );
        assert_eq!(read(&text), [app(1, "one two"), app(2, "three four five"), app(6, "six")]);
    }

    #[test]
    fn a_beginning_without_an_end_is_a_line_all_the_same() {
        assert_eq!(read("2026-11-02T10:00:00Z stdout P first half "), [app(1, "first half ")]);
    }

    #[test]
    fn json_and_platform_lines_in_parts_are_read_when_they_are_whole() {
        let text = r#"2026-11-02T10:00:00Z stdout P {"time":"2026-11-02T10:00:00.000Z","type":"platform.report","record":
2026-11-02T10:00:00Z stdout F {"requestId":"f860aad7-0d69-4b12-92cb-0b8572f99b17","status":"timeout","metrics":{"durationMs":3000.0}}}
"#;
        let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
        let items: Vec<_> = parsed.items.iter().map(facts::of).collect();
        assert_eq!((items.len(), &items[0]["outcome"]), (1, &"timeout".into()), "{items:#?}");
    }

    #[test]
    fn other_words_after_a_time_are_the_lines() {
        assert_eq!(read("2026-11-02T10:00:00Z stdout X hello")[0].1, "auto");
    }
}
