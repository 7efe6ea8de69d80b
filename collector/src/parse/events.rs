//! From bytes to events: lines with their continuation lines, their envelopes taken off, each handed to its format.

use std::borrow::Cow;
use std::vec::Drain;

use serde_json::Value;

use super::continuation::{continues, stands_alone};
use super::envelope::{self, Envelope};
use super::marks::PASSED_BYTES_MAX;
use super::{Context, Fate, Format, Item, LINE_BYTES_MAX, Parsed, Reject, app_log, documents, journald, otlp, watchdog};

/// Reads lines of any of the line formats, each of them; [`super::sieve`] passes over those that are nobody's.
pub fn parse(format: Format, input: &[u8], context: &Context) -> Parsed {
    let text = String::from_utf8_lossy(input);
    if let Some(parsed) = documents::read(format, &text, (context, Detail::All)) {
        return parsed;
    }
    let mut reader = Reader::new(format.inside(), context, Detail::All);
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        lines += 1;
        reader.line(index as u64 + 1, line, Marked::Yes);
    }
    Parsed { items: reader.finish().collect(), lines }
}

/// What is wanted of an event that no format claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What could be read in it, for people who look at their log.
    All,
    /// How many lines it has.
    Count,
}

/// Whether a line has a mark, see [`super::marks`]: without one it begins no event of anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It has, or nobody has looked.
    Yes,
    /// It has not.
    No,
}

impl Detail {
    /// Whether a line has to be looked at closely: always where all are shown.
    pub fn marked(self, line: &[u8]) -> Marked {
        let may_be_somebodys = || line.len() > PASSED_BYTES_MAX || Format::marks().search(line).next(0).is_some();
        if self == Self::All || may_be_somebodys() { Marked::Yes } else { Marked::No }
    }
}

/// An event whose continuation lines may still follow.
struct Pending<'t> {
    line: u64,
    envelope: Envelope,
    /// The event without its envelope.
    text: Cow<'t, str>,
    /// The lines as they came.
    raw: Cow<'t, str>,
    /// How many they are.
    lines: u64,
    marked: Marked,
}

/// Puts lines together to events, and has these read.
pub(super) struct Reader<'t, 'c> {
    format: Format,
    context: &'c Context,
    detail: Detail,
    pending: Option<Pending<'t>>,
    /// Beginnings of lines whose rest has not come yet, while lines of other streams stand between.
    partial: Vec<Pending<'t>>,
    /// A line was completed after later ones were read.
    is_unordered: bool,
    /// What stood in front of the last line that began behind something: its continuation lines have the same there.
    prefix: Option<&'t str>,
    /// Where something of a format's begins in the line that was asked about last.
    begun: Option<(&'t str, Option<usize>)>,
    items: Vec<Item>,
}

/// Streams of which a line may be in parts at the same time: standard output and standard error, of a few containers.
const PARTIAL_MAX: usize = 8;

impl<'t, 'c> Reader<'t, 'c> {
    pub(super) fn new(format: Format, context: &'c Context, detail: Detail) -> Self {
        Self {
            format,
            context,
            detail,
            pending: None,
            partial: Vec::new(),
            is_unordered: false,
            prefix: None,
            begun: None,
            items: Vec::new(),
        }
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, number: u64, line: &'t str, marked: Marked) {
        if line.len() > LINE_BYTES_MAX {
            self.flush();
            let reason = format!("expected a line of at most {LINE_BYTES_MAX} bytes, found {}", line.len());
            self.items.push(Item { line: number, fate: Fate::Rejected(Reject::new(reason, line)) });
            return;
        }
        if line.trim().is_empty() {
            return;
        }
        if line.starts_with("[{") && self.json_array(number, line) {
            return;
        }
        let line = journald::without_mark(line);
        let (envelope, text) = if line.starts_with('{') { (Envelope::default(), line) } else { self.open(line, marked) };
        self.take(Pending::new(number, envelope, Cow::Borrowed(text), Cow::Borrowed(line), marked));
    }

    /// Takes a line that a transport delivered by itself.
    pub(super) fn carried(&mut self, number: u64, envelope: Envelope, text: String, marked: Marked) {
        self.take(Pending::new(number, envelope, Cow::Owned(text.clone()), Cow::Owned(text), marked));
    }

