//! CloudWatch Logs subscriptions: the lines of a log group, with the stream that they were written to.
//!
//! ```text
//! {"messageType":"DATA_MESSAGE","owner":"1111…","logGroup":"/aws/lambda/pay","logStream":"2026/02/11/[$LATEST]f7ba…",
//!  "subscriptionFilters":["overrun"],"logEvents":[{"id":"3848…","timestamp":1770804000000,"message":"START RequestId: …"}]}
//! {"awslogs":{"data":"H4sIAAAA…"}}                       the same, base64 of gzip: what a Lambda destination gets
//! ```
//!
//! AWS's "Real-time processing of log data with subscriptions", read in November 2026. Several objects may stand in one
//! record, several gzip members too; control messages are checks of the destination and say nothing.

mod message;

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Claim, Kind};
use flate2::read::MultiGzDecoder;
use memchr::memmem;
use serde_json::{Map, Value};

use super::events::{self, Detail, Marked};
use super::{Context, Fate, Format, Item, Parsed, PassedLines, Reject, Visitor, marks, sieve};
use message::{Message, messages};

/// The format's name.
pub const FORMAT: &str = "cloudwatch";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["logEvents", "awslogs"]];

/// How much one record may hold after decompression; CloudWatch sends at most 1 MB compressed.
const DECOMPRESSED_BYTES_MAX: u64 = 64 << 20;

/// Reads a body: messages as JSON, or as base64 of gzip.
#[must_use]
pub(super) fn parse(input: &[u8], read_as: (&Context, Detail)) -> Parsed {
    let mut reading = Reading::new(read_as);
    match reading.body(input) {
        Ok(()) => reading.finish(),
        Err(reason) => {
            let reject = Reject::new(reason, &String::from_utf8_lossy(input));
            Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 }
        }
    }
}

/// Reads a message as a record among others.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let is_message = object.contains_key("messageType") && object.contains_key("logEvents");
    let wrapped = object.get("awslogs").and_then(|awslogs| awslogs.get("data")).is_some();
    (is_message || wrapped).then(|| {
        let parsed = parse(&serde_json::to_vec(object).expect("it was JSON before"), (&Context::default(), Detail::All));
        parsed.items.into_iter().map(|item| item.fate).collect()
    })
}

/// With what base64 of gzip begins.
const BASE64_OF_GZIP: &[u8] = b"H4sI";

/// Reads base64 of gzip that stands alone, as it is copied out of an event or a record, perhaps broken into lines, or several
/// of them. `None` when the input is something else.
pub(super) fn parse_bare(input: &[u8], read_as: (&Context, Detail)) -> Option<Parsed> {
    input.trim_ascii_start().starts_with(BASE64_OF_GZIP).then_some(())?;
    let lines = input.split(|byte| *byte == b'\n');
    let members: Vec<Vec<u8>> = lines.map(|line| STANDARD.decode(line.trim_ascii())).collect::<Result<_, _>>().ok()?;
    let mut reading = Reading::new(read_as);
    match plain(&members.concat()) {
        Ok(text) => reading.delivered(&text),
        Err(reason) => reading.take([Fate::Rejected(Reject::new(reason, "a compressed record"))]),
    }
    Some(reading.finish())
}

const GZIP: &[u8] = &[0x1f, 0x8b];

/// Base64 of one record.
///
/// # Errors
/// What was found instead.
pub(super) fn decode(data: &[u8]) -> Result<Vec<u8>, String> {
    STANDARD.decode(data).map_err(|error| format!("expected base64, found {error}"))
}

/// What gzip holds, if it is gzip.
///
/// # Errors
/// What was found instead.
pub(super) fn plain(data: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if data.starts_with(GZIP) { gunzip(data).map(Cow::Owned) } else { Ok(Cow::Borrowed(data)) }
}

/// Gzip of one record, any number of members, bounded.
fn gunzip(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let mut reader = MultiGzDecoder::new(data).take(DECOMPRESSED_BYTES_MAX + 1);
    reader.read_to_end(&mut text).map_err(|error| format!("expected gzip, found {error}"))?;
    if text.len() as u64 > DECOMPRESSED_BYTES_MAX {
        return Err(format!("expected at most {DECOMPRESSED_BYTES_MAX} bytes after decompression, found more"));
    }
    Ok(text)
}

