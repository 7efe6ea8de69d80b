//! From a watchdog event to a claim.

use domain::{
    Call, Claim, ClaimedOutcome, FunctionName, Instance, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId, SpanId, ThreadStack,
    TraceId, Value,
};
use serde_json::Value as Json;

use super::FORMAT;
use super::event::{CLASSIC_MESSAGE, Classic, ClientTimeout, Ending, Event, EventKind, Field, InFlight, Items, Phase, Thread};
use super::reader::{NAME_BYTES_MAX, Reader, identifier, short};
use crate::parse::{Reject, cut, redact};

/// How much of the event's text is kept.
pub(super) const RAW_BYTES_MAX: usize = 8 * 1024;
/// The largest original event that is kept; of a larger one, its digest (design §4).
const ORIGINAL_EVENT_BYTES_MAX: usize = 64 * 1024;
/// How many threads are kept, those that serve the request first.
pub(super) const STACKS_MAX: usize = 64;
/// How many frames of a thread are kept, the innermost.
const FRAMES_MAX: usize = 128;
/// How many open calls and handles are kept.
const CALLS_MAX: usize = 64;

/// Reads an event in native or classic form.
pub fn read(mut value: Json) -> Result<Claim, Reject> {
    redact_all_but_identity(&mut value);
    let raw = raw_text(&value);
    let reject = |reason: String| Reject::new(reason, &raw);
    let Json::Object(object) = &value else {
        return Err(reject(format!("expected a watchdog event as a JSON object, found {}", type_of(&value))));
    };
    if object.get("message").is_some_and(|message| message == CLASSIC_MESSAGE) && !object.contains_key("kind") {
        return classic(value, &raw);
    }
    let event: Event = serde_json::from_value(value).map_err(|error| reject(error.to_string()))?;
    native(event, &raw)
}

/// The classic wrapper's event: it fired, for this request; nothing else is said.
fn classic(value: Json, raw: &str) -> Result<Claim, Reject> {
    let event: Classic = serde_json::from_value(value).map_err(|error| Reject::new(error.to_string(), raw))?;
    let request_id = event.original_request_id.filter(|id| !id.is_empty());
    let request_id = request_id.ok_or_else(|| Reject::new("expected `originalRequestId`, found none", raw))?;
    let mut claim = Claim::new(Kind::WatchdogFired, FORMAT, raw).with("message", event.message);
    claim.request_id = Some(RequestId::from(identifier(request_id, "originalRequestId", raw)?));
    original_event(&mut claim, event.original_event);
    Ok(claim)
}