    /// Takes a line whose envelope is off.
    fn take(&mut self, line: Pending<'t>) {
        let Some(line) = self.completed_part(line) else { return };
        let is_json = line.text.starts_with('{') && line.text.len() > 1 && !line.envelope.is_partial;
        if is_json && self.json_line(&line) {
            return;
        }
        if let Some(pending) = &mut self.pending
            && pending.takes(&line.envelope)
            && continues(&pending.text, &line.text)
            && pending.text.len() + line.text.len() < LINE_BYTES_MAX
        {
            pending.append("\n", &line);
            return;
        }
        self.make_room();
        self.pending = Some(line);
    }

    /// Appends to a line of which only the beginning has come. Gives back what belongs to none in this stream.
    fn completed_part(&mut self, line: Pending<'t>) -> Option<Pending<'t>> {
        let fits = |pending: &Pending<'_>| {
            pending.envelope.is_partial
                && pending.envelope.origin() == line.envelope.origin()
                && pending.text.len() + line.text.len() < LINE_BYTES_MAX
        };
        if let Some(at) = self.partial.iter().position(fits) {
            let held = self.partial.remove(at);
            self.make_room();
            self.pending = Some(held);
            self.is_unordered = true;
        }
        let Some(pending) = self.pending.as_mut().filter(|pending| fits(pending)) else { return Some(line) };
        pending.append("", &line);
        pending.envelope.is_partial = line.envelope.is_partial;
        None
    }

    /// Whether nothing is pending that may become anybody's: lines without marks cannot change that.
    pub(super) fn is_settled(&self) -> bool {
        let is_nobodys = |pending: &Pending<'_>| pending.marked == Marked::No && !pending.envelope.is_partial;
        self.partial.is_empty() && self.pending.as_ref().is_none_or(is_nobodys)
    }

    /// Whether a line begins an event, whatever was read before; `before` is the line without a mark that stands before it.
    pub(super) fn stands_alone(&mut self, before: &'t str, line: &'t str, marked: Marked) -> bool {
        stands_alone(&self.inside(before, Marked::No), &self.inside(line, marked))
    }

    /// What is in a line, by itself.
    fn inside(&mut self, line: &'t str, marked: Marked) -> Cow<'t, str> {
        let line = journald::without_mark(line);
        if line.starts_with('{') {
            return unpacked(line).map_or(Cow::Borrowed(line), Cow::Owned);
        }
        let known = self.prefix;
        let (_, text) = self.open(line, marked);
        self.prefix = known;
        Cow::Borrowed(text)
    }

    /// Whether no line waits for its rest.
    pub(super) fn is_whole(&self) -> bool {
        self.partial.is_empty() && self.pending.as_ref().is_none_or(|pending| !pending.envelope.is_partial)
    }

    /// The event that is pending is whole, and the next one has nothing in front.
    pub(super) fn end(&mut self) {
        self.flush();
        self.prefix = None;
    }

    /// The pending event is whole, or is held until the rest of its line comes.
    fn make_room(&mut self) {
        if self.partial.len() < PARTIAL_MAX {
            self.partial.extend(self.pending.take_if(|pending| pending.envelope.is_partial));
        }
        self.flush();
    }

    /// Everything that was read, in the order of the lines.
    pub(super) fn finish(&mut self) -> Drain<'_, Item> {
        self.flush();
        self.is_unordered |= !self.partial.is_empty();
        for pending in std::mem::take(&mut self.partial) {
            self.push(pending);
        }
        self.ready()
    }

    /// What was read and can no longer be preceded by anything.
    pub(super) fn ready(&mut self) -> Drain<'_, Item> {
        let is_ready = self.partial.is_empty();
        if is_ready && std::mem::take(&mut self.is_unordered) {
            self.items.sort_by_key(|item| item.line);
        }
        self.items.drain(..if is_ready { self.items.len() } else { 0 })
    }

    /// Takes off what a transport put in front of a line: a prefix of a known shape, or whatever stands before words that
    /// are known.
    fn open(&mut self, line: &'t str, marked: Marked) -> (Envelope, &'t str) {
        if marked == Marked::Yes
            && let Some(at) = self.begins(line)
        {
            let (prefix, text) = line.split_at(at);
            self.prefix = (at > 0).then_some(prefix);
            return (if at > 0 { envelope::of_prefix(prefix) } else { Envelope::default() }, text);
        }
        // What a log configuration puts before a server's words is not a transport's.
        let is_read = |text: &str| marked == Marked::Yes && matches!(event(self.format, text), Fate::Evidence(_));
        let behind = self.prefix.and_then(|prefix| after_prefix(prefix, line));
        if let Some((prefix, text)) = behind.filter(|(_, text)| !is_read(line) || is_read(text)) {
            return (envelope::of_prefix(prefix), text);
        }
        envelope::strip_prefix(line).unwrap_or_else(|| (Envelope::default(), line))
    }

