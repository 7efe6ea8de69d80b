//! How fast the parsers are on one core: lines that are nobody's, and Lambda's reports with and without detection, beside how
//! fast the same bytes are searched for line ends, so that ratios hold where machines differ. `cargo bench -p collector --bench parse`
//!
//! A report is *read* when all its fields are found and checked, in place; it is *claimed* when a claim was made of it as well,
//! which is what is stored.

#[path = "ordinary/bodies.rs"]
mod bodies;
mod ordinary;

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::LazyLock;

use bodies::Body;
use collector::parse::{self, Context, Fate, Format, Item, Unclaimed, Visitor};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};

fn main() {
    no_evidence_in_a_million_lines();
    // Each reads for a few milliseconds; the fastest of many is the one that nothing else disturbed.
    Divan::default().sample_count(100).config_with_args().main();
}

/// As much as a push brings at most, and more than the nearer caches hold.
const BYTES: usize = 4 << 20;

/// Lines that are nobody's, and how many.
static NOBODYS: LazyLock<(String, u64)> = LazyLock::new(|| filled(|text, number| text.push_str(&ordinary::line(number))));

/// Reports of invocations that went well.
static REPORTS: LazyLock<(String, u64)> = LazyLock::new(|| {
    filled(|text, number| {
        let (duration, used) = (20 + number % 900, 60 + number % 100);
        let id = format!("{number:08x}-ce41-11e7-8cfe-3d61dad3d219");
        let billed = format!("Duration: {duration}.41 ms\tBilled Duration: {} ms", duration + 1);
        write!(text, "REPORT RequestId: {id}\t{billed}\tMemory Size: 256 MB\tMax Memory Used: {used} MB\t").expect("memory");
    })
});

fn filled(line: impl Fn(&mut String, u64)) -> (String, u64) {
    let (mut text, mut lines) = (String::with_capacity(BYTES + 512), 0);
    while text.len() < BYTES {
        line(&mut text, lines);
        text.push('\n');
        lines += 1;
    }
    (text, lines)
}

fn measure<T>(bencher: Bencher<'_, '_>, (text, lines): &(String, u64), work: impl Fn(&str) -> T + Sync) {
    bencher.counter(BytesCount::new(text.len())).counter(ItemsCount::new(*lines)).bench(|| work(text));
}

/// How many lines were passed over, how many reports read, how many claims made.
#[derive(Default)]
struct Seen {
    passed: u64,
    read: u64,
    claimed: u64,
    /// Whether reports are made claims of.
    claims: bool,
}

impl Visitor for Seen {
    fn item(&mut self, item: Item) {
        match black_box(item).fate {
            Fate::Passed(lines) => self.passed += lines,
            Fate::Ignored(_) => self.passed += 1,
            Fate::Evidence(_) => self.claimed += 1,
            Fate::Rejected(reject) => panic!("{reject:?}"),
        }
    }

    fn report(&mut self, report: &Unclaimed<'_>) {
        self.read += 1;
        if self.claims {
            black_box(report.claim());
            self.claimed += 1;
        } else {
            black_box(report.report);
        }
    }
}

fn seen(format: Format, text: &str, claims: bool) -> Seen {
    let mut seen = Seen { claims, ..Seen::default() };
    format.visit(text.as_bytes(), &Context::default(), &mut seen);
    seen
}

fn no_evidence_in_a_million_lines() {
    for first in (0..1_000_000).step_by(50_000) {
        let text: String = (first..first + 50_000).map(|number| ordinary::line(number) + "\n").collect();
        let seen = seen(Format::Auto, &text, true);
        assert_eq!((seen.passed, seen.read, seen.claimed), (50_000, 0, 0));
    }
}

fn line_ends(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

/// The baseline.
#[divan::bench]
fn nobodys_lines_counted(bencher: Bencher<'_, '_>) {
    measure(bencher, &NOBODYS, line_ends);
}

#[divan::bench]
fn nobodys_lines_detected(bencher: Bencher<'_, '_>) {
    measure(bencher, &NOBODYS, |text| seen(Format::Auto, text, true).passed);
}

/// As a push of them is read, piece by piece.
#[divan::bench]
fn nobodys_lines_pushed(bencher: Bencher<'_, '_>) {
    measure(bencher, &NOBODYS, |text| {
        let mut seen = Seen::default();
        parse::items(Format::Auto, text.as_bytes().to_vec(), Context::default()).for_each(|item| seen.item(item));
        seen.passed
    });
}

/// The same lines, and what transports put around them.
static BODIES: LazyLock<Vec<Body>> = LazyLock::new(|| {
    let lines: Vec<String> = NOBODYS.0.lines().take(10_000).map(str::to_owned).collect();
    bodies::bodies(&lines)
});

/// As transports bring them. The bytes are those of the body, which some have compressed.
#[divan::bench(args = BODIES.iter().map(|body| body.name), sample_count = 30)]
fn nobodys_lines_brought_by(bencher: Bencher<'_, '_>, name: &str) {
    let body = BODIES.iter().find(|body| body.name == name).expect("one of them");
    bencher.counter(BytesCount::new(body.bytes.len())).counter(ItemsCount::new(10_000_u32)).bench(|| {
        let mut seen = Seen::default();
        parse::items(body.format, body.bytes.clone(), Context::default()).for_each(|item| seen.item(item));
        seen.passed
    });
}

/// As `overrun parse` shows them, each with what could be read in it.
#[divan::bench(sample_count = 10)]
fn nobodys_lines_shown(bencher: Bencher<'_, '_>) {
    measure(bencher, &NOBODYS, |text| Format::Auto.parse(text.as_bytes(), &Context::default()).items.len());
}

/// The baseline.
#[divan::bench]
fn reports_counted(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, line_ends);
}

#[divan::bench]
fn reports_known_read(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, |text| seen(Format::LambdaText, text, false).read);
}

#[divan::bench]
fn reports_known_claimed(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, |text| seen(Format::LambdaText, text, true).claimed);
}

#[divan::bench]
fn reports_detected_read(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, |text| seen(Format::Auto, text, false).read);
}

#[divan::bench]
fn reports_detected_claimed(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, |text| seen(Format::Auto, text, true).claimed);
}
