//! From bytes to events: lines with their continuation lines, their envelopes taken off, each handed to its format.

use std::collections::BTreeMap;

use domain::Claim;
use serde_json::Value;

use super::envelope::{self, Envelope, Origin};
use super::{
    Context, Fate, Format, Item, LINE_BYTES_MAX, Parsed, Reject, app_log, journald, lambda_text, of_watchdog, openfaas_gateway, otlp,
    php_fpm, uwsgi, varnish, watchdog,
};

/// Reads lines of any of the line formats.
pub fn parse(format: Format, input: &[u8], context: &Context) -> Parsed {
    let text = String::from_utf8_lossy(input);
    if let Some(parsed) = whole_document(format, &text, context) {
        return parsed;
    }
    let mut reader = Reader::new(format.inside(), context);
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        lines += 1;
        reader.line(index as u64 + 1, line);
    }
    Parsed { items: reader.finish(), lines }
}

/// Origins whose lines are put together at the same time; beyond it what is pending is taken to be whole.
const ORIGINS_MAX: usize = 256;

/// Reads lines that a transport delivered one by one, each with its number. What belongs together is put together within one
/// origin, whatever others wrote in between.
pub fn carried(lines: impl IntoIterator<Item = (u64, Envelope, String)>, context: &Context) -> Vec<Item> {
    let mut readers: BTreeMap<Origin, Reader> = BTreeMap::new();
    let mut items = Vec::new();
    for (number, envelope, text) in lines {
        let origin = envelope.origin();
        if readers.len() == ORIGINS_MAX && !readers.contains_key(&origin) {
            items.extend(std::mem::take(&mut readers).into_values().flat_map(Reader::finish));
        }
        readers.entry(origin).or_insert_with(|| Reader::new(Format::Auto, context)).take(number, envelope, &text, &text);
    }
    items.extend(readers.into_values().flat_map(Reader::finish));
    items.sort_by_key(|item| item.line);
    items
}

fn count_lines(text: &str) -> u64 {
    text.lines().count() as u64
}

/// A JSON document that spans lines (an array of watchdog events, pretty-printed OTLP), or several of them one after the
/// other, cannot be read line by line.
fn whole_document(format: Format, text: &str, context: &Context) -> Option<Parsed> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return None;
    }
    let first = trimmed.lines().next()?;
    let array = first.starts_with('[') && !first.starts_with("[{") && first.trim() != "[";
    if array || first.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok() {
        return None;
    }
    let documents: Vec<Value> = serde_json::Deserializer::from_str(trimmed).into_iter().collect::<Result<_, _>>().ok()?;
    if !documents.iter().all(is_document) {
        return None;
    }
    let records = documents.into_iter().flat_map(|document| match document {
        Value::Array(records) => records,
        other => vec![other],
    });
    let mut reader = Reader::new(format.inside(), context);
    let mut last = 0;
    for (number, record) in (1..).zip(records) {
        let raw = record.to_string();
        reader.record(number, record, &raw, &Envelope::default());
        last = number;
    }
    Some(Parsed { items: reader.finish(), lines: last.max(count_lines(text)) })
}

/// Whether a JSON value may be one of several that follow each other: a number behind an object is an application's own line.
fn is_document(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// An event whose continuation lines may still follow.
struct Pending {
    line: u64,
    envelope: Envelope,
    /// The event without its envelope.
    text: String,
    /// The lines as they came.
    raw: String,
}

struct Reader<'a> {
    format: Format,
    context: &'a Context,
    pending: Option<Pending>,
    /// Beginnings of lines whose rest has not come yet, while lines of other streams stand between.
    partial: Vec<Pending>,
    /// A line was completed after later ones were read.
    is_unordered: bool,
    /// What stood in front of the last line that began behind something: its continuation lines have the same there.
    prefix: Option<String>,
    items: Vec<Item>,
}

/// Streams of which a line may be in parts at the same time: standard output and standard error, of a few containers.
const PARTIAL_MAX: usize = 8;

impl<'a> Reader<'a> {
    fn new(format: Format, context: &'a Context) -> Self {
        Self { format, context, pending: None, partial: Vec::new(), is_unordered: false, prefix: None, items: Vec::new() }
    }

    fn line(&mut self, number: u64, line: &str) {
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
        let (envelope, text) = if line.starts_with('{') { (Envelope::default(), line) } else { self.open(line) };
        self.take(number, envelope, text, line);
    }