    /// Where in a line something of a format's begins. Asked twice of most.
    fn begins(&mut self, line: &'t str) -> Option<usize> {
        match self.begun {
            Some((known, at)) if std::ptr::eq(known, line) => at,
            _ => {
                let at = self.format.line_readers().filter_map(|reader| (reader.begins)(line)).max();
                self.begun = Some((line, at));
                at
            }
        }
    }

    /// A line that is a JSON object by itself, or several of them. False when it is not one after all.
    fn json_line(&mut self, line: &Pending<'t>) -> bool {
        let text: &str = &line.text;
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let Some(Ok(first)) = values.next() else { return false };
        if text[values.byte_offset()..].trim_start().is_empty() {
            self.record(line.line, first, text, &line.envelope, line.marked);
            return true;
        }
        // Fluent Bit's `json_stream` puts nothing between them.
        let Ok(others) = values.collect::<Result<Vec<_>, _>>() else { return false };
        // A number behind an object is an application's own line.
        if !others.iter().all(|value| value.is_object() || value.is_array()) {
            return false;
        }
        for value in std::iter::once(first).chain(others) {
            let raw = value.to_string();
            self.record(line.line, value, &raw, &line.envelope, line.marked);
        }
        true
    }

    /// A line that is a batch of records, as telemetry senders and shippers write it.
    fn json_array(&mut self, number: u64, line: &str) -> bool {
        let Ok(records) = serde_json::from_str::<Vec<Value>>(line) else { return false };
        for record in records {
            let raw = record.to_string();
            self.record(number, record, &raw, &Envelope::default(), Marked::Yes);
        }
        true
    }

    /// One JSON value. If it carries a line, that may go on in the next one.
    pub(super) fn record(&mut self, number: u64, value: Value, raw: &str, envelope: &Envelope, marked: Marked) {
        match open_json(self.format, value, raw, self.context) {
            Opened::Read(fates) => {
                self.make_room();
                self.items.extend(fates.into_iter().map(|fate| Item { line: number, fate: complete(fate, envelope, self.context) }));
            }
            Opened::Carried(inner, text) => {
                self.carried(number, inner.or(envelope), text, marked);
            }
        }
    }

    /// The pending event is whole.
    pub(super) fn flush(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.push(pending);
        }
    }

    fn push(&mut self, Pending { line, envelope, text, raw, lines, marked }: Pending<'t>) {
        let mut item = |fate: Fate| self.items.push(Item { line, fate: fate.with_raw(&raw) });
        let is_counted = self.detail == Detail::Count;
        if is_counted && marked == Marked::No {
            item(Fate::Passed(lines));
        } else if envelope.by.is_some() {
            wrapped(self.format, &text, &envelope, self.context).into_iter().for_each(item);
        } else {
            match claimed(self.format, &text) {
                None if is_counted && !text.contains('\0') => item(Fate::Passed(lines)),
                fate => item(complete(fate.unwrap_or_else(|| ordinary(self.format, &text)), &envelope, self.context)),
            }
        }
    }
}

impl<'t> Pending<'t> {
    fn new(line: u64, envelope: Envelope, text: Cow<'t, str>, raw: Cow<'t, str>, marked: Marked) -> Self {
        Self { line, envelope, text, raw, lines: 1, marked }
    }

    /// Whether a line from there may go on with this one.
    fn takes(&self, envelope: &Envelope) -> bool {
        // What has nothing around it may go on with what had: one event was printed over several lines.
        envelope.by.is_none() || self.envelope.origin() == envelope.origin()
    }

    fn append(&mut self, between: &str, line: &Self) {
        let (text, raw) = (self.text.to_mut(), self.raw.to_mut());
        text.push_str(between);
        text.push_str(&line.text);
        raw.push('\n');
        raw.push_str(&line.raw);
        self.lines += line.lines;
        if line.marked == Marked::Yes {
            self.marked = Marked::Yes;
        }
    }
}

/// Splits a line after a beginning that differs from `prefix` in digits only: times and process IDs.
fn after_prefix<'l>(prefix: &str, line: &'l str) -> Option<(&'l str, &'l str)> {
    let (begin, text) = (line.get(..prefix.len())?, line.get(prefix.len()..)?);
    let same = |(a, b): (u8, u8)| a == b || a.is_ascii_digit() && b.is_ascii_digit();
    begin.bytes().zip(prefix.bytes()).all(same).then_some((begin, text))
}

