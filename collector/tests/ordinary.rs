//! What applications write all day gives no evidence, whatever words are in it.

#[path = "../benches/ordinary/mod.rs"]
mod ordinary;

use collector::parse::{Context, Fate, Format};

const LINES: u64 = 50_000;
/// Lines that are made and read at once.
const BATCH: u64 = 10_000;

#[test]
fn lines_of_nobodys_give_no_evidence() {
    let mut ignored = 0;
    for first in (0..LINES).step_by(usize::try_from(BATCH).expect("small")) {
        let text: String = (first..first + BATCH).map(|number| ordinary::line(number) + "\n").collect();
        let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
        assert_eq!(parsed.lines, BATCH);
        let other = parsed.items.iter().find(|item| !matches!(item.fate, Fate::Ignored(_)));
        assert!(other.is_none(), "{other:#?}");
        ignored += parsed.items.len() as u64;
    }
    // Some go on from the line before, as indented ones do.
    assert!((LINES / 2..LINES).contains(&ignored), "{ignored} items");
}