    /// Takes a line whose envelope is off; `raw` is the line as it came.
    fn take(&mut self, number: u64, envelope: Envelope, text: &str, raw: &str) {
        if self.completes_a_part(&envelope, text, raw) {
            return;
        }
        if text.starts_with('{') && text.len() > 1 && !envelope.is_partial && self.json_line(number, text, &envelope) {
            return;
        }
        if let Some(pending) = &mut self.pending
            && pending.takes(&envelope)
            && continues(&pending.text, text)
            && pending.text.len() + text.len() < LINE_BYTES_MAX
        {
            pending.append("\n", text, raw);
            return;
        }
        self.make_room();
        self.pending = Some(Pending { line: number, envelope, text: text.to_owned(), raw: raw.to_owned() });
    }

    /// Appends to a line of which only the beginning has come. False when there is none in this stream.
    fn completes_a_part(&mut self, envelope: &Envelope, text: &str, raw: &str) -> bool {
        let fits = |pending: &Pending| {
            pending.envelope.is_partial
                && pending.envelope.origin() == envelope.origin()
                && pending.text.len() + text.len() < LINE_BYTES_MAX
        };
        if let Some(at) = self.partial.iter().position(fits) {
            let held = self.partial.remove(at);
            self.make_room();
            self.pending = Some(held);
            self.is_unordered = true;
        }
        let Some(pending) = self.pending.as_mut().filter(|pending| fits(pending)) else { return false };
        pending.append("", text, raw);
        pending.envelope.is_partial = envelope.is_partial;
        true
    }

    /// The pending event is whole, or is held until the rest of its line comes.
    fn make_room(&mut self) {
        if self.partial.len() < PARTIAL_MAX {
            self.partial.extend(self.pending.take_if(|pending| pending.envelope.is_partial));
        }
        self.flush();
    }

    /// Everything that was read, in the order of the lines.
    fn finish(mut self) -> Vec<Item> {
        self.flush();
        self.is_unordered |= !self.partial.is_empty();
        for pending in std::mem::take(&mut self.partial) {
            self.push(pending);
        }
        if self.is_unordered {
            self.items.sort_by_key(|item| item.line);
        }
        self.items
    }

    /// Takes off what a transport put in front of a line: a prefix of a known shape, or whatever stands before words that
    /// are known.
    fn open<'l>(&mut self, line: &'l str) -> (Envelope, &'l str) {
        if let Some(at) = self.format.line_readers().filter_map(|reader| (reader.begins)(line)).max() {
            let (prefix, text) = line.split_at(at);
            self.prefix = (at > 0).then(|| prefix.to_owned());
            return (if at > 0 { envelope::of_prefix(prefix) } else { Envelope::default() }, text);
        }
        // What a log configuration puts before a server's words is not a transport's.
        let is_read = |text: &str| matches!(event(self.format, text), Fate::Evidence(_));
        let behind = self.prefix.as_deref().and_then(|prefix| after_prefix(prefix, line));
        if let Some((prefix, text)) = behind.filter(|(_, text)| !is_read(line) || is_read(text)) {
            return (envelope::of_prefix(prefix), text);
        }
        envelope::strip_prefix(line).unwrap_or_else(|| (Envelope::default(), line))
    }

    /// A line that is a JSON object by itself, or several of them. False when it is not one after all.
    fn json_line(&mut self, number: u64, line: &str, envelope: &Envelope) -> bool {
        let mut values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
        let Some(Ok(first)) = values.next() else { return false };
        if line[values.byte_offset()..].trim_start().is_empty() {
            self.record(number, first, line, envelope);
            return true;
        }
        // Fluent Bit's `json_stream` puts nothing between them.
        let Ok(others) = values.collect::<Result<Vec<_>, _>>() else { return false };
        if !others.iter().all(is_document) {
            return false;
        }
        for value in std::iter::once(first).chain(others) {
            let raw = value.to_string();
            self.record(number, value, &raw, envelope);
        }
        true
    }

    /// A line that is a batch of records, as telemetry senders and shippers write it.
    fn json_array(&mut self, number: u64, line: &str) -> bool {
        let Ok(records) = serde_json::from_str::<Vec<Value>>(line) else { return false };
        for record in records {
            let raw = record.to_string();
            self.record(number, record, &raw, &Envelope::default());
        }
        true
    }

    /// One JSON value. If it carries a line, that may go on in the next one.
    fn record(&mut self, number: u64, value: Value, raw: &str, envelope: &Envelope) {
        match open_json(self.format, value, raw, self.context) {
            Opened::Read(fates) => {
                self.make_room();
                self.items.extend(fates.into_iter().map(|fate| Item { line: number, fate: complete(fate, envelope, self.context) }));
            }
            Opened::Carried(inner, text) => self.take(number, inner.or(envelope), &text, &text),
        }
    }

    fn flush(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.push(pending);
        }
    }

    fn push(&mut self, Pending { line, envelope, text, raw }: Pending) {
        let fates = match envelope.by {
            Some(_) => wrapped(self.format, &text, &envelope, self.context),
            None => vec![complete(event(self.format, &text), &envelope, self.context)],
        };
        self.items.extend(fates.into_iter().map(|fate| Item { line, fate: fate.with_raw(&raw) }));
    }
}

