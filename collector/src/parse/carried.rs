//! Lines that a transport delivered one by one: what belongs together is put together within one writer, whatever others wrote
//! in between.
//!
//! Nothing is made of a line before it is known that it may be somebody's: neither a text of its own, nor what the transport says
//! around it. Lines without marks are passed over as in [`super::sieve`], but for those that a later one may go on from.

use std::collections::BTreeMap;

use domain::Instance;

use super::continuation::stands_alone;
use super::envelope::Envelope;
use super::events::{Detail, Marked, Reader, unpacked};
use super::{Context, Format, Item, PassedLines};

/// What a transport delivered as one line.
pub struct Carried<'t, H> {
    /// Its number among all of them, from 1.
    pub number: u64,
    /// By what its writer is told from others.
    pub writer: Writer<'t>,
    pub marked: Marked,
    /// The line up to the first byte that stands for another; empty where nothing is known of it.
    pub beginning: &'t str,
    /// Of what it and the things around it are made, if they are.
    pub head: H,
}

/// Names of a place, a program there, and its process.
pub type Writer<'t> = [Option<&'t str>; 3];

/// Writers whose lines are put together at the same time; beyond it what is pending is taken to be whole.
const WRITERS_MAX: usize = 256;

/// Reads lines in their order. `open` makes what stands around a line, and its text.
pub fn read<'t, H>(
    format: Format,
    lines: impl IntoIterator<Item = Carried<'t, H>>,
    mut open: impl FnMut(&Carried<'t, H>) -> (Envelope, String),
    (context, detail): (&Context, Detail),
) -> Vec<Item> {
    let mut writers: BTreeMap<Writer<'t>, Lines<'t, '_, H>> = BTreeMap::new();
    let (mut items, mut passed) = (Vec::new(), PassedLines::default());
    for line in lines {
        if writers.len() == WRITERS_MAX && !writers.contains_key(&line.writer) {
            for lines in std::mem::take(&mut writers).into_values() {
                lines.finish(&mut items, &mut passed);
            }
        }
        let reader = || Lines { reader: Reader::new(format, context, detail), held: Vec::new(), may_be_indented: false };
        writers.entry(line.writer).or_insert_with(reader).take(line, &mut open, &mut passed);
    }
    for lines in writers.into_values() {
        lines.finish(&mut items, &mut passed);
    }
    items.extend(passed.take());
    items.sort_by_key(|item| item.line);
    items
}

/// Reads lines of which everything is made already, and that shall all be shown.
pub fn read_made(lines: &[(u64, Envelope, String)], context: &Context) -> Vec<Item> {
    let lines = lines.iter().map(|head @ (number, envelope, _)| Carried {
        number: *number,
        writer: [envelope.instance.as_ref().map(Instance::as_str), None, None],
        marked: Marked::Yes,
        beginning: "",
        head,
    });
    read(Format::Auto, lines, |line| (line.head.1.clone(), line.head.2.clone()), (context, Detail::All))
}

/// The lines of one writer.
struct Lines<'t, 'c, H> {
    reader: Reader<'t, 'c>,
    /// Lines without marks, from the last on of which it is sure that it goes on from none.
    held: Vec<Carried<'t, H>>,
    /// Whether the line before may be indented.
    may_be_indented: bool,
}

