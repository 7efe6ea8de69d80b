//! Evidence: what one source claims about one request, when it claims it, and when it reached us.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ClaimedOutcome, Confidence, FunctionName, Instance, Limit, Millis, Product, RequestId, SourceName, SpanId, StackName, TraceId, Value,
};

/// A claim, with who brought it and when. Never edited.
///
/// The diagnosis rests on [`Claim`] alone: two arrivals of one claim are one claim. When it first came counts only for how long
/// nothing more was heard, where no source tells a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The stack that the source belongs to. Keys hold within one stack.
    pub stack: StackName,
    /// Who sent it.
    pub source: SourceName,
    /// When it reached us, by our clock.
    pub received_at: Timestamp,
    /// Where it stood in what we were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What is claimed.
    pub claim: Claim,
}

/// A place in a file that somebody handed us.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The file's name as given.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
}

/// What kind of statement a claim is. The names are those of `docs/formats/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary; docs/formats/README.md explains each")]
pub enum Kind {
    InvocationStart,
    InvocationEnd,
    InvocationReport,
    Invocation,
    InitStart,
    InitRuntimeDone,
    InitReport,
    RestoreStart,
    RestoreRuntimeDone,
    RestoreReport,
    RuntimeDone,
    TimeoutNotice,
    Fault,
    Extension,
    ExtensionLog,
    Subscription,
    LogsDropped,
    Xray,
    AppLog,
    InvokeError,
    GatewayRequest,
    GatewayDetail,
    GatewayTimeout,
    GatewayError,
    Request,
    ProxyError,
    ProcessExit,
    OomKill,
    DynoError,
    PlatformRestart,
    LambdaBlock,
    ErrorPage,
    AsyncFailure,
    AsyncSuccess,
    DeliveryFailure,
    StepTimeout,
    StepFailure,
    ExecutionTimeout,
    Accepted,
    Metric,
    Header,
    LogSentinel,
    UnknownPlatformEvent,
    Unparsed,
    UnparsedDuration,
    Other,
    /// An OpenTelemetry span.
    Span,
    /// An event of a watchdog inside the function.
    WatchdogArmed,
    WatchdogNearMiss,
    WatchdogFired,
    WatchdogClosed,
    WatchdogTracepoint,
    /// A server process started; its banner may name limits.
    ServerStart,
    /// A server was told to stop, and later stopped.
    ServerStopping,
    ServerStopped,
    /// A worker process came up.
    WorkerBoot,
    /// The server gave up on a worker.
    WorkerTimeout,
    /// A worker left by itself.
    WorkerExit,
    /// A worker was ended by a signal.
    WorkerKilled,
    /// A request failed inside a worker; may carry the stack.
    RequestError,
}

impl Kind {
    /// Whether it is about what a gateway in front did with a request.
    #[must_use]
    pub fn is_of_gateway(self) -> bool {
        matches!(self, Self::GatewayRequest | Self::GatewayDetail | Self::GatewayTimeout | Self::GatewayError)
    }

    /// Whether it is about a server as a whole and not about one of its workers.
    #[must_use]
    pub fn is_of_server(self) -> bool {
        matches!(self, Self::ServerStart | Self::ServerStopping | Self::ServerStopped)
    }
}

/// One thread and what it was doing, innermost frame last.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ThreadStack {
    /// The thread's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether this thread serves the request.
    #[serde(default)]
    pub serving: bool,
    /// Whether the loop or lock was blocked, if the sender could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
    /// The frames, innermost last.
    pub frames: Vec<Frame>,
}

/// One frame of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// The function.
    pub function: String,
    /// The file, as the runtime names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A call to something else, as its caller saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Call {
    /// What was done: `POST`, `SELECT`, `connect`.
    pub operation: String,
    /// To whom: host, address or table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended; `None` while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The client's own timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_timeout_ms: Option<Millis>,
    /// The source said that the client has no timeout, which is more than not knowing it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_client_timeout: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The identity of a claim: a digest of all that it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId([u8; 8]);

