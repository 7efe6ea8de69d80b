//! A message of a subscription, and the events in it.

use std::borrow::Cow;

use domain::{Claim, FunctionName, Instance};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::parse::envelope::{self, Envelope};
use crate::parse::{Context, Fate, Format, Reject, events, times};

/// One message, or others packed into one object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message<'t> {
    #[serde(borrow)]
    pub awslogs: Option<Packed<'t>>,
    #[serde(rename = "messageType", default)]
    pub kind: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    log_group: String,
    #[serde(default)]
    log_stream: String,
    /// Each is read by itself: one that is none costs no other.
    #[serde(default, borrow)]
    pub log_events: Vec<&'t RawValue>,
}

/// Base64 of gzip of messages.
#[derive(Deserialize)]
pub struct Packed<'t> {
    #[serde(borrow)]
    pub data: Cow<'t, str>,
}

/// An event, as far as everyone has that.
#[derive(Deserialize)]
struct Outline<'t> {
    #[serde(borrow)]
    message: &'t RawValue,
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

/// Messages in an array, or one after the other with nothing between them.
///
/// # Errors
/// What was expected and what was found.
pub fn messages(text: &[u8]) -> Result<Vec<Message<'_>>, String> {
    let read = if text.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(text)
    } else {
        serde_json::Deserializer::from_slice(text).into_iter().collect()
    };
    let messages: Vec<Message<'_>> = read.map_err(expected)?;
    let is_one = |message: &Message<'_>| message.awslogs.is_some() || !message.kind.is_empty();
    if messages.iter().all(is_one) { Ok(messages) } else { Err(expected("no `messageType`")) }
}

fn expected(error: impl std::fmt::Display) -> String {
    format!("expected a CloudWatch Logs subscription message, found {error}")
}

/// Whether an event has a line.
pub fn has_line(event: &RawValue) -> bool {
    serde_json::from_str(event.get()).is_ok_and(|outline: Outline<'_>| outline.message.get().starts_with('"'))
}

/// Reads one event of a message.
pub fn read(message: &Message<'_>, event: &RawValue, context: &Context) -> Vec<Fate> {
    let (group, stream) = (&message.log_group, &message.log_stream);
    let function = envelope::function_of(group, stream).or_else(|| context.function.as_ref().map(FunctionName::as_str));
    let value: Result<Value, _> = serde_json::from_str(event.get());
    let read = value.as_ref().map_err(|error| Reject::new(format!("expected a log event, found {error}"), event.get()));
    let event = match read.and_then(LogEvent::of) {
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
    fates.into_iter().map(|fate| about(fate, message, &event)).collect()
}

/// Adds where the line comes from.
fn about(fate: Fate, message: &Message<'_>, event: &LogEvent<'_>) -> Fate {
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
