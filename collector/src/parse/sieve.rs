//! Lines for what they say: those that are nobody's are passed over as fast as they can be counted.
//!
//! [`super::marks`] tells where the next line is that may be somebody's. The lines before it are only counted: nothing is kept
//! of them and nothing is allocated. The lines that may be somebody's, those that may go on from one, and those that one may go
//! on from, are handed to [`super::events`], which finds the same in them as if it had read every line.

use std::borrow::Cow;

use domain::Claim;
use memchr::{memchr, memchr_iter, memrchr};

use super::documents;
use super::envelope::Envelope;
use super::events::{Detail, Marked, Reader};
use super::lambda_report::{self, Report};
use super::marks::{PASSED_BYTES_MAX, Search};
use super::{Context, Fate, Format, Item, Visitor};

/// Reads lines of any of the line formats. Returns how many there are.
pub fn visit(format: Format, input: &[u8], context: &Context, visitor: &mut dyn Visitor) -> u64 {
    // Valid text is told many times faster than what is wrong with another.
    let text = str::from_utf8(input).map_or_else(|_| String::from_utf8_lossy(input), Cow::Borrowed);
    if let Some(parsed) = documents::read(format, &text, (context, Detail::Count)) {
        parsed.items.into_iter().for_each(|item| visitor.item(item));
        return parsed.lines;
    }
    let format = format.inside();
    let mut sieve = Sieve {
        text: &text,
        at: 0,
        number: 0,
        passed: Passed::default(),
        marks: Format::marks().search(text.as_bytes()),
        passes: format.line_readers().next().is_some(),
        reads_reports: matches!(format, Format::Auto | Format::LambdaText),
        reader: Reader::new(format, context, Detail::Count),
        context,
        visitor,
    };
    sieve.run();
    sieve.number
}

/// A report of an invocation that no claim was made of yet.
pub struct Unclaimed<'a> {
    /// The number of its line, from 1.
    pub line: u64,
    /// What it says.
    pub report: Report<'a>,
    context: &'a Context,
}

impl Unclaimed<'_> {
    /// The claim, with what is known about the input as a whole.
    #[must_use]
    pub fn claim(&self) -> Box<Claim> {
        Envelope::default().complete(Box::new(self.report.claim()), self.context)
    }
}

/// Lines that were passed over since the last one that was read.
#[derive(Default)]
struct Passed {
    /// Where the first begins, and how many lines there were before it.
    begin: usize,
    before: u64,
    /// How many are not blank.
    count: u64,
}

struct Sieve<'t, 'c, 'v> {
    text: &'t str,
    /// Where the next line begins, and how many there were before it.
    at: usize,
    number: u64,
    passed: Passed,
    marks: Search<'static, 't>,
    /// Whether any line may be passed over: among JSON objects alone, one that has lost its end is rejected.
    passes: bool,
    /// Whether Lambda's reports are of its format.
    reads_reports: bool,
    /// Reads what is not passed over.
    reader: Reader<'t, 'c>,
    context: &'c Context,
    visitor: &'v mut dyn Visitor,
}