impl ClaimId {
    /// Sixteen hex digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }
}

/// What is claimed. Absent fields mean "this source does not say".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// What kind of statement it is.
    pub kind: Kind,
    /// The format it was read from; one of the names of `docs/formats/`.
    pub format: String,
    /// The request it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The sender's count of tries at that request, from 1, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    /// The span it is, or was written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    /// The span above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<SpanId>,
    /// Where it ran: log stream, host, dyno.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// The process it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The function or service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
    /// The platform or program it was written by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Product>,
    /// When the source says it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// When what it tells of began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How long what it tells of took, or had taken so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<Millis>,
    /// The limit it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// How it says the request ended; absent when not decidable from this claim, which is not success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ClaimedOutcome>,
    /// Set where the outcome is the reader's inference and not the source's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_confidence: Option<Confidence>,
    /// What every thread was doing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<ThreadStack>,
    /// Calls that were open at that moment, or that a span tells of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Facts that only some formats state, under the names of `docs/formats/README.md`, units in the names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
    /// The text as received, cut at a limit.
    pub raw: String,
}

impl Claim {
    /// A claim that says nothing yet but its kind, format and text.
    #[must_use]
    pub fn new(kind: Kind, format: &str, raw: &str) -> Self {
        Self {
            kind,
            format: format.to_owned(),
            request_id: None,
            attempt: None,
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            instance: None,
            pid: None,
            function: None,
            platform: None,
            observed_at: None,
            started_at: None,
            elapsed_ms: None,
            limit: None,
            outcome: None,
            outcome_confidence: None,
            stacks: Vec::new(),
            calls: Vec::new(),
            attributes: BTreeMap::new(),
            raw: raw.to_owned(),
        }
    }

    /// The same claim with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// An attribute as a duration in milliseconds.
    #[must_use]
    pub fn millis(&self, name: &str) -> Option<Millis> {
        self.attributes.get(name).and_then(Value::as_number).map(Millis::from_ms_f64)
    }

    /// An attribute as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.attributes.get(name).and_then(Value::as_number)
    }

    /// An attribute as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_text)
    }

    /// The gateway's own ID of the request, in a line of a gateway.
    #[must_use]
    pub fn gateway_request_id(&self) -> Option<&str> {
        self.text("gateway_request_id").filter(|_| self.kind.is_of_gateway())
    }

    /// The identity of this claim.
    #[must_use]
    pub fn id(&self) -> ClaimId {
        // Room for what it comes to, as a rule: the text it was read from, its fields once more, and names.
        let mut json = Vec::with_capacity(2 * self.raw.len() + 512);
        serde_json::to_writer(&mut json, self).expect("a claim holds only what JSON can say");
        let mut id = [0; 8];
        id.copy_from_slice(&blake3::hash(&json).as_bytes()[..8]);
        ClaimId(id)
    }

    /// Whether this claim alone is reason to look at its request as a possible incident.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        let by_kind = matches!(
            self.kind,
            Kind::WorkerTimeout
                | Kind::WorkerKilled
                | Kind::ServerStopped
                | Kind::WatchdogFired
                | Kind::WatchdogArmed
                | Kind::WatchdogNearMiss
        );
        // A process that ended with a code that is no success, a request that an order to stop cut off.
        let by_words = self.kind == Kind::ProcessExit && self.number("exit_status").is_some_and(|code| code != 0.0)
            || self.kind == Kind::RequestError && self.attributes.contains_key("told_to_quit");
        by_kind || by_words || self.outcome.is_some_and(ClaimedOutcome::is_anomalous)
    }

    /// Whether it is a platform's account of an invocation that tells of no failure. Where a limit was reached all the same,
    /// another line says so: the text format's account of a success and of an old style's timeout are alike.
    #[must_use]
    pub fn is_good_report(&self) -> bool {
        self.kind == Kind::InvocationReport && self.outcome.is_none_or(|outcome| outcome == ClaimedOutcome::Success)
    }

    /// The best time to place it at: when it happened, else when it began.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.observed_at.or(self.started_at)
    }
}
