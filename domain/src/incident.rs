//! A request that overran, with its diagnosis.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Diagnosis, Frame, FunctionName, Instance, Key, Millis, Outcome, Product, RequestId, StackName, Timeline, TraceId};

/// The identity of an incident: the same subject and attempt always give the same one, on every replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(String);

impl IncidentId {
    /// Derives the identity from what the incident is about.
    #[must_use]
    pub fn derive(stack: &StackName, subject: &Key, attempt: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [stack.as_str(), "\0", &subject.to_string(), "\0", &attempt.to_string()] {
            hasher.update(part.as_bytes());
        }
        Self(hasher.finalize().to_hex()[..24].to_owned())
    }

    /// The identity as text: 24 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for IncidentId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The identity of a problem: incidents with the same function, layer, cause and operation share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProblemId(String);

impl ProblemId {
    /// Derives the fingerprint from parts in which nothing varies from one request to the next.
    #[must_use]
    pub fn derive(parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        Self(hasher.finalize().to_hex()[..16].to_owned())
    }

    /// The fingerprint as text: 16 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far we may believe that it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// The watchdog fired; nothing else yet.
    Suspected,
    /// A platform or server line says so.
    Confirmed,
    /// It finished after all.
    Survived,
    /// Deadline and grace passed and it was never closed: a silent death.
    Lost,
}

impl IncidentState {
    /// All states, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Suspected, Self::Confirmed, Self::Survived, Self::Lost];

    /// The word used in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
            Self::Survived => "survived",
            Self::Lost => "lost",
        }
    }
}

/// A request that overran (or was killed, ran out of memory, crashed, was dropped at shutdown, or lost its caller).
///
/// Its JSON is the shape of `overrun explain --json` and of the API. Fields may be added; those there stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its identity.
    pub id: IncidentId,
    /// The key it is about, in its text form; what it was derived from together with stack and attempt.
    pub subject: String,
    /// The problem it belongs to.
    pub problem: ProblemId,
    /// The request's ID; `None` when no source gave one.
    pub request_id: Option<RequestId>,
    /// Which try of the platform at that request, from 1.
    pub attempt: u32,
    /// The trace it was part of.
    pub trace_id: Option<TraceId>,
    /// The stack it belongs to.
    pub stack: StackName,
    /// The function or service.
    pub function: Option<FunctionName>,
    /// The function's version, as its platform counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The release of the user's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The platform or server that ran it.
    pub platform: Option<Product>,
    /// Where it ran.
    pub instance: Option<Instance>,
    /// The process that ran it.
    pub pid: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// How far we may believe it.
    pub state: IncidentState,
    /// When the request began.
    pub started_at: Option<Timestamp>,
    /// When it ended or was ended.
    pub ended_at: Option<Timestamp>,
    /// How long it took.
    pub elapsed_ms: Option<Millis>,
    /// The verdict in one sentence.
    pub summary: String,
    /// The conclusion.
    pub diagnosis: Diagnosis,
    /// One axis with every layer as a lane.
    pub timeline: Timeline,
    /// The input of the request, redacted, where a watchdog sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_event: Option<crate::Value>,
    /// What the thread that served it was doing when it was last looked at, where somebody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_sample: Option<StackSample>,
}

/// What one thread was doing at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackSample {
    /// When it was looked at.
    pub at: Option<Timestamp>,
    /// The frames, innermost last.
    pub frames: Vec<Frame>,
}

/// What correlation makes of one group of evidence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// The incidents, in a stable order.
    pub incidents: Vec<Incident>,
    /// When to look again although nothing new arrived: a deadline that will have passed by then.
    pub recheck_at: Option<Timestamp>,
}

impl Incident {
    /// One of which nothing is known but what it is about: a timeout that may have happened, a problem of its own.
    #[must_use]
    pub fn suspected(stack: StackName, subject: &Key, attempt: u32) -> Self {
        Self {
            id: IncidentId::derive(&stack, subject, attempt),
            subject: subject.to_string(),
            problem: ProblemId::derive(&[&subject.to_string()]),
            request_id: None,
            attempt,
            trace_id: None,
            stack,
            function: None,
            version: None,
            release: None,
            platform: None,
            instance: None,
            pid: None,
            outcome: Outcome::Timeout,
            state: IncidentState::Suspected,
            started_at: None,
            ended_at: None,
            elapsed_ms: None,
            summary: String::new(),
            diagnosis: Diagnosis::default(),
            timeline: Timeline::default(),
            original_event: None,
            stack_sample: None,
        }
    }

    /// The moment to list it under: its end, else its start.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.ended_at.or(self.started_at)
    }
}
