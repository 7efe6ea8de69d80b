//! Every parser on arbitrary bytes: no panic, every item has its place, and a claim that was stored and loaded is the same.
#![no_main]

use collector::parse::{Context, Fate, Format, facts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let format = Format::ALL[usize::from(*choice) % Format::ALL.len()];
    let parsed = format.parse(input, &Context::default());
    let places = parsed.lines.max(parsed.items.len() as u64);
    for item in &parsed.items {
        assert!((1..=places).contains(&item.line), "line {} of {places}", item.line);
        assert!(facts::of(item).is_object());
        if let Fate::Evidence(claim) | Fate::Ignored(claim) = &item.fate {
            let json = serde_json::to_string(claim).expect("a claim holds only what JSON can say");
            let back: domain::Claim = serde_json::from_str(&json).expect("what was written can be read");
            assert_eq!(&back, &**claim);
        }
    }
});
