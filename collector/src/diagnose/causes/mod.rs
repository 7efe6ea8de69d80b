//! Why it took so long. One file per cause; each says what it looks at, why that is conclusive, what else could look the
//! same, and what to change. The first that recognises a case is its cause; none is `unknown`.
//!
//! `calls.rs`, `stack.rs` and `processor.rs` read the kinds of evidence that several causes share.

mod caller_left;
mod calls;
mod client_timeout_too_long;
mod cold_start;
mod connect_hang;
mod cpu_bound;
mod event_loop_blocked;
mod event_loop_not_empty;
mod grace_too_short;
mod limit_too_low;
mod limits_out_of_order;
mod memory_pressure;
mod no_client_timeout;
mod processor;
mod queue_wait;
mod repeated_calls;
mod stack;
mod telemetry_overhead;
mod unknown;
mod waiting_on_downstream;
mod worker_starved;

use domain::{Advice, Cause, Citation, Confidence, Millis, Reason};

use self::calls::Calls;
pub use self::unknown::send_more;
use super::firing::Firing;
use crate::correlate::Case;

/// What a cause recognised: why we say so, and what to do about it.
pub struct Recognised {
    /// The operation in flight, where the cause is about one.
    pub operation: Option<String>,
    /// How long that took.
    pub waited_ms: Option<Millis>,
    /// How sure it is that this, and not something else, took the time.
    pub confidence: Confidence,
    /// The end of the verdict's sentence: `29.1 s went into POST payments.internal`.
    pub why: Option<String>,
    /// What would only be hidden by raising the limit that fired: `the slow call`.
    pub hidden_by_more_time: Option<&'static str>,
    /// The steps of the argument.
    pub reasons: Vec<Reason>,
    /// What to change, most useful first.
    pub advice: Vec<Advice>,
}

impl Recognised {
    /// A cause of which only this is known.
    pub fn new(confidence: Confidence) -> Self {
        Self { operation: None, waited_ms: None, confidence, why: None, hidden_by_more_time: None, reasons: Vec::new(), advice: Vec::new() }
    }

    /// With one more step of the argument, and what it rests on.
    pub fn because(mut self, text: impl Into<String>, evidence: Vec<Citation>) -> Self {
        self.reasons.push(Reason { text: text.into(), evidence });
        self
    }

    /// With one more step that rests on what the one before rests on.
    pub fn and(self, text: impl Into<String>) -> Self {
        let same = self.reasons.last().map(|reason| reason.evidence.clone()).unwrap_or_default();
        self.because(text, same)
    }

    /// With the end of the verdict's sentence.
    pub fn says(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// With one more thing to change.
    pub fn change(mut self, advice: Advice) -> Self {
        self.advice.push(advice);
        self
    }
}

/// How a cause looks at a case, and at the calls that were made in it.
type Recognise = fn(&Case<'_>, &Firing, &Calls<'_>) -> Option<Recognised>;

/// Every cause: its name, which is that of its page in `docs/causes/`, and how it is recognised. The more specific first: what
/// ended the process, what kept the handler from beginning or the worker from living, what it did, and last what only tells
/// how limits stand to each other.
pub const CAUSES: [(&str, Recognise); 17] = [
    ("grace_too_short", grace_too_short::recognise),
    ("cold_start", cold_start::recognise),
    ("queue_wait", queue_wait::recognise),
    ("worker_starved", worker_starved::recognise),
    ("event_loop_not_empty", event_loop_not_empty::recognise),
    ("telemetry_overhead", telemetry_overhead::recognise),
    ("event_loop_blocked", event_loop_blocked::recognise),
    ("connect_hang", connect_hang::recognise),
    ("no_client_timeout", no_client_timeout::recognise),
    ("client_timeout_too_long", client_timeout_too_long::recognise),
    ("cpu_bound", cpu_bound::recognise),
    ("waiting_on_downstream", waiting_on_downstream::recognise),
    ("repeated_calls", repeated_calls::recognise),
    ("limits_out_of_order", limits_out_of_order::recognise),
    ("caller_left", caller_left::recognise),
    ("memory_pressure", memory_pressure::recognise),
    ("limit_too_low", limit_too_low::recognise),
];

/// The cause of a case, and all that its file says about it.
pub fn recognise(case: &Case<'_>, firing: &Firing) -> (Cause, Recognised) {
    let calls = Calls::of(case, firing);
    let found = CAUSES.iter().find_map(|(id, recognise)| Some((*id, recognise(case, firing, &calls)?)));
    let (id, found) = found.unwrap_or_else(|| (Cause::UNKNOWN, unknown::told(case, firing)));
    let (operation, waited_ms) = (found.operation.clone(), found.waited_ms);
    (Cause { id: id.to_owned(), operation, waited_ms, confidence: found.confidence }, found)
}
