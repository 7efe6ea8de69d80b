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

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Claim, Instance, Kind};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::envelope::{self, Envelope};
use super::{Context, Fate, Format, Item, Parsed, Reject, events, marks, times};

/// The format's name.
pub const FORMAT: &str = "cloudwatch";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["logEvents", "awslogs"]];

/// How much one record may hold after decompression; CloudWatch sends at most 1 MB compressed.
const DECOMPRESSED_BYTES_MAX: u64 = 64 << 20;

/// One message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(rename = "messageType")]
    kind: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    log_group: String,
    #[serde(default)]
    log_stream: String,
    /// Each is read by itself: one that is none costs no other.
    #[serde(default)]
    log_events: Vec<Value>,
}

struct LogEvent<'a> {
    /// The key by which a repeated delivery is recognised.
    id: &'a str,
    /// Milliseconds since 1970.
    timestamp: Option<i64>,
    message: &'a str,
    extracted_fields: Option<&'a Map<String, Value>>,
}

impl<'a> LogEvent<'a> {
    fn of(event: &'a Value) -> Result<Self, Reject> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let message = text("message").ok_or_else(|| Reject::new("expected a log event with a `message`", &event.to_string()))?;
        let timestamp = event.get("timestamp").and_then(|at| at.as_i64().or_else(|| at.as_str()?.parse().ok()));
        let extracted_fields = event.get("extractedFields").and_then(Value::as_object);
        Ok(Self { id: text("id").unwrap_or_default(), timestamp, message, extracted_fields })
    }
}

/// Reads a body: messages as JSON, or as base64 of gzip.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    match messages(input) {
        Ok(messages) => {
            let fates: Vec<Fate> = messages.into_iter().flat_map(|message| read(&message, context)).collect();
            Parsed { lines: fates.len() as u64, items: (1..).zip(fates).map(|(line, fate)| Item { line, fate }).collect() }
        }
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
        let parsed = parse(&serde_json::to_vec(object).expect("it was JSON before"), &Context::default());
        parsed.items.into_iter().map(|item| item.fate).collect()
    })
}

/// With what base64 of gzip begins.
const BASE64_OF_GZIP: &[u8] = b"H4sI";

/// Reads base64 of gzip that stands alone, as it is copied out of an event or a record, perhaps broken into lines, or several
/// of them. `None` when the input is something else.
pub(super) fn parse_bare(input: &[u8], context: &Context) -> Option<Parsed> {
    input.trim_ascii_start().starts_with(BASE64_OF_GZIP).then_some(())?;
    let lines = input.split(|byte| *byte == b'\n');
    let members: Vec<Vec<u8>> = lines.map(|line| STANDARD.decode(line.trim_ascii())).collect::<Result<_, _>>().ok()?;
    let rejected = |reason: String| vec![Fate::Rejected(Reject::new(reason, "a compressed record"))];
    let fates = plain(members.concat()).map_or_else(rejected, |text| read_delivered(&text, context));
    Some(Parsed { lines: fates.len() as u64, items: (1..).zip(fates).map(|(line, fate)| Item { line, fate }).collect() })
}

/// The messages in a body or in one record of a delivery stream.
fn messages(input: &[u8]) -> Result<Vec<Message>, String> {
    let trimmed = input.trim_ascii();
    if trimmed.starts_with(b"[") {
        let list: Vec<Value> = serde_json::from_slice(trimmed).map_err(expected)?;
        return list.into_iter().map(message).collect::<Result<Vec<_>, _>>().map(|found| found.into_iter().flatten().collect());
    }
    if trimmed.starts_with(b"{") {
        return objects(trimmed)?
            .into_iter()
            .map(message)
            .collect::<Result<Vec<_>, _>>()
            .map(|found| found.into_iter().flatten().collect());
    }
    let bytes = if trimmed.starts_with(GZIP) { trimmed.to_vec() } else { decode(trimmed)? };
    let text = if bytes.starts_with(GZIP) { gunzip(&bytes)? } else { bytes };
    messages_of_json(&text)
}

const GZIP: &[u8] = &[0x1f, 0x8b];

fn messages_of_json(text: &[u8]) -> Result<Vec<Message>, String> {
    objects(text)?.into_iter().map(|object| Message::deserialize(object).map_err(expected)).collect()
}

/// One object is a message, or holds one under `awslogs`.
fn message(object: Value) -> Result<Vec<Message>, String> {
    match object.pointer("/awslogs/data").and_then(Value::as_str) {
        Some(data) => messages_of_json(&gunzip(&decode(data.as_bytes())?)?),
        None => Message::deserialize(object).map(|message| vec![message]).map_err(expected),
    }
}

fn expected(error: impl std::fmt::Display) -> String {
    format!("expected a CloudWatch Logs subscription message, found {error}")
}

