//! Every parser on arbitrary bytes. `OVERRUN_FUZZ_FORMAT` names the one that is asked; without it the first byte chooses.
#![no_main]

#[path = "../harness.rs"]
mod harness;

use std::sync::OnceLock;

use collector::parse::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    static ASKED: OnceLock<Option<Format>> = OnceLock::new();
    let named = || std::env::var("OVERRUN_FUZZ_FORMAT").ok().map(|name| Format::from_name(&name).expect("a format's name"));
    let (format, input) = match (ASKED.get_or_init(named), input.split_first()) {
        (Some(format), _) => (*format, input),
        (None, Some((choice, rest))) => (Format::ALL[usize::from(*choice) % Format::ALL.len()], rest),
        (None, None) => return,
    };
    let _ = harness::check(format, input);
});
