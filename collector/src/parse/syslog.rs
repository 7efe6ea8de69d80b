//! syslog: RFC 5424, RFC 3164 as older programs write it, and both framings of a stream (RFC 6587).
//!
//! ```text
//! <165>1 2026-02-11T22:14:15.003Z fn1.example.com pay 8710 ID47 [overrun@32473 limit_ms="3000"] timed out
//! <34>Oct 11 22:14:15 mymachine su[42]: 'su root' failed
//! 83 <40>1 2026-02-11T06:45:29+00:00 host app web.3 - State changed from starting to up!     octet counting
//! ```
//!
//! RFC 5424, 3164 and 6587, and lines of util-linux's `logger` and of Heroku's TCP drains (which leave structured data out, as
//! `logplex.rs` says), November 2026. A moment of RFC 3164 has neither year nor zone, so it is none. `docs/formats/syslog.md`.

mod escapes;
pub mod frame;
mod message;

use std::collections::BTreeMap;

use domain::{Claim, Value};

use super::envelope::Envelope;
use super::{Context, Fate, Item, Parsed, Reject, events, marks};
use frame::Frame;
pub(super) use message::Message;

/// The format's name.
pub const FORMAT: &str = "syslog";

/// What its messages say has the marks of whoever wrote it.
pub(super) const MARKS: marks::Declared = &[];

/// Facts of one message, under the names of `docs/formats/README.md`.
type Facts = Vec<(&'static str, Value)>;

/// Takes the head off a line; `None` when it has none.
pub(super) fn open(line: &str) -> Option<(Envelope, &str)> {
    let message = Message::parse(without_count(line)).ok()??;
    let text = message.text;
    Some((Envelope { facts: facts(&message), ..envelope(&message, FORMAT) }, text))
}

/// `83 <40>1 …` → `<40>1 …`: a frame's length that was left in front of it.
fn without_count(line: &str) -> &str {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix(' ').filter(|rest| line.len() - rest.len() <= frame::COUNT_DIGITS_MAX + 1 && rest.starts_with('<')).unwrap_or(line)
}

/// Whether an input is a stream in octet counting: its messages need no line ends, so it cannot be read line by line.
pub(super) fn is_counted(input: &[u8]) -> bool {
    if !input.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let Some(Frame::Message(bytes)) = frame::all(input).next() else { return false };
    bytes.starts_with(b"<") && matches!(Message::parse(&String::from_utf8_lossy(bytes)), Ok(Some(_)))
}

/// Reads a stream: messages in octet counting, or one a line, also mixed.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    read_frames(input, context, |text| {
        let read = Message::parse(text)?;
        Ok(match read {
            Some(message) => {
                let facts = facts(&message);
                (Envelope { facts: facts.clone(), ..envelope(&message, FORMAT) }, escapes::undone(message.text), facts)
            }
            None => (Envelope::default(), text.to_owned(), Facts::new()),
        })
    })
}

/// Reads every frame of a stream with `read`, which says what is around the line, the line, and what else is told of it.
pub(super) fn read_frames(input: &[u8], context: &Context, read: impl Fn(&str) -> Result<(Envelope, String, Facts), String>) -> Parsed {
    let (mut lines, mut told, mut rejected, mut count) = (Vec::new(), BTreeMap::new(), Vec::new(), 0);
    for (number, frame) in (1..).zip(frame::all(input)) {
        count = number;
        let mut reject = |reason: String, bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            rejected.push(Item { line: number, fate: Fate::Rejected(Reject::new(reason, &text)) });
        };
        let bytes = match frame {
            Frame::Message(bytes) => bytes,
            Frame::Broken { reason, bytes } => {
                reject(reason.to_owned(), bytes);
                continue;
            }
        };
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\n', '\r', '\0']);
        if text.trim().is_empty() {
            continue;
        }
        match read(text) {
            Ok((envelope, line, facts)) => {
                lines.push((number, envelope, line));
                told.insert(number, facts);
            }
            Err(reason) => reject(reason, bytes),
        }
    }
    let mut items = events::carried(lines, context);
    for item in &mut items {
        if let (Fate::Evidence(claim) | Fate::Ignored(claim), Some(facts)) = (&mut item.fate, told.get(&item.line)) {
            tell(claim, facts);
        }
    }
    items.extend(rejected);
    items.sort_by_key(|item| item.line);
    Parsed { items, lines: count }
}

/// Adds what the head says of a line, whoever wrote it.
fn tell(claim: &mut Claim, facts: &Facts) {
    for (name, value) in facts {
        claim.attributes.entry((*name).to_owned()).or_insert_with(|| value.clone());
    }
}

/// Where and when. A dyno is the place behind Heroku's drains; its host name is that of the drain.
pub(super) fn envelope(message: &Message, by: &'static str) -> Envelope {
    let place = if message.is_herokus() { message.proc_id } else { message.host };
    Envelope { at: message.at, instance: place.map(Into::into), by: Some(by), ..Envelope::default() }
}

fn facts(message: &Message) -> Facts {
    let words = [("hostname", message.host), ("app", message.app), ("proc_id", message.proc_id), ("msg_id", message.msg_id)];
    let mut facts: Facts = words.into_iter().filter_map(|(name, word)| Some((name, word?.into()))).collect();
    facts.push(("facility", f64::from(message.priority / 8).into()));
    facts.push(("severity", f64::from(message.priority % 8).into()));
    if !message.data.is_empty() {
        facts.push(("structured_data", message.data_value()));
    }
    facts
}

#[cfg(test)]
mod tests;
