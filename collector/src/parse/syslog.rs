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

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::{Claim, Value};

use super::carried::{self, Carried, Writer};
use super::envelope::Envelope;
use super::events::Detail;
use super::{Context, Fate, Format, Item, Parsed, Reject, marks};
use frame::Frame;
pub(super) use message::Message;

/// The format's name.
pub const FORMAT: &str = "syslog";

/// What its messages say has the marks of whoever wrote it.
pub(super) const MARKS: marks::Declared = &[];

/// Facts of one message, under the names of `docs/formats/README.md`.
pub(super) type Facts = Vec<(&'static str, Value)>;

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
pub(super) fn parse(input: &[u8], read_as: (&Context, Detail)) -> Parsed {
    let dialect = Dialect {
        read: |text| Message::parse(text),
        writer: |message| [place(message), message.app, message.proc_id],
        open: |message| {
            let facts = facts(message);
            (Envelope { facts: facts.clone(), ..envelope(message, FORMAT) }, escapes::undone(message.text), facts)
        },
    };
    read_frames(input, &dialect, read_as)
}

/// How the messages of a kind of senders are read.
pub(super) struct Dialect {
    /// Reads one; `None` when it is only a line.
    pub read: fn(&str) -> Result<Option<Message<'_>>, String>,
    /// Whose it is.
    pub writer: for<'t> fn(&Message<'t>) -> Writer<'t>,
    /// What is around its line, the line, and what else is told of it.
    pub open: fn(&Message<'_>) -> (Envelope, String, Facts),
}

/// Reads every frame of a stream.
pub(super) fn read_frames(input: &[u8], dialect: &Dialect, (context, detail): (&Context, Detail)) -> Parsed {
    let frames: Vec<(Cow<'_, str>, Option<&str>)> = frame::all(input)
        .map(|frame| match frame {
            Frame::Message(bytes) => (String::from_utf8_lossy(bytes), None),
            Frame::Broken { reason, bytes } => (String::from_utf8_lossy(bytes), Some(reason)),
        })
        .collect();
    let (mut lines, mut told, mut rejected) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (number, (frame, broken)) in (1..).zip(&frames) {
        let text = frame.trim_end_matches(['\n', '\r', '\0']);
        let read = match broken {
            Some(reason) => Err((*reason).to_owned()),
            None if text.trim().is_empty() => continue,
            None => (dialect.read)(text),
        };
        match read {
            Ok(message) => {
                let line = message.map_or(text, |message| message.text);
                lines.push(Carried {
                    number,
                    writer: message.as_ref().map_or([None; 3], dialect.writer),
                    marked: detail.marked(line.as_bytes()),
                    beginning: escapes::before(line),
                    head: (text, message),
                });
            }
            Err(reason) => rejected.push(Item { line: number, fate: Fate::Rejected(Reject::new(reason, frame)) }),
        }
    }
    let open = |line: &Carried<'_, (&str, Option<Message<'_>>)>| match &line.head {
        (_, Some(message)) => {
            let (envelope, text, facts) = (dialect.open)(message);
            told.insert(line.number, facts);
            (envelope, text)
        }
        (text, None) => (Envelope::default(), (*text).to_owned()),
    };
    let mut items = carried::read(Format::Auto, lines, open, (context, detail));
    for item in &mut items {
        if let (Fate::Evidence(claim) | Fate::Ignored(claim), Some(facts)) = (&mut item.fate, told.get(&item.line)) {
            tell(claim, facts);
        }
    }
    items.extend(rejected);
    items.sort_by_key(|item| item.line);
    Parsed { items, lines: frames.len() as u64 }
}

/// Adds what the head says of a line, whoever wrote it.
fn tell(claim: &mut Claim, facts: &Facts) {
    for (name, value) in facts {
        claim.attributes.entry((*name).to_owned()).or_insert_with(|| value.clone());
    }
}

/// Where and when. A dyno is the place behind Heroku's drains; its host name is that of the drain.
pub(super) fn envelope(message: &Message, by: &'static str) -> Envelope {
    Envelope { at: message.at, instance: place(message).map(Into::into), by: Some(by), ..Envelope::default() }
}

fn place<'t>(message: &Message<'t>) -> Option<&'t str> {
    if message.is_herokus() { message.proc_id } else { message.host }
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
