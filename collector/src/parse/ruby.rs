//! Ruby's `Logger`: `E, [2026-11-22T12:44:41.329958 #19553] ERROR -- : message`. The time is local; it is read as UTC.

use jiff::Timestamp;

use super::times;

/// What stands before the message.
pub struct Head {
    /// When it was written.
    pub at: Timestamp,
    /// By which process.
    pub pid: Option<u32>,
}

/// The head of a line, and its message.
#[must_use]
pub fn split(line: &str) -> Option<(Head, &str)> {
    let mut chars = line.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    let (stamp, rest) = line.get(letter.len_utf8()..)?.strip_prefix(", [")?.split_once(']')?;
    let (at, pid) = stamp.split_once('#')?;
    let (_, message) = rest.split_once("-- : ").or_else(|| rest.split_once(": "))?;
    Some((Head { at: times::rfc3339(at.trim_end())?, pid: pid.parse().ok() }, message))
}

/// Where in a line such a head begins whose message `is_known`: whatever a transport put in front of it ends there.
#[must_use]
pub fn find(line: &str, is_known: impl Fn(&str) -> bool) -> Option<usize> {
    let heads = line.match_indices(", [").filter_map(|(at, _)| at.checked_sub(1)).take(4);
    heads.into_iter().find(|at| {
        let bare = *at == 0 || line.get(..*at).is_some_and(|before| before.ends_with([' ', '\t']));
        bare && line.get(*at..).and_then(split).is_some_and(|(_, message)| is_known(message))
    })
}
