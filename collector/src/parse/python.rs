//! Python's tracebacks, as servers print them.

use domain::{Claim, Frame, ThreadStack};

/// The frames of a traceback, innermost last.
#[must_use]
pub fn frames(text: &str) -> Vec<Frame> {
    text.lines()
        .filter_map(|line| {
            let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
            let (line, function) = rest.split_once(", in ")?;
            Some(Frame { function: function.to_owned(), file: Some(file.to_owned()), line: line.parse().ok() })
        })
        .collect()
}

/// The claim with the stack of the thread that served.
#[must_use]
pub fn with_stack(mut claim: Claim, frames: Vec<Frame>) -> Claim {
    if !frames.is_empty() {
        claim.stacks.push(ThreadStack { name: Some("MainThread".to_owned()), serving: true, blocked: None, frames });
    }
    claim
}
