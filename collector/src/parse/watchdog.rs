//! Events of a watchdog inside a function: "I am about to run out of time, and this is what I am doing".
//!
//! ```text
//! {"kind":"fired","request_id":"6f747a63-…","observed_at":"2026-11-22T12:05:05.5Z","deadline_at":"2026-11-22T12:05:06Z","left_ms":498,
//!  "in_flight":[{"operation":"POST","target":"payments.internal","started_at":"2026-11-22T12:05:03.1Z","client_timeout_ms":null}]}
//! {"message":"Function timed out","originalEvent":{…},"originalRequestId":"6f747a63-…"}
//! ```
//!
//! Our own wire format: `docs/wire/watchdog.md`. One event, an array of them, or one a line; native, in the classic
//! wrapper's form, or inside a CloudEvent. An event is a claim: the classic wrapper never clears its timer, so it also fires
//! for requests that have long answered.

mod claim;
mod cloud_event;
mod event;
mod last_words;
mod reader;
mod salvage;

use domain::Claim;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

pub use claim::span_id;
pub use cloud_event::{Attributes, TYPE};
pub use last_words::{Speaker, parse as parse_last_words};

use super::{Fate, Item, Parsed, Reject, marks};

/// The format's name.
pub const FORMAT: &str = "watchdog";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&["\"armed\"", "\"near_miss\"", "\"fired\"", "\"closed\"", "\"tracepoint\"", "originalRequestId", "specversion"]];

/// Reads a body or file of unknown shape: one JSON document, else one event a line.
#[must_use]
pub fn parse(input: &[u8]) -> Parsed {
    parse_document(input).unwrap_or_else(|_| parse_lines(input))
}

/// Reads one JSON document: an event or an array of events.
///
/// # Errors
///
/// When it is not JSON at all. Anything else that is wrong with an event is that event's own [`Fate::Rejected`].
pub fn parse_document(input: &[u8]) -> Result<Parsed, Reject> {
    Ok(match json(&String::from_utf8_lossy(input))? {
        Value::Array(events) => items(events.into_iter().map(one)),
        event => items([one(event)]),
    })
}

/// Reads one event a line; blank lines are no items.
#[must_use]
pub fn parse_lines(input: &[u8]) -> Parsed {
    let text = String::from_utf8_lossy(input);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    items(lines.map(|line| json(line).and_then(one)))
}

/// Reads the body of a CloudEvent whose attributes came as HTTP headers.
///
/// # Errors
///
/// When the body is not JSON at all.
pub fn parse_binary(attributes: &Attributes, input: &[u8]) -> Result<Parsed, Reject> {
    let data = json(&String::from_utf8_lossy(input))?;
    Ok(items([cloud_event::with_data(attributes, data)]))
}

/// Reads a body that ended before its end because its sender was killed: the complete events, and of the last one what it
/// had said so far, with the attribute `truncated`.
#[must_use]
pub fn parse_cut_off(input: &[u8]) -> Parsed {
    if let Ok(whole) = parse_document(input) {
        return whole;
    }
    let text = String::from_utf8_lossy(input);
    // Half a character at the end is no character of the sender's.
    let text = text.trim().trim_end_matches('\u{fffd}');
    let first_line = text.lines().next().unwrap_or_default();
    let one_a_line = serde_json::from_str::<IgnoredAny>(first_line).is_ok();
    let (complete, rest) = text.rsplit_once('\n').filter(|_| one_a_line).unwrap_or(("", text));
    let mut read: Vec<_> = complete.lines().filter(|line| !line.trim().is_empty()).map(|line| json(line).and_then(one)).collect();
    read.extend(cut_off(rest));
    items(read)
}

/// The events of a JSON text of which the end is missing; the last of them is marked.
fn cut_off(text: &str) -> Vec<Result<Claim, Reject>> {
    let mut events = match json(text).ok().or_else(|| salvage::salvage(text)) {
        Some(Value::Array(events)) => events,
        Some(event) => vec![event],
        None => return vec![Err(Reject::new(format!("expected a watchdog event, found a body cut off after {} bytes", text.len()), text))],
    };
    let last = events.pop().map(|event| one(event).map(|claim| claim.with("truncated", true)));
    events.into_iter().map(one).chain(last).collect()
}

/// Reads a value that was found among other things, such as a line of a log. `None` when it is no watchdog event.
#[must_use]
pub fn parse_value(value: &Value) -> Option<Result<Claim, Reject>> {
    looks_like_event(value.as_object()?).then(|| one(value.clone()))
}

/// Whether an object among log lines is meant as a watchdog event: a `kind` alone is anybody's.
fn looks_like_event(object: &Map<String, Value>) -> bool {
    const KINDS: [&str; 5] = ["armed", "near_miss", "fired", "closed", "tracepoint"];
    const OWN_FIELDS: [&str; 8] =
        ["left_ms", "deadline_at", "budget_at_entry_ms", "margin_ms", "limit_ms", "elapsed_ms", "observed_at", "in_flight"];
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let native = KINDS.contains(&text("kind")) && OWN_FIELDS.iter().any(|name| object.contains_key(*name));
    let classic = text("message") == event::CLASSIC_MESSAGE && object.contains_key("originalRequestId");
    native || classic || cloud_event::is_one(object) && text("type") == TYPE
}

fn one(value: Value) -> Result<Claim, Reject> {
    match value {
        Value::Object(object) if cloud_event::is_one(&object) => cloud_event::structured(object),
        other => claim::read(other),
    }
}

/// Parses JSON. JavaScript escapes half of a broken surrogate pair as it is, which no JSON reader of text takes.
fn json(text: &str) -> Result<Value, Reject> {
    serde_json::from_str(text).or_else(|error| {
        let mended = without_lone_surrogates(text).and_then(|mended| serde_json::from_str(&mended).ok());
        mended.ok_or_else(|| Reject::new(format!("expected a watchdog event as JSON, found {error}"), text))
    })
}

/// The text with `\ud800` to `\udfff` replaced where they are not in pairs; `None` when there are none.
fn without_lone_surrogates(text: &str) -> Option<String> {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(hex, 16).ok()
    };
    let mut mended = String::with_capacity(text.len());
    let (mut done, mut at) = (0, 0);
    while let Some(found) = text[at..].find('\\') {
        at += found;
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(&text[done..at]);
                mended.push_str("\\ufffd");
                at += 6;
                done = at;
            }
            (Some(_), _) => at += 6,
            // An escaped backslash or quote: the character behind it is part of it.
            (None, _) => at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    (done > 0).then(|| mended + &text[done..])
}

fn items(read: impl IntoIterator<Item = Result<Claim, Reject>>) -> Parsed {
    let fate = |read: Result<Claim, Reject>| read.map_or_else(Fate::Rejected, |claim| Fate::Evidence(Box::new(claim)));
    let items: Vec<_> = read.into_iter().zip(1..).map(|(read, line)| Item { line, fate: fate(read) }).collect();
    Parsed { lines: items.len() as u64, items }
}

#[cfg(test)]
mod tests;
