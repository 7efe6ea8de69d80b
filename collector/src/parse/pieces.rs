//! Large inputs of lines in pieces, so that not all their claims are in memory at once: a claim takes twenty times its line.
//!
//! A piece ends where a line begins an event of its own; only what a format says of such lines is asked. So an event with its
//! continuation lines stays in one piece, and an input yields the same items as if it were read as a whole.

use super::{Context, Format, Item, Parsed, aws_logs, journald, otlp};

/// A piece is at least this long: some 2,000 lines of a log, as many as a commit takes.
const PIECE_BYTES: usize = 256 << 10;

/// How far beyond that a line is looked for that begins an event of somebody's: the longest known, stacks of many threads, are
/// shorter.
const SEARCH_BYTES: usize = 64 << 10;

/// The items of an input in their order, read while they are taken.
#[must_use]
pub fn items(format: Format, input: Vec<u8>, context: Context) -> Box<dyn Iterator<Item = Item> + Send> {
    Box::new(pieces(format, input, context).flat_map(|piece| piece.items))
}

/// An input piece by piece, read while they are taken.
#[must_use]
pub fn pieces(format: Format, input: Vec<u8>, context: Context) -> Box<dyn Iterator<Item = Parsed> + Send> {
    if input.len() > PIECE_BYTES && format.inside() != format {
        return pieces(format.inside(), input, context);
    }
    if input.len() <= PIECE_BYTES || !is_one_event_a_line(format, &input) {
        return Box::new(std::iter::once(sifted(format, &input, &context)));
    }
    Box::new(Pieces { format, input, context, at: 0, lines: 0 })
}

/// What is in a piece; of what is nobody's only how much.
fn sifted(format: Format, piece: &[u8], context: &Context) -> Parsed {
    let mut items = Vec::new();
    let lines = format.visit(piece, context, &mut items);
    Parsed { items, lines }
}

/// Whether lines can be read for themselves: the format has lines, and this input is no document that spans them.
fn is_one_event_a_line(format: Format, input: &[u8]) -> bool {
    let is_whole = || otlp::protobuf_signal(input).is_some() || journald::export::begins(input);
    if format.is_of_bodies() || format.line_readers().next().is_none() || is_whole() {
        return false;
    }
    let first = input.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default().trim_ascii();
    match first {
        [b'{', ..] => serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok(),
        [b'['] | [b'[', b'{', ..] => false,
        _ => !str::from_utf8(first).is_ok_and(aws_logs::is_header),
    }
}

struct Pieces {
    format: Format,
    input: Vec<u8>,
    context: Context,
    /// Where the next piece begins, in bytes and in lines.
    at: usize,
    lines: u64,
}

impl Iterator for Pieces {
    type Item = Parsed;

    fn next(&mut self) -> Option<Parsed> {
        let rest = &self.input[self.at..];
        if rest.is_empty() {
            return None;
        }
        let piece = &rest[..self.piece_bytes(rest)];
        let mut parsed = sifted(self.format, piece, &self.context);
        for item in &mut parsed.items {
            item.line += self.lines;
        }
        self.lines += parsed.lines;
        self.at += piece.len();
        Some(parsed)
    }
}

impl Pieces {
    /// How long the piece at the beginning of `rest` is.
    fn piece_bytes(&self, rest: &[u8]) -> usize {
        let Some(beyond) = rest.get(PIECE_BYTES..) else { return rest.len() };
        let starts = || memchr::memchr_iter(b'\n', beyond).map(|newline| newline + 1);
        let line_at = |start: usize| beyond[start..].split(|b| *b == b'\n').next().unwrap_or_default();
        let mut marks = Format::marks().search(&beyond[..beyond.len().min(SEARCH_BYTES)]);
        let begins = |start: &usize| {
            let line = line_at(*start);
            let is_marked = marks.next(*start).is_some_and(|mark| mark < start + line.len());
            line.starts_with(b"{")
                || is_marked && {
                    let line = String::from_utf8_lossy(line);
                    self.format.line_readers().any(|reader| (reader.begins)(&line).is_some())
                }
        };
        let known = starts().take_while(|start| *start < SEARCH_BYTES).find(begins);
        // Where nobody's events begin, nothing is continued but by what is indented, or ends what was.
        let ordinary = || starts().zip(starts().skip(1)).find(|(one, next)| !is_indented(line_at(*one)) && !is_indented(line_at(*next)));
        let end = known.or_else(|| ordinary().map(|(_, next)| next));
        end.map_or(rest.len(), |start| PIECE_BYTES + start)
    }
}

fn is_indented(line: &[u8]) -> bool {
    line.first().is_none_or(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Fate;

    /// What is evidence, and how many lines or items are none.
    fn said(items: impl Iterator<Item = Item>) -> (Vec<(u64, String)>, u64) {
        let (mut evidence, mut ignored) = (Vec::new(), 0);
        for item in items {
            match item.fate {
                Fate::Evidence(claim) => evidence.push((item.line, claim.raw)),
                Fate::Ignored(claim) => ignored += claim.raw.lines().count() as u64,
                Fate::Passed(lines) => ignored += lines,
                Fate::Rejected(reject) => panic!("{}: {}", item.line, reject.reason),
            }
        }
        (evidence, ignored)
    }

    #[test]
    fn pieces_yield_what_the_whole_yields() {
        let event = "[2023-12-28 11:04:25 +0000] [306] [ERROR] Error handling request /x\nTraceback (most recent call last):\n  File \"app.py\", line 3, in handler\n    sleep(9)\nSystemExit: 1\n\nan application's own words\n";
        let input = event.repeat(PIECE_BYTES / event.len() * 3).into_bytes();
        for format in [Format::Auto, Format::Gunicorn, Format::LambdaText] {
            let whole = said(format.parse(&input, &Context::default()).items.into_iter());
            assert_eq!(said(items(format, input.clone(), Context::default())), whole);
        }
        let pieces = Pieces { format: Format::Auto, input, context: Context::default(), at: 0, lines: 0 };
        assert!(pieces.count() > 1);
    }

    #[test]
    fn lines_that_are_nobodys_and_lines_behind_prefixes_are_cut_too() {
        let plain = "an application's own words\nand others\n  with more of them\n\n".repeat(PIECE_BYTES / 40 * 3);
        let prefixed = "web-1  | [2023-12-28 11:04:25 +0000] [306] [INFO] Booting worker with pid: 7\n".repeat(PIECE_BYTES / 70 * 3);
        for input in [plain, prefixed] {
            let whole = said(Format::Auto.parse(input.as_bytes(), &Context::default()).items.into_iter());
            let parts: Vec<Parsed> = pieces(Format::Auto, input.clone().into_bytes(), Context::default()).collect();
            assert!(parts.len() > 2 && parts.iter().map(|part| part.lines).sum::<u64>() == input.lines().count() as u64);
            assert_eq!(said(parts.into_iter().flat_map(|part| part.items)), whole);
        }
    }

    #[test]
    fn a_document_is_not_cut() {
        let event = r#"{"kind":"fired","request_id":"a","left_ms":1,"open_handles":["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]}"#;
        let events = vec![event; PIECE_BYTES / event.len() * 2];
        let array = format!("[{}]", events.join(",\n"));
        let lines = events.join("\n");
        for input in [array, lines] {
            assert_eq!(items(Format::Auto, input.into_bytes(), Context::default()).count(), events.len());
        }
    }
}