/// JSON objects one after the other, with nothing between them.
fn objects(text: &[u8]) -> Result<Vec<Value>, String> {
    serde_json::Deserializer::from_slice(text).into_iter().collect::<Result<_, _>>().map_err(expected)
}

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
pub(super) fn plain(data: Vec<u8>) -> Result<Vec<u8>, String> {
    if data.starts_with(GZIP) { gunzip(&data) } else { Ok(data) }
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

/// Reads one record of a delivery stream, decompressed: a message, or plain lines that somebody put there.
pub(super) fn read_delivered(text: &[u8], context: &Context) -> Vec<Fate> {
    match messages_of_json(text) {
        Ok(messages) if text.trim_ascii().starts_with(b"{") => messages.into_iter().flat_map(|message| read(&message, context)).collect(),
        _ => events::parse(Format::Auto, text, context).items.into_iter().map(|item| item.fate).collect(),
    }
}

fn read(message: &Message, context: &Context) -> Vec<Fate> {
    if message.kind != "DATA_MESSAGE" {
        let claim = Claim::new(Kind::Other, FORMAT, "").with("message_type", message.kind.as_str());
        return vec![Fate::Ignored(Box::new(claim))];
    }
    let (group, stream) = (&message.log_group, &message.log_stream);
    let function = envelope::function_of(group, stream).or_else(|| context.function.as_ref().map(domain::FunctionName::as_str));
    let read = |event: &Value| {
        let event = match LogEvent::of(event) {
            Ok(event) => event,
            Err(reject) => return vec![Fate::Rejected(reject)],
        };
        let envelope = Envelope {
            at: event.timestamp.and_then(times::epoch),
            instance: Some(Instance::from(format!("{group}:{stream}"))),
            function: function.map(Into::into),
            log_stream: Some(stream.clone()),
            ..Envelope::default()
        };
        let fates = events::wrapped(Format::Auto, event.message, &envelope, context);
        fates.into_iter().map(|fate| about(fate, message, &event)).collect::<Vec<_>>()
    };
    message.log_events.iter().flat_map(read).collect()
}

/// Adds where the line comes from.
fn about(fate: Fate, message: &Message, event: &LogEvent) -> Fate {
    let add = |mut claim: Box<Claim>| {
        let own = |name: &str| event.extracted_fields?.get(name)?.as_str();
        let account = own("@aws.account").unwrap_or(&message.owner);
        let facts = [
            ("log_group", message.log_group.as_str()),
            ("account_id", account),
            ("region", own("@aws.region").unwrap_or_default()),
            ("event_id", event.id),
        ];
        for (name, value) in facts {
            if !value.is_empty() {
                claim.attributes.entry(name.to_owned()).or_insert_with(|| value.into());
            }
        }
        claim
    };
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(add(claim)),
        Fate::Ignored(claim) => Fate::Ignored(add(claim)),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    }
}

#[cfg(test)]
mod tests {
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
        let plain = claims(parse(MESSAGE.as_bytes(), &Context::default()));
        assert_eq!(plain.len(), 2);
        assert_eq!(plain[0].function.as_ref().map(domain::FunctionName::as_str), Some("invoices"));
        assert_eq!(plain[0].instance.as_ref().map(Instance::as_str), Some("/shared/logs:2026/11/02/invoices[$LATEST]0d7f5f3c"));
        let base64 = STANDARD.encode(zipped(MESSAGE));
        assert_eq!(claims(parse(base64.as_bytes(), &Context::default())), plain);
        assert_eq!(claims(parse(format!(r#"{{"awslogs":{{"data":"{base64}"}}}}"#).as_bytes(), &Context::default())), plain);
        let broken = base64.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
        for text in [base64.as_bytes(), &broken, format!("\n{base64}\n").as_bytes()] {
            assert_eq!(claims(Format::Auto.parse(text, &Context::default())), plain);
        }
        let others = format!("{base64}\n{base64}\n");
        assert_eq!(claims(Format::Auto.parse(others.as_bytes(), &Context::default())).len(), 4);
        let twice = STANDARD.encode([zipped(MESSAGE), zipped(MESSAGE)].concat());
        assert_eq!(claims(parse(twice.as_bytes(), &Context::default())).len(), 4);
    }

    #[test]
    fn a_control_message_says_nothing() {
        let control = br#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#;
        assert!(matches!(parse(control, &Context::default()).items[..], [Item { fate: Fate::Ignored(_), .. }]));
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
        let parsed = parse(format!("[{odd}]").as_bytes(), &Context::default());
        let fates: Vec<_> = parsed.items.iter().map(|item| matches!(item.fate, Fate::Evidence(_))).collect();
        assert_eq!(fates, [false, true, true]);
    }

    #[test]
    fn what_is_none_is_rejected_with_the_reason() {
        for text in ["H4sIAGJyb2tlbg==", "%%%", "{\"a\":1}", ""] {
            let parsed = parse(text.as_bytes(), &Context::default());
            assert!(
                text.is_empty()
                    || matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected")),
                "{text}"
            );
        }
    }
}