impl<'t, H> Lines<'t, '_, H> {
    fn take(&mut self, line: Carried<'t, H>, open: &mut impl FnMut(&Carried<'t, H>) -> (Envelope, String), passed: &mut PassedLines) {
        let beginning = line.beginning;
        if line.marked == Marked::No && self.reader.is_settled() {
            if self.is_surely_alone(beginning) {
                self.reader.flush();
                self.pass(self.held.len(), passed);
            }
            self.held.push(line);
        } else {
            self.go_back(&line, open, passed);
            for line in self.held.drain(..).chain([line]) {
                let (envelope, text) = open(&line);
                self.reader.carried(line.number, envelope, text, line.marked);
            }
        }
        self.may_be_indented = beginning.is_empty() || beginning.starts_with(['{', ' ', '\u{a0}']);
    }

    /// Whether a line goes on from none for sure, as far as its beginning tells. What is in a JSON object is not looked at.
    fn is_surely_alone(&self, beginning: &str) -> bool {
        let before = if self.may_be_indented { " " } else { "" };
        !beginning.is_empty() && !beginning.starts_with('{') && stands_alone(before, beginning)
    }

    /// Passes over the held lines, but for those from which `line` may go on.
    fn go_back(&mut self, line: &Carried<'t, H>, open: &mut impl FnMut(&Carried<'t, H>) -> (Envelope, String), passed: &mut PassedLines) {
        if self.held.is_empty() {
            return;
        }
        let mut inside = |line: &Carried<'t, H>| {
            let (_, text) = open(line);
            unpacked(&text).unwrap_or(text)
        };
        let mut text = inside(line);
        for from in (1..=self.held.len()).rev() {
            let before = inside(&self.held[from - 1]);
            if stands_alone(&before, &text) {
                self.reader.flush();
                self.pass(from, passed);
                return;
            }
            text = before;
        }
    }

    /// Passes over the first held lines.
    fn pass(&mut self, count: usize, passed: &mut PassedLines) {
        self.held.drain(..count).for_each(|line| passed.add(line.number, 1));
    }

    fn finish(mut self, items: &mut Vec<Item>, passed: &mut PassedLines) {
        self.pass(self.held.len(), passed);
        items.extend(self.reader.finish());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::parse::Fate;

    /// Lines of a server, what they go on with, and what is nobody's.
    const LINES: [&str; 12] = [
        "[2026-11-02 10:00:00 +0000] [7] [ERROR] Error handling request /slow",
        "[2026-11-02 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)",
        "Traceback (most recent call last):",
        "  File \"/srv/app.py\", line 12, in slow",
        "  [2026-11-02 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)",
        "SystemExit: 1",
        "During handling of the above exception, another exception occurred:",
        "an application's own words",
        "{",
        r#"{"level":"info","msg":"paid"}"#,
        r#"{"message":"  File \"/srv/app.py\", line 12, in slow","timestamp":"2026-11-02T10:00:00Z"}"#,
        r#"{"message":"[2026-11-02 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)","timestamp":"2026-11-02T10:00:00Z"}"#,
    ];

    /// What is told of these lines of two writers, and of how many lines nothing is.
    fn told(lines: &[(&'static str, &'static str)], detail: Detail) -> (Vec<(u64, String)>, u64) {
        let carried = (1..).zip(lines).map(|(number, (writer, text))| Carried {
            number,
            writer: [Some(*writer), None, None],
            marked: detail.marked(text.as_bytes()),
            beginning: text,
            head: (),
        });
        let open = |line: &Carried<'_, ()>| {
            let (writer, text) = lines[usize::try_from(line.number).expect("small") - 1];
            (Envelope { instance: Some(writer.into()), by: Some("syslog"), ..Envelope::default() }, text.to_owned())
        };
        let (mut evidence, mut ignored) = (Vec::new(), 0);
        for item in read(Format::Auto, carried, open, (&Context::default(), detail)) {
            match item.fate {
                Fate::Evidence(claim) => evidence.push((item.line, format!("{claim:?}"))),
                Fate::Ignored(claim) => ignored += claim.raw.lines().count() as u64,
                Fate::Passed(lines) => ignored += lines,
                Fate::Rejected(reject) => panic!("{}", reject.reason),
            }
        }
        (evidence, ignored)
    }

    proptest! {
        #[test]
        fn passing_over_lines_changes_nothing_that_is_told(lines in proptest::collection::vec((select(&["web-1", "web-2"][..]), select(&LINES[..])), 0..40)) {
            prop_assert_eq!(told(&lines, Detail::Count), told(&lines, Detail::All));
        }
    }
}
