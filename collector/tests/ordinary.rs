//! What applications write all day gives no evidence, whatever words are in it.

#[path = "../benches/ordinary/mod.rs"]
mod ordinary;

use collector::parse::{Context, Fate, Format, Item};

/// Lines that are made and read at once.
const BATCH: u64 = 10_000;

fn batches(lines: u64) -> impl Iterator<Item = String> {
    (0..lines / BATCH).map(|batch| (0..BATCH).map(|number| ordinary::line(batch * BATCH + number) + "\n").collect())
}

fn assert_nothing_is_said(items: &[Item]) {
    let other = items.iter().find(|item| matches!(item.fate, Fate::Evidence(_) | Fate::Rejected(_)));
    assert!(other.is_none(), "{other:#?}");
}

#[test]
fn a_million_lines_of_nobodys_give_no_evidence() {
    for text in batches(1_000_000) {
        let mut items = Vec::new();
        assert_eq!(Format::Auto.visit(text.as_bytes(), &Context::default(), &mut items), BATCH);
        assert_nothing_is_said(&items);
        let passed: u64 = items.iter().map(|item| if let Fate::Passed(lines) = item.fate { lines } else { 0 }).sum();
        assert!(passed > BATCH * 99 / 100, "{passed} passed over");
    }
}

#[test]
fn nor_do_they_when_each_is_looked_at() {
    for text in batches(20_000) {
        let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
        assert_eq!(parsed.lines, BATCH);
        assert_nothing_is_said(&parsed.items);
        // Some go on from the line before, as indented ones do.
        assert!((BATCH / 2..BATCH).contains(&(parsed.items.len() as u64)), "{} items", parsed.items.len());
    }
}
