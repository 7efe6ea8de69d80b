//! From bytes to events: lines with their continuation lines, their envelopes taken off, each handed to its format.

use domain::Claim;
use serde_json::Value;

use super::envelope::{self, Envelope};
use super::{
    Context, Fate, Format, Item, LINE_BYTES_MAX, Parsed, Reject, app_log, lambda_text, of_watchdog, openfaas_gateway, otlp, php_fpm, uwsgi,
    varnish, watchdog,
};

/// Reads lines of any of the line formats.
pub fn parse(format: Format, input: &[u8], context: &Context) -> Parsed {
    let text = String::from_utf8_lossy(input);
    if let Some(items) = whole_document(format, &text, context) {
        return Parsed { items, lines: count_lines(&text) };
    }
    let mut reader = Reader { format, context, pending: None, prefix: None, items: Vec::new() };
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        lines += 1;
        reader.line(index as u64 + 1, line);
    }
    reader.flush();
    Parsed { items: reader.items, lines }
}

fn count_lines(text: &str) -> u64 {
    text.lines().count() as u64
}

/// A JSON document that spans lines (an array of watchdog events, pretty-printed OTLP) cannot be read line by line.
fn whole_document(format: Format, text: &str, context: &Context) -> Option<Vec<Item>> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return None;
    }
    let first = trimmed.lines().next()?;
    let array = first.starts_with('[') && !first.starts_with("[{") && first.trim() != "[";
    if array || first.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok() {
        return None;
    }
    let document: Value = serde_json::from_str(trimmed).ok()?;
    let records = match document {
        Value::Array(records) => records,
        other => vec![other],
    };
    let read = |(index, record): (usize, Value)| {
        let raw = record.to_string();
        json(format, record, &raw, context).into_iter().map(move |fate| Item { line: index as u64 + 1, fate })
    };
    Some(records.into_iter().enumerate().flat_map(read).collect())
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
    /// What stood in front of the last line that began behind something: its continuation lines have the same there.
    prefix: Option<String>,
    items: Vec<Item>,
}

impl Reader<'_> {
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
        let (envelope, text) = if line.starts_with('{') { (Envelope::default(), line) } else { self.open(line) };
        if text.starts_with('{') && text.len() > 1 && self.json_line(number, text, &envelope) {
            return;
        }
        if let Some(pending) = &mut self.pending
            && continues(&pending.text, text)
            && pending.text.len() + text.len() < LINE_BYTES_MAX
        {
            pending.text.push('\n');
            pending.text.push_str(text);
            pending.raw.push('\n');
            pending.raw.push_str(line);
            return;
        }
        self.flush();
        self.pending = Some(Pending { line: number, envelope, text: text.to_owned(), raw: line.to_owned() });
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

    /// A line that is a JSON object by itself. False when it is not one after all.
    fn json_line(&mut self, number: u64, line: &str, envelope: &Envelope) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(line) else { return false };
        self.flush();
        let fates = json(self.format, value, line, self.context);
        self.items.extend(fates.into_iter().map(|fate| Item { line: number, fate: complete(fate, envelope, self.context) }));
        true
    }

    /// A line that is a batch of records, as telemetry senders and shippers write it.
    fn json_array(&mut self, number: u64, line: &str) -> bool {
        let Ok(records) = serde_json::from_str::<Vec<Value>>(line) else { return false };
        self.flush();
        for record in records {
            let raw = record.to_string();
            let fates = json(self.format, record, &raw, self.context);
            self.items.extend(fates.into_iter().map(|fate| Item { line: number, fate }));
        }
        true
    }

    fn flush(&mut self) {
        if let Some(Pending { line, envelope, text, raw }) = self.pending.take() {
            let fate = complete(event(self.format, &text), &envelope, self.context).with_raw(&raw);
            self.items.push(Item { line, fate });
        }
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
    if let Some(read) = watchdog::parse_value(&value) {
        let fate = read.map_or_else(Fate::Rejected, |claim| Fate::Evidence(Box::new(claim)));
        return vec![complete(fate, &Envelope::default(), context)];
    }
    if let Some(parsed) = otlp::parse_json_value(&value, context) {
        return parsed.items.into_iter().map(|item| item.fate).collect();
    }
    let Value::Object(object) = value else {
        return vec![Fate::Ignored(Box::new(app_log(format.name(), raw)))];
    };
    if let Some(fates) = format.record_readers().find_map(|read| read(&object, raw)) {
        return fates.into_iter().map(|fate| complete(fate, &Envelope::default(), context)).collect();
    }
    if let Some((envelope, message)) = envelope::unwrap_json(&object) {
        return wrapped(format, &message, &envelope, context);
    }
    let own_words = format.own_words().find_map(|read| read(&object, raw));
    let fates = own_words.unwrap_or_else(|| vec![Fate::Ignored(Box::new(app_log(format.name(), raw)))]);
    fates.into_iter().map(|fate| complete(fate, &Envelope::default(), context)).collect()
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
        // A server's line has its own level; what the transport says of it is the transport's.
        let bare = claim.kind == domain::Kind::AppLog || claim.format == super::fly::FORMAT;
        for (name, value) in envelope.facts.iter().filter(|_| bare) {
            claim.attributes.entry((*name).to_owned()).or_insert_with(|| value.as_str().into());
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