/// What is read in bodies and records: items, each with the number of its event.
pub(super) struct Reading<'c> {
    context: &'c Context,
    detail: Detail,
    pub items: Vec<Item>,
    pub passed: PassedLines,
    /// How many events were read.
    events: u64,
}

impl<'c> Reading<'c> {
    pub fn new((context, detail): (&'c Context, Detail)) -> Self {
        Self { context, detail, items: Vec::new(), passed: PassedLines::default(), events: 0 }
    }

    /// Everything that was read.
    pub fn finish(mut self) -> Parsed {
        self.items.extend(self.passed.take());
        Parsed { items: self.items, lines: self.events }
    }

    fn take(&mut self, fates: impl IntoIterator<Item = Fate>) {
        self.items.extend(self.passed.take());
        for fate in fates {
            self.events += 1;
            self.items.push(Item { line: self.events, fate });
        }
    }

    fn body(&mut self, input: &[u8]) -> Result<(), String> {
        let trimmed = input.trim_ascii();
        if trimmed.starts_with(b"[") || trimmed.starts_with(b"{") {
            for message in messages(trimmed)? {
                match &message.awslogs {
                    Some(packed) => self.messages(&messages(&gunzip(&decode(packed.data.as_bytes())?)?)?),
                    None => self.message(&message),
                }
            }
            return Ok(());
        }
        let bytes = if trimmed.starts_with(GZIP) { Cow::Borrowed(trimmed) } else { Cow::Owned(decode(trimmed)?) };
        self.messages(&messages(&plain(&bytes)?)?);
        Ok(())
    }

    /// Reads one record of a delivery stream, decompressed: a message, or plain lines that somebody put there.
    pub fn delivered(&mut self, text: &[u8]) {
        let may_be_message = text.trim_ascii_start().starts_with(b"{") && memmem::find(text, b"\"messageType\"").is_some();
        match may_be_message.then(|| messages(text)) {
            Some(Ok(messages)) => self.messages(&messages),
            _ => self.lines(text),
        }
    }

    fn lines(&mut self, text: &[u8]) {
        match self.detail {
            Detail::All => {
                let parsed = events::parse(Format::Auto, text, self.context);
                parsed.items.into_iter().for_each(|item| self.item(item));
                self.events += parsed.lines;
            }
            Detail::Count => self.events += sieve::visit(Format::Auto, text, self.context, self),
        }
    }

    fn messages(&mut self, messages: &[Message<'_>]) {
        for message in messages {
            self.message(message);
        }
    }

    fn message(&mut self, message: &Message<'_>) {
        if message.kind != "DATA_MESSAGE" {
            let claim = Claim::new(Kind::Other, FORMAT, "").with("message_type", message.kind.as_str());
            return self.take([Fate::Ignored(Box::new(claim))]);
        }
        for event in &message.log_events {
            if self.detail.marked(event.get().as_bytes()) == Marked::No && message::has_line(event) {
                self.events += 1;
                self.passed.add(self.events, 1);
            } else {
                self.take(message::read(message, event, self.context));
            }
        }
    }
}

/// Plain lines, behind the events that were read before.
impl Visitor for Reading<'_> {
    fn item(&mut self, item: Item) {
        let line = self.events + item.line;
        match item.fate {
            Fate::Passed(count) => self.passed.add(line, count),
            fate => self.items.extend(self.passed.take().into_iter().chain([Item { line, fate }])),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Instance;

    use super::*;

    const MESSAGE: &str = r#"{"messageType":"DATA_MESSAGE","owner":"444455556666","logGroup":"/shared/logs","logStream":"2026/11/02/invoices[$LATEST]0d7f5f3c","logEvents":[
        {"id":"1","timestamp":1793697246613,"message":"2026-11-02T09:14:06.613Z 0f1d8d1e-6a41-4a8e-8a7e-2f4a6f1f7c11 Task timed out after 6.00 seconds\n\n"},
        {"id":"2","timestamp":1793697246620,"message":"{\"time\":\"2026-11-02T09:14:06.615Z\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"0f1d8d1e-6a41-4a8e-8a7e-2f4a6f1f7c11\",\"status\":\"timeout\",\"metrics\":{\"durationMs\":6000.0}}}\n"}]}"#;

    fn zipped(text: &str) -> Vec<u8> {
        let mut zipped = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast());
        encoder.read_to_end(&mut zipped).expect("memory");
        zipped
    }