fn native(event: Event, raw: &str) -> Result<Claim, Reject> {
    let mut reader = Reader::new(raw);
    let kind = match event.kind {
        Field::Read(kind) => kind_of(kind),
        Field::Absent => {
            return Err(Reject::new("expected `kind` to be one of `armed`, `near_miss`, `fired`, `closed`, `tracepoint`, found none", raw));
        }
        Field::Unreadable(found) => return Err(Reject::new(format!("expected a known `kind`: {}", cut(&found, NAME_BYTES_MAX)), raw)),
    };
    let ending = reader.field(event.outcome, "outcome").filter(|_| kind == Kind::WatchdogClosed);
    let mut claim = Claim::new(if ending == Some(Ending::TimedOut) { Kind::WorkerTimeout } else { kind }, FORMAT, raw);
    claim.request_id = reader.identity(event.request_id, "request_id")?.map(RequestId::from);
    claim.instance = reader.identity(event.instance, "instance")?.map(Instance::from);
    claim.pid = reader.field(event.pid, "pid");
    if claim.request_id.is_none() && (claim.instance.is_none() || claim.pid.is_none()) {
        return Err(Reject::new("expected `request_id`, or `instance` and `pid`, found neither", raw));
    }
    claim.attempt = reader.field(event.attempt, "attempt");
    claim.trace_id = reader.parsed(event.trace_id, "trace_id", "32 hex digits or X-Ray's form", TraceId::parse);
    claim.span_id = reader.parsed(event.span_id, "span_id", "16 hex digits", span_id);
    claim.function = reader.name(event.function, "function").map(FunctionName::from);
    claim.platform = reader.name(event.platform, "platform").map(Product::from);
    claim.observed_at = reader.field(event.observed_at, "observed_at");
    claim.elapsed_ms = reader.field(event.elapsed_ms, "elapsed_ms");
    claim.outcome = ending.map(|ending| match ending {
        Ending::Ok => ClaimedOutcome::Success,
        Ending::Error => ClaimedOutcome::Error,
        Ending::TimedOut => ClaimedOutcome::Timeout,
    });
    if let Some(limit_ms) = reader.field(event.limit_ms, "limit_ms") {
        match claim.platform.as_ref().and_then(|platform| limit(platform, limit_ms)) {
            Some(limit) => claim.limit = Some(limit),
            None => claim = claim.with("limit_ms", limit_ms),
        }
    }
    let millis = [
        ("budget_at_entry_ms", event.budget_at_entry_ms),
        ("margin_ms", event.margin_ms),
        ("left_ms", event.left_ms),
        ("cpu_ms", event.cpu_ms),
        ("loop_lag_ms", event.loop_lag_ms),
    ];
    for (name, field) in millis {
        attribute(&mut claim, name, reader.field(field, name));
    }
    attribute(&mut claim, "deadline_at", reader.field(event.deadline_at, "deadline_at").map(|at| at.to_string()));
    #[expect(clippy::cast_precision_loss, reason = "exact up to nine petabytes of memory")]
    let memory = reader.field(event.memory_bytes, "memory_bytes").map(|bytes| bytes as f64);
    attribute(&mut claim, "memory_bytes", memory);
    for (name, field) in [
        ("version", event.version),
        ("release", event.release),
        ("stack", event.stack),
        ("section", event.section),
        ("method", event.method),
        ("path", event.path),
    ] {
        attribute(&mut claim, name, reader.name(field, name));
    }
    let phase = reader.field(event.phase, "phase").map(|phase| if phase == Phase::Opened { "opened" } else { "closed" });
    attribute(&mut claim, "phase", phase);
    what_it_was_doing(&mut claim, &mut reader, event.stacks, event.in_flight, event.open_handles);
    original_event(&mut claim, event.original_event);
    if !reader.unreadable.is_empty() {
        claim = claim.with("unreadable", Value::List(reader.unreadable.into_iter().map(Value::from).collect()));
    }
    Ok(claim)
}

/// Stacks, open calls and handles, each list bounded; `cut` names those of which something was left out.
fn what_it_was_doing(
    claim: &mut Claim,
    reader: &mut Reader<'_>,
    stacks: Items<Thread>,
    in_flight: Items<InFlight>,
    open_handles: Items<String>,
) {
    let mut shortened = Vec::new();
    let mut threads: Vec<ThreadStack> = reader.items(stacks, "stacks").into_iter().map(ThreadStack::from).collect();
    // Stable: threads of equal standing stay in the sender's order.
    threads.sort_by_key(|thread| !thread.serving);
    let deep = threads.iter().any(|thread| thread.frames.len() > FRAMES_MAX);
    for thread in &mut threads {
        let outer = thread.frames.len().saturating_sub(FRAMES_MAX);
        thread.frames.drain(..outer);
        thread.name = thread.name.as_deref().map(short);
        for frame in &mut thread.frames {
            frame.function = short(&frame.function);
            frame.file = frame.file.as_deref().map(short);
        }
    }
    if threads.len() > STACKS_MAX || deep {
        shortened.push(Value::from("stacks"));
    }
    threads.truncate(STACKS_MAX);
    claim.stacks = threads;

    let calls = reader.items(in_flight, "in_flight");
    if calls.len() > CALLS_MAX {
        shortened.push(Value::from("in_flight"));
    }
    claim.calls = calls.iter().take(CALLS_MAX).map(call).collect();

    let handles = reader.items(open_handles, "open_handles");
    if handles.len() > CALLS_MAX {
        shortened.push(Value::from("open_handles"));
    }
    if !handles.is_empty() {
        let list = handles.iter().take(CALLS_MAX).map(|handle| Value::from(short(handle))).collect();
        claim.attributes.insert("open_handles".to_owned(), Value::List(list));
    }
    if !shortened.is_empty() {
        claim.attributes.insert("cut".to_owned(), Value::List(shortened));
    }
}

