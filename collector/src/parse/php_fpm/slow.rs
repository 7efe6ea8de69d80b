//! The slow log: where a script stood at `request_slowlog_timeout`, innermost frame first.
//!
//! ```text
//! [22-Nov-2026 12:42:46]  [pool www] pid 19085
//! script_filename = /srv/app/php/report.php
//! [0x00007ff13c016140] sleep() /srv/app/php/report.php:2
//! [0x00007ff13c0160e0] run_query() /srv/app/php/report.php:3
//! ```

use domain::{Claim, Frame, ThreadStack};

/// Whether `line` belongs to the entry that `event` began.
pub fn continues(event: &str, line: &str) -> bool {
    let begun = event.lines().next().and_then(super::split).is_some_and(|(_, message)| pid(message).is_some());
    begun && (line.starts_with("script_filename = ") || line.starts_with("[0x"))
}

/// ` [pool www] pid 19085`.
fn pid(message: &str) -> Option<u32> {
    let (_, pid) = message.trim_start().strip_prefix("[pool ")?.split_once("] pid ")?;
    pid.trim_end().parse().ok()
}

/// Reads an entry; `None` for other messages.
pub fn read(claim: Claim, message: &str, text: &str) -> Option<Claim> {
    let pid = pid(message)?;
    let mut frames: Vec<Frame> = text.lines().filter_map(frame).collect();
    frames.reverse();
    let stacks = if frames.is_empty() { Vec::new() } else { vec![ThreadStack { name: None, serving: true, blocked: None, frames }] };
    Some(Claim { pid: Some(pid), stacks, ..claim })
}

/// `[0x00007ff13c016140] sleep() /srv/app/php/report.php:2`.
fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = line.strip_prefix("[0x")?.split_once("] ")?;
    let (function, place) = rest.split_once(' ')?;
    let (file, line) = place.rsplit_once(':')?;
    Some(Frame { function: function.trim_end_matches("()").to_owned(), file: Some(file.to_owned()), line: line.trim_end().parse().ok() })
}