/// Hands one event to the formats that may have written it.
fn event(format: Format, text: &str) -> Fate {
    claimed(format, text).unwrap_or_else(|| ordinary(format, text))
}

/// What the formats say of an event; `None` when it is nobody's.
fn claimed(format: Format, text: &str) -> Option<Fate> {
    let read = || format.line_readers().find_map(|reader| (reader.read)(text));
    // In a format of records alone, something that begins as one and is none has been cut.
    let is_cut = text.starts_with('{') && format.line_readers().next().is_none();
    let cut = || Fate::Rejected(Reject::new("expected a JSON object, found one that does not end", text));
    read().or_else(|| is_cut.then(cut))
}

/// Nobody's format.
fn ordinary(format: Format, text: &str) -> Fate {
    Fate::Ignored(Box::new(app_log(format.name(), text)))
}

/// Reads one JSON value: a watchdog event, spans, a record of a known shape, a shipper's wrapper, or an application's words.
pub(super) fn json(format: Format, value: Value, raw: &str, context: &Context) -> Vec<Fate> {
    match open_json(format, value, raw, context) {
        Opened::Read(fates) => fates,
        Opened::Carried(envelope, text) => wrapped(format, &text, &envelope, context),
    }
}

/// What a JSON value turned out to be.
enum Opened {
    /// A record, whatever it says.
    Read(Vec<Fate>),
    /// Something around a line.
    Carried(Envelope, String),
}

fn open_json(format: Format, value: Value, raw: &str, context: &Context) -> Opened {
    let completed = |fates: Vec<Fate>| Opened::Read(fates.into_iter().map(|fate| complete(fate, &Envelope::default(), context)).collect());
    if let Some(read) = watchdog::parse_value(&value) {
        return completed(vec![read.map_or_else(Fate::Rejected, |claim| Fate::Evidence(Box::new(claim)))]);
    }
    if let Some(parsed) = otlp::parse_json_value(&value, context) {
        return Opened::Read(parsed.items.into_iter().map(|item| item.fate).collect());
    }
    let Value::Object(object) = value else {
        return Opened::Read(vec![Fate::Ignored(Box::new(app_log(format.name(), raw)))]);
    };
    if let Some(fates) = format.record_readers().find_map(|read| read(&object, raw)) {
        return completed(fates);
    }
    if let Some((envelope, text)) = Format::carriers().find_map(|open| open(&object)) {
        return Opened::Carried(envelope, text);
    }
    let own_words = format.own_words().find_map(|read| read(&object, raw));
    completed(own_words.unwrap_or_else(|| vec![Fate::Ignored(Box::new(app_log(format.name(), raw)))]))
}

/// The line that a JSON object carries. `None` when it carries none.
pub(super) fn unpacked(object: &str) -> Option<String> {
    let object = serde_json::from_str(object).ok()?;
    Format::carriers().find_map(|open| open(&object)).map(|(_, text)| text)
}

/// Reads a message that a transport or shipper carried, with what that says about it. For formats that carry others.
pub fn wrapped(format: Format, message: &str, envelope: &Envelope, context: &Context) -> Vec<Fate> {
    let fates = inner(format, message, context).unwrap_or_else(|| vec![event(format, message)]);
    fates.into_iter().map(|fate| complete(fate, envelope, context)).collect()
}

/// The line inside a wrapper may be JSON again, or carry a second transport's prefix.
fn inner(format: Format, message: &str, context: &Context) -> Option<Vec<Fate>> {
    if message.starts_with('{') {
        let value = serde_json::from_str(message).ok()?;
        return Some(json(format, value, message, context));
    }
    if format.line_readers().any(|reader| (reader.begins)(message) == Some(0)) {
        return None;
    }
    let (envelope, text) = envelope::strip_prefix(message)?;
    let known = matches!(event(format, message), Fate::Ignored(_));
    known.then(|| vec![complete(event(format, text), &envelope, context)])
}

/// Adds what an envelope says, where the line itself does not. For formats that carry others.
pub fn enveloped(fate: Fate, envelope: &Envelope) -> Fate {
    complete(fate, envelope, &Context::default())
}

/// Adds what the envelope and the input as a whole say, where the line itself does not.
fn complete(fate: Fate, envelope: &Envelope, context: &Context) -> Fate {
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(envelope.complete(claim, context)),
        Fate::Ignored(claim) => Fate::Ignored(envelope.complete(claim, context)),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    }
}