fn call(open: &InFlight) -> Call {
    Call {
        operation: short(&open.operation),
        target: open.target.as_deref().map(short),
        started_at: open.started_at,
        ended_at: None,
        client_timeout_ms: match open.client_timeout_ms {
            ClientTimeout::Set(timeout) => Some(timeout),
            ClientTimeout::Unknown | ClientTimeout::NoneSet => None,
        },
        no_client_timeout: open.client_timeout_ms == ClientTimeout::NoneSet,
    }
}

/// Keeps the input of the request, or, when it is large, what it can be recognised by.
fn original_event(claim: &mut Claim, event: Option<Json>) {
    let Some(event) = event else { return };
    let text = event.to_string();
    if text.len() <= ORIGINAL_EVENT_BYTES_MAX {
        claim.attributes.insert("original_event".to_owned(), Value::from(event));
        return;
    }
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    claim.attributes.insert("original_event_bytes".to_owned(), Value::from(bytes));
    claim.attributes.insert("original_event_digest".to_owned(), Value::from(format!("blake3:{}", blake3::hash(text.as_bytes()).to_hex())));
    claim.attributes.insert("original_event_too_large".to_owned(), Value::from(true));
}

/// The limit that `limit_ms` is the value of; `None` where the platform does not say whose limit it is.
pub(super) fn limit(platform: &Product, value_ms: Millis) -> Option<Limit> {
    let (layer, setting) = match platform.as_str() {
        "aws_lambda" => (Layer::Platform, "Timeout"),
        "gunicorn" => (Layer::AppServer, "--timeout"),
        "uwsgi" => (Layer::AppServer, "harakiri"),
        "of_watchdog" => (Layer::FunctionWatchdog, "exec_timeout"),
        _ => return None,
    };
    let (product, setting) = (platform.clone(), setting.to_owned());
    Some(Limit { layer, product, setting, value_ms: Some(value_ms), known_from: KnownFrom::Claimed, place: None })
}

fn kind_of(kind: EventKind) -> Kind {
    match kind {
        EventKind::Armed => Kind::WatchdogArmed,
        EventKind::NearMiss => Kind::WatchdogNearMiss,
        EventKind::Fired => Kind::WatchdogFired,
        EventKind::Closed => Kind::WatchdogClosed,
        EventKind::Tracepoint => Kind::WatchdogTracepoint,
    }
}

/// A span ID in W3C form.
#[must_use]
pub fn span_id(text: &str) -> Option<SpanId> {
    let valid = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0');
    valid.then(|| SpanId::from(text.to_ascii_lowercase()))
}

fn attribute(claim: &mut Claim, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        claim.attributes.insert(name.to_owned(), value.into());
    }
}

/// Identifiers are opaque and may look like anything, a card number included.
fn redact_all_but_identity(value: &mut Json) {
    let Json::Object(object) = value else { return };
    let identity = ["request_id", "originalRequestId", "trace_id", "span_id", "instance"];
    let mut kept: Vec<_> = identity.iter().filter_map(|name| object.remove_entry(*name)).collect();
    redact::redact(value);
    if let Json::Object(object) = value {
        object.extend(kept.drain(..));
    }
}

/// The event in compact form. A large original event is left out of it, since it is kept on its own.
fn raw_text(value: &Json) -> String {
    let text = value.to_string();
    if text.len() <= RAW_BYTES_MAX {
        return text;
    }
    let mut shorter = value.clone();
    for name in ["original_event", "originalEvent"] {
        if let Some(event) = shorter.get_mut(name) {
            *event = Json::from(format!("[{} bytes]", event.to_string().len()));
        }
    }
    cut(&shorter.to_string(), RAW_BYTES_MAX).to_owned()
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
