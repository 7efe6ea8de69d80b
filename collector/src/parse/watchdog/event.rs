//! The watchdog event as it is on the wire, field by field. Documented in `docs/wire/watchdog.md`.
//!
//! A field that cannot be read does not cost the event: its sender may be dead by now and cannot be asked again. It is left
//! out, and what was wrong with it is told beside the claim.

use domain::{Millis, ThreadStack};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One native event. Only `kind`, and `request_id` or (`instance`, `pid`), are required.
#[expect(clippy::struct_field_names, reason = "the names are those on the wire")]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event {
    /// What happened.
    pub kind: Field<EventKind>,
    /// The request, as the platform or caller names it.
    pub request_id: Field<String>,
    /// Which try at that request, from 1, where the platform says so.
    pub attempt: Field<u32>,
    /// W3C (32 hex digits) or X-Ray form.
    pub trace_id: Field<String>,
    /// 16 hex digits.
    pub span_id: Field<String>,
    /// The function's name.
    pub function: Field<String>,
    /// The function's version as the platform counts it.
    pub version: Field<String>,
    /// The release of the user's code.
    pub release: Field<String>,
    /// The stack the function belongs to.
    pub stack: Field<String>,
    /// `aws_lambda`, `gunicorn`, …: the product whose limit is being watched.
    pub platform: Field<String>,
    /// Log stream, host, container.
    pub instance: Field<String>,
    /// Process ID on that instance.
    pub pid: Field<u32>,
    /// RFC 3339, by the sender's clock.
    pub observed_at: Field<Timestamp>,
    /// The configured limit in ms, where the sender knows it.
    pub limit_ms: Field<Millis>,
    /// What was left of the limit when the handler was entered, in ms.
    pub budget_at_entry_ms: Field<Millis>,
    /// When the limit strikes, RFC 3339.
    pub deadline_at: Field<Timestamp>,
    /// How long before the deadline `fired` is sent, in ms.
    pub margin_ms: Field<Millis>,
    /// How long the request has been running, in ms.
    pub elapsed_ms: Field<Millis>,
    /// What is left until the deadline, in ms; negative from a timer that outlived its request.
    pub left_ms: Field<Millis>,
    /// The method of an HTTP request.
    pub method: Field<String>,
    /// Its path, with the query if the sender wants it known.
    pub path: Field<String>,
    /// All threads.
    pub stacks: Items<Thread>,
    /// Calls that are open.
    pub in_flight: Items<InFlight>,
    /// What keeps a Node event loop alive.
    pub open_handles: Items<String>,
    /// Memory in use.
    pub memory_bytes: Field<u64>,
    /// Processor time used, in ms.
    pub cpu_ms: Field<Millis>,
    /// How late the event loop runs its timers, in ms.
    pub loop_lag_ms: Field<Millis>,
    /// `closed`: how the request ended.
    pub outcome: Field<Ending>,
    /// `tracepoint`: the named section.
    pub section: Field<String>,
    /// `tracepoint`: whether the section was entered or left.
    pub phase: Field<Phase>,
    /// The input of the request; any JSON, `null` included.
    #[serde(deserialize_with = "present")]
    pub original_event: Option<Value>,
}

/// What a watchdog tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The watch began.
    Armed,
    /// A share of the budget is gone.
    NearMiss,
    /// The margin before the deadline is reached.
    Fired,
    /// The request ended.
    Closed,
    /// A named section was opened or closed.
    Tracepoint,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It answered.
    Ok,
    /// It answered with an error.
    Error,
    /// The server ended it, and the worker with it, because its limit had passed: the word of the server itself.
    TimedOut,
}

/// Which end of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was entered.
    Opened,
    /// It was left.
    Closed,
}

/// One thread, innermost frame last.
#[derive(Debug, Deserialize)]
pub struct Thread {
    /// The thread's name.
    pub name: Option<String>,
    /// Whether it serves the request.
    #[serde(default)]
    pub serving: bool,
    /// Whether the loop or lock was blocked; absent when not known.
    pub blocked: Option<bool>,
    /// The frames.
    #[serde(default)]
    pub frames: Vec<Frame>,
}

/// One frame of a stack.
#[derive(Debug, Deserialize)]
pub struct Frame {
    /// The function; `null` or absent for one without a name.
    pub function: Option<String>,
    /// The file, as the runtime names it.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
}

/// A call that was open.
#[derive(Debug, Deserialize)]
pub struct InFlight {
    /// `POST`, `SELECT`, `connect`.
    pub operation: String,
    /// Host, address or table.
    pub target: Option<String>,
    /// When it began, RFC 3339.
    pub started_at: Option<Timestamp>,
    /// The client's own timeout in ms: absent = not known, `null` = none set.
    #[serde(default)]
    pub client_timeout_ms: ClientTimeout,
}

/// What the sender knows of a client's timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientTimeout {
    /// The field is absent.
    #[default]
    Unknown,
    /// The field is `null`: the client has none, and would wait for ever.
    NoneSet,
    /// Its value.
    Set(Millis),
}

impl<'de> Deserialize<'de> for ClientTimeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::NoneSet, Self::Set))
    }
}

/// The event of the classic wrapper, as it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Classic {
    /// `Function timed out`.
    pub message: String,
    /// The function's input.
    #[serde(default, deserialize_with = "present")]
    pub original_event: Option<Value>,
    /// The request.
    pub original_request_id: Option<String>,
}

/// The one message of the classic wrapper.
pub const CLASSIC_MESSAGE: &str = "Function timed out";

/// Tells an event that is `null` from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A field that may be absent, and may be unreadable without costing the event.
#[derive(Debug, Default)]
pub enum Field<T> {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// As expected.
    Read(T),
    /// There, but not as expected; what was expected and what was found.
    Unreadable(String),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(Self::Absent);
        }
        Ok(serde_json::from_value(value).map_or_else(|error| Self::Unreadable(error.to_string()), Self::Read))
    }
}

/// A list of which single items may be unreadable.
#[derive(Debug)]
pub struct Items<T> {
    /// The items that were as expected.
    pub read: Vec<T>,
    /// What was wrong with the first of the others, or with the list.
    pub unreadable: Option<String>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { read: Vec::new(), unreadable: None }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut items = Self::default();
        match Value::deserialize(deserializer)? {
            Value::Null => {}
            Value::Array(values) => {
                for value in values {
                    match serde_json::from_value(value) {
                        Ok(item) => items.read.push(item),
                        Err(error) => items.unreadable = items.unreadable.or(Some(error.to_string())),
                    }
                }
            }
            _ => items.unreadable = Some("expected a list".to_owned()),
        }
        Ok(items)
    }
}

impl From<Thread> for ThreadStack {
    fn from(thread: Thread) -> Self {
        let frame = |frame: Frame| domain::Frame {
            // V8's own word for a function without a name.
            function: frame.function.unwrap_or_else(|| "<anonymous>".to_owned()),
            file: frame.file,
            line: frame.line,
        };
        Self { name: thread.name, serving: thread.serving, blocked: thread.blocked, frames: thread.frames.into_iter().map(frame).collect() }
    }
}