impl Pending {
    /// Whether a line from there may go on with this one.
    fn takes(&self, envelope: &Envelope) -> bool {
        // What has nothing around it may go on with what had: one event was printed over several lines.
        envelope.by.is_none() || self.envelope.origin() == envelope.origin()
    }

    fn append(&mut self, between: &str, text: &str, raw: &str) {
        self.text.push_str(between);
        self.text.push_str(text);
        self.raw.push('\n');
        self.raw.push_str(raw);
    }
}

/// Splits a line after a beginning that differs from `prefix` in digits only: times and process IDs.
fn after_prefix<'l>(prefix: &str, line: &'l str) -> Option<(&'l str, &'l str)> {
    let (begin, text) = (line.get(..prefix.len())?, line.get(prefix.len()..)?);
    let same = |(a, b): (u8, u8)| a == b || a.is_ascii_digit() && b.is_ascii_digit();
    begin.bytes().zip(prefix.bytes()).all(same).then_some((begin, text))
}

/// Whether `line` belongs to the event that began with `event`.
fn continues(event: &str, line: &str) -> bool {
    let first = event.lines().next().unwrap_or_default();
    if line.starts_with("XRAY TraceId: ") {
        return first.starts_with("REPORT ");
    }
    if lambda_text::is_error_type(line.trim_end()) {
        return first.starts_with("RequestId: ") && first.contains(" Error: ");
    }
    let blocks = [of_watchdog::continues, openfaas_gateway::continues, uwsgi::continues, php_fpm::continues];
    if blocks.iter().any(|continues| continues(event, line)) {
        return true;
    }
    if varnish::continues(first, line) {
        return true;
    }
    // A pretty-printed value under a log line that ends in its name.
    if matches!(line.trim_end(), "{" | "}" | "[" | "]") {
        return true;
    }
    if line.starts_with([' ', '\t', '\u{a0}']) || line.starts_with("Traceback (most recent call last)") {
        return true;
    }
    // The last line of a Python traceback is not indented: `SystemExit: 1`.
    let last = event.lines().next_back().unwrap_or_default();
    let in_traceback = event.contains("\nTraceback (most recent call last)");
    let chained = ["During handling of the above exception, another exception", "The above exception was the direct cause of"];
    in_traceback
        && (last.starts_with([' ', '\u{a0}']) && line.split([':', ' ']).next().is_some_and(is_exception_name)
            || chained.iter().any(|words| line.starts_with(words)))
}

fn is_exception_name(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
        && word.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

/// Hands one event to the formats that may have written it.
fn event(format: Format, text: &str) -> Fate {
    let read = format.line_readers().find_map(|reader| (reader.read)(text));
    // In a format of records alone, something that begins as one and is none has been cut.
    let cut = text.starts_with('{') && format.line_readers().next().is_none();
    let unread = || {
        if cut { Fate::Rejected(Reject::new("expected a JSON object, found one that does not end", text)) } else { ordinary(format, text) }
    };
    read.unwrap_or_else(unread)
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
    let fill = |mut claim: Box<Claim>| {
        // A line stamped in whole seconds is placed better by a transport that saw it within the same moment.
        claim.observed_at = match (claim.observed_at, envelope.at) {
            (Some(own), Some(seen)) if own.subsec_nanosecond() == 0 && within_two_seconds(own, seen) => Some(seen),
            (own, seen) => own.or(seen).or(context.sent_at),
        };
        if claim.instance.is_none() {
            claim.instance = envelope.instance.clone().or_else(|| context.instance.clone());
        }
        if claim.function.is_none() {
            claim.function = envelope.function.clone().or_else(|| context.function.clone());
        }
        if let Some(stream) = &envelope.log_stream {
            claim.attributes.entry("log_stream".to_owned()).or_insert_with(|| stream.as_str().into());
        }
        // What nobody claims is named after what carried it.
        if let Some(by) = envelope.by.filter(|_| claim.format == Format::Auto.name()) {
            by.clone_into(&mut claim.format);
        }
        // A server's line has its own level; what the transport says of it is the transport's.
        let bare = claim.kind == domain::Kind::AppLog || claim.format == super::fly::FORMAT;
        for (name, value) in envelope.facts.iter().filter(|_| bare) {
            claim.attributes.entry((*name).to_owned()).or_insert_with(|| value.clone());
        }
        claim
    };
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(fill(claim)),
        Fate::Ignored(claim) => Fate::Ignored(fill(claim)),
        rejected @ Fate::Rejected(_) => rejected,
    }
}

fn within_two_seconds(own: jiff::Timestamp, seen: jiff::Timestamp) -> bool {
    (seen.as_millisecond() - own.as_millisecond()).abs() <= 2000
}
