//! How a request ended: the fine words of sources, and the coarse words of incidents.

use serde::{Deserialize, Serialize};

/// What became of a request, as an incident says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A layer's limit ended it.
    Timeout,
    /// The limit was reached while the function or worker was still starting.
    InitTimeout,
    /// Killed for memory.
    OutOfMemory,
    /// The process died or was killed for another reason.
    Crash,
    /// Killed while the server or function was being stopped.
    DroppedAtShutdown,
    /// The caller, or a layer in front, gave up; the function went on.
    CallerLeft,
    /// It finished, but most of its budget was gone.
    NearMiss,
    /// It finished in time.
    Ok,
}

impl Outcome {
    /// Every outcome, in the order in which pages list them.
    pub const ALL: [Self; 8] = [
        Self::Timeout,
        Self::InitTimeout,
        Self::OutOfMemory,
        Self::Crash,
        Self::DroppedAtShutdown,
        Self::CallerLeft,
        Self::NearMiss,
        Self::Ok,
    ];

    /// The word used in JSON, SQL and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::InitTimeout => "init_timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::Crash => "crash",
            Self::DroppedAtShutdown => "dropped_at_shutdown",
            Self::CallerLeft => "caller_left",
            Self::NearMiss => "near_miss",
            Self::Ok => "ok",
        }
    }
}

/// What one source says about how a request ended. Finer than [`Outcome`]; a claim may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedOutcome {
    /// It answered well.
    Success,
    /// A limit ended it.
    Timeout,
    /// A limit ended its initialisation.
    InitTimeout,
    /// A limit ended the restoring of a snapshot.
    RestoreTimeout,
    /// Killed for memory.
    OutOfMemory,
    /// The process died.
    Crash,
    /// The process died while initialising.
    InitCrash,
    /// An extension beside it died.
    ExtensionCrash,
    /// The code answered with an error.
    Error,
    /// A limit on processor time ended it.
    CpuLimit,
    /// A layer in front gave up; the function may go on.
    GatewayTimeout,
    /// A 504 from further in was passed through.
    UpstreamTimeout,
    /// No connection in time.
    ConnectTimeout,
    /// The platform waited too long for the process to listen.
    BootTimeout,
    /// The process did not leave in time when told to.
    ExitTimeout,
    /// Nothing was heard for too long.
    IdleTimeout,
    /// The client sent nothing for too long.
    ClientIdleTimeout,
    /// The client closed the connection.
    ClientClosed,
    /// Refused for rate or concurrency.
    Throttled,
    /// Refused for want of capacity.
    NoCapacity,
    /// Killed while the server was being stopped.
    DroppedAtShutdown,
}

impl ClaimedOutcome {
    /// Whether this claim alone is reason to look at the request as a possible incident.
    #[must_use]
    pub fn is_anomalous(self) -> bool {
        !matches!(self, Self::Success | Self::Error | Self::Throttled | Self::NoCapacity)
    }
}