impl Sieve<'_, '_, '_> {
    fn run(&mut self) {
        while self.at < self.text.len() {
            if !self.report() && !self.pass() {
                self.read();
            }
        }
        self.reader.finish().for_each(|item| self.visitor.item(item));
        self.tell_passed();
    }

    /// Passes over the lines before the next one that has to be looked at. False when that is the next.
    fn pass(&mut self) -> bool {
        if !self.passes || !self.reader.is_settled() {
            return false;
        }
        let (begin, bytes) = (self.at, self.text.as_bytes());
        let end = self.marks.next(begin).map_or(bytes.len(), |mark| line_begin(bytes, begin, mark));
        while let Some(lines_end) = self.short_lines_end(end) {
            let (lines, with_words) = counted(&self.text[self.at..lines_end]);
            self.number += lines;
            self.passed.count += with_words;
            self.at = lines_end;
        }
        self.at > begin
    }

    /// How far short lines reach, of those before `end`. `None` when the next is none.
    fn short_lines_end(&self, end: usize) -> Option<usize> {
        let lines = &self.text.as_bytes()[self.at..end.min(self.at + PASSED_BYTES_MAX + 1)];
        // The last line of all may have no end.
        let is_rest = || self.at + lines.len() == self.text.len() && (1..=PASSED_BYTES_MAX).contains(&lines.len());
        memrchr(b'\n', lines).map(|last| self.at + last + 1).or_else(|| is_rest().then_some(end))
    }

    /// Reads the next line.
    fn read(&mut self) {
        let (line, bytes) = (self.at, self.text.as_bytes());
        let end = line_end(bytes, line);
        let has_mark = self.marks.next(line).is_some_and(|mark| mark < end);
        let marked = if has_mark || !self.passes || end - line > PASSED_BYTES_MAX { Marked::Yes } else { Marked::No };
        self.go_back(marked);
        self.tell_passed();
        while self.at < line {
            self.take(Marked::No);
        }
        self.take(marked);
    }

    /// Hands the next line to the reader.
    fn take(&mut self, marked: Marked) {
        let end = line_end(self.text.as_bytes(), self.at);
        self.reader.line(self.number + 1, without_end(self.text, self.at, end), marked);
        self.reader.ready().for_each(|item| self.visitor.item(item));
        self.step(end);
        self.passed = Passed { begin: self.at, before: self.number, count: 0 };
    }

    /// Goes back over lines that were passed, to where the event begins that the next line may go on with.
    fn go_back(&mut self, marked: Marked) {
        let (text, bytes) = (self.text, self.text.as_bytes());
        let line = |begin: usize| &text[begin..line_end(bytes, begin)];
        let (mut from, mut at) = (self.at, self.at);
        while at > self.passed.begin {
            at = line_begin(bytes, self.passed.begin, at - 1);
            if is_blank(line(at)) {
                continue;
            }
            let marked = if from == self.at { marked } else { Marked::No };
            if self.reader.stands_alone(line(at), line(from), marked) {
                self.reader.flush();
                break;
            }
            from = at;
        }
        let again = text[from..self.at].split_terminator('\n');
        self.number -= again.clone().count() as u64;
        self.passed.count -= again.filter(|line| !is_blank(line)).count() as u64;
        self.at = from;
    }

    /// Reads a report of AWS's own layout. False when the next line is none, or may be more than that.
    fn report(&mut self) -> bool {
        let rest = &self.text[self.at..];
        if !self.reads_reports || !rest.starts_with(lambda_report::BEGIN) || !self.reader.is_whole() {
            return false;
        }
        let Some(report) = Report::read(rest).filter(|report| ends_there(&rest[report.text.len()..])) else { return false };
        self.reader.end();
        self.reader.ready().for_each(|item| self.visitor.item(item));
        self.tell_passed();
        self.visitor.report(&Unclaimed { line: self.number + 1, report, context: self.context });
        let end = self.at + report.text.len();
        self.number += report.lines - 1;
        self.step(end);
        self.passed = Passed { begin: self.at, before: self.number, count: 0 };
        true
    }

    /// The line that ends there is done with.
    fn step(&mut self, end: usize) {
        self.number += 1;
        self.at = (end + 1).min(self.text.len());
    }

    /// Hands over the count of what was passed over.
    fn tell_passed(&mut self) {
        if let count @ 1.. = std::mem::take(&mut self.passed.count) {
            self.visitor.item(Item { line: self.passed.before + 1, fate: Fate::Passed(count) });
        }
    }
}

/// Where the line ends that begins at `begin`.
fn line_end(text: &[u8], begin: usize) -> usize {
    memchr(b'\n', &text[begin..]).map_or(text.len(), |length| begin + length)
}

/// Where the line begins in which `at` is, or its end; not before `least`.
fn line_begin(text: &[u8], least: usize, at: usize) -> usize {
    memrchr(b'\n', &text[least..at]).map_or(least, |before| least + before + 1)
}

/// The line that stands there, as [`str::lines`] gives it: a carriage return is part of a line's end, not an end of its own.
fn without_end(text: &str, begin: usize, end: usize) -> &str {
    let line = &text[begin..end];
    if end < text.len() { line.strip_suffix('\r').unwrap_or(line) } else { line }
}

/// How many lines there are, and how many of them are not blank.
fn counted(lines: &str) -> (u64, u64) {
    let bytes = lines.as_bytes();
    let has_open_end = !bytes.ends_with(b"\n");
    let all = memchr_iter(b'\n', bytes).count() + usize::from(has_open_end);
    // A line that ends in a letter or the like is not blank. This is a loop without branches, many bytes at once.
    let ends = bytes.iter().zip(&bytes[1..]);
    let may_be_blank =
        ends.fold(has_open_end || bytes.starts_with(b"\n"), |any, (last, end)| any | (*end == b'\n') & !last.is_ascii_graphic());
    let with_words = if may_be_blank { lines.split_terminator('\n').filter(|line| !is_blank(line)).count() } else { all };
    (all as u64, with_words as u64)
}

fn is_blank(line: &str) -> bool {
    !line.bytes().next().is_some_and(|byte| byte.is_ascii_graphic()) && line.trim().is_empty()
}

/// Whether an event of Lambda's ends before `rest`: at the end of all, or before one of the platform's lines that go on from
/// nothing.
fn ends_there(rest: &str) -> bool {
    let begins = ["START RequestId: ", "END RequestId: ", lambda_report::BEGIN, "INIT_START "];
    rest.strip_prefix('\n').is_none_or(|next| next.is_empty() || begins.iter().any(|begin| next.starts_with(begin)))
}
