//! `option httplog clf`: a common log line, and behind it, as bare words and quoted texts, what HAProxy's own order has.
//!
//! ```text
//! 10.0.0.9 - - [22/Nov/2026:12:19:05 +0000] "GET /r HTTP/1.1" 504 198 "" "" 45708 062 "web" "app" "s1" 0 0 1 -1 1002 sH-- 1 1 0 0 0 0 0 "" "" "1a2e…" ""
//! ```
//!
//! The exact string is in the configuration manual, chapter 8.2.3, read in November 2026: behind the two empty texts the
//! client's port, milliseconds, frontend, backend, server, five timers, the state, five counts of load with the retries last, two of queues,
//! two cookies, captured headers. The milliseconds are those of the moment when the connection began to wait for the request and
//! the stamp is that of the request, so that the two make no time together: what is known is the second.

use super::{Session, Timers, timer};
use crate::parse::{access_line, access_log, times};

/// Where in a line the client's address begins.
pub fn find(line: &str) -> Option<usize> {
    let at = access_log::find_head(line)?;
    split(&line[at..]).map(|_| at)
}

/// Cuts a line; `None` when it is not in this format.
pub fn split(text: &str) -> Option<Session<'_>> {
    let (before, rest) = text.split_once(" [")?;
    let host = before.strip_suffix(" - -").filter(|host| !host.contains(' '))?;
    let (stamp, rest) = rest.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let (result, rest) = rest.split_once(" \"\" \"\" ")?;
    let (status, bytes) = result.split_once(' ')?;
    let words: Vec<&str> = access_line::words(rest).take(FIELDS).collect();
    let [port, millis, frontend, backend, server, spent @ .., state, _, _, _, _, retries, _, _] = &words[..] else { return None };
    let [request_time, queue, connect, _, total] = spent.iter().map(|word| timer(word)).collect::<Result<Vec<_>, _>>().ok()?[..] else {
        return None;
    };
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    if !is_number(port) || millis.len() != 3 || !is_number(millis) || state.len() != 4 || !state.is_ascii() {
        return None;
    }
    let name = |word: &'_ str| Some(word.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    Some(Session {
        client: format!("{host}:{port}"),
        started_at: times::common_log(stamp)?,
        frontend: frontend.trim_matches('"'),
        server: format!("{}/{}", name(backend)?, name(server)?),
        timers: Timers { request: request_time, queue, connect, total, is_http: true },
        status: Some(status),
        bytes,
        state,
        retries,
        request,
        captured: rest,
        behind: rest,
    })
}

/// How many words there are up to the queues.
const FIELDS: usize = 18;