    fn claims(parsed: Parsed) -> Vec<Claim> {
        let claim = |item: Item| match item.fate {
            Fate::Evidence(claim) => *claim,
            other => panic!("expected evidence, found {other:?}"),
        };
        parsed.items.into_iter().map(claim).collect()
    }

    #[test]
    fn all_wrappings_of_a_message_are_the_same_message() {
        let plain = claims(Format::Cloudwatch.parse(MESSAGE.as_bytes(), &Context::default()));
        assert_eq!(plain.len(), 2);
        assert_eq!(plain[0].function.as_ref().map(domain::FunctionName::as_str), Some("invoices"));
        assert_eq!(plain[0].instance.as_ref().map(Instance::as_str), Some("/shared/logs:2026/11/02/invoices[$LATEST]0d7f5f3c"));
        let base64 = STANDARD.encode(zipped(MESSAGE));
        assert_eq!(claims(Format::Cloudwatch.parse(base64.as_bytes(), &Context::default())), plain);
        assert_eq!(
            claims(Format::Cloudwatch.parse(format!(r#"{{"awslogs":{{"data":"{base64}"}}}}"#).as_bytes(), &Context::default())),
            plain
        );
        let broken = base64.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
        for text in [base64.as_bytes(), &broken, format!("\n{base64}\n").as_bytes()] {
            assert_eq!(claims(Format::Auto.parse(text, &Context::default())), plain);
        }
        let others = format!("{base64}\n{base64}\n");
        assert_eq!(claims(Format::Auto.parse(others.as_bytes(), &Context::default())).len(), 4);
        let twice = STANDARD.encode([zipped(MESSAGE), zipped(MESSAGE)].concat());
        assert_eq!(claims(Format::Cloudwatch.parse(twice.as_bytes(), &Context::default())).len(), 4);
    }

    #[test]
    fn a_control_message_says_nothing() {
        let control = br#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#;
        assert!(matches!(Format::Cloudwatch.parse(control, &Context::default()).items[..], [Item { fate: Fate::Ignored(_), .. }]));
    }

    #[test]
    fn what_only_begins_like_base64_of_gzip_is_a_line() {
        for text in ["H4sI is what it begins with", "H4sIAAAA\nREPORT RequestId: x", "H4sI"] {
            let items = Format::Auto.parse(text.as_bytes(), &Context::default()).items;
            let expected = if text == "H4sI" { "rejected" } else { "ignored" };
            let rejected = matches!(items[0].fate, Fate::Rejected(_));
            assert_eq!(rejected, expected == "rejected", "{text}");
        }
    }

    #[test]
    fn an_event_that_is_none_costs_no_other() {
        let odd = MESSAGE.replace(
            r#"{"id":"1","timestamp":1793697246613,"#,
            r#"{"id":"0","timestamp":1,"message":null},{"id":1,"timestamp":"1793697246613","extractedFields":null,"#,
        );
        let parsed = Format::Cloudwatch.parse(format!("[{odd}]").as_bytes(), &Context::default());
        let fates: Vec<_> = parsed.items.iter().map(|item| matches!(item.fate, Fate::Evidence(_))).collect();
        assert_eq!(fates, [false, true, true]);
    }

    #[test]
    fn what_is_none_is_rejected_with_the_reason() {
        for text in ["H4sIAGJyb2tlbg==", "%%%", "{\"a\":1}", ""] {
            let parsed = Format::Cloudwatch.parse(text.as_bytes(), &Context::default());
            assert!(
                text.is_empty()
                    || matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected")),
                "{text}"
            );
        }
    }
}
