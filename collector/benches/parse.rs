//! How fast the parsers are on one core: lines that are nobody's, and Lambda's reports with and without detection, beside how
//! fast the same bytes are searched for line ends, so that ratios hold where machines differ. `cargo bench -p collector --bench parse`

mod ordinary;

use std::fmt::Write as _;
use std::sync::LazyLock;

use collector::parse::{Context, Format};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};

fn main() {
    // Each reads for tenths of a second; ten differ by little.
    Divan::default().sample_count(10).config_with_args().main();
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

/// The whole way to claims.
fn read(format: Format, text: &str) -> usize {
    format.parse(text.as_bytes(), &Context::default()).items.len()
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
    measure(bencher, &NOBODYS, |text| read(Format::Auto, text));
}

/// The baseline.
#[divan::bench]
fn reports_counted(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, line_ends);
}

#[divan::bench]
fn reports_known(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, |text| read(Format::LambdaText, text));
}

#[divan::bench]
fn reports_detected(bencher: Bencher<'_, '_>) {
    measure(bencher, &REPORTS, |text| read(Format::Auto, text));
}
