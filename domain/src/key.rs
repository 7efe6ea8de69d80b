//! Keys: what evidence can be found under, and what joins one key to another.

use std::fmt;

use jiff::Timestamp;

use crate::{ClaimId, Instance, RequestId, TraceId};

/// One way to find evidence. Keys hold within one stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One request, all its attempts.
    Request(RequestId),
    /// One trace; it may hold many requests.
    Trace(TraceId),
    /// One process of a server whose lines carry no request ID.
    Worker {
        /// Where it runs, if the source says so.
        instance: Option<Instance>,
        /// Its process ID there.
        pid: u32,
    },
    /// What a proxy had at one second with one request line: where its error lines, which name no request, meet its access lines.
    Exchange {
        /// The whole second.
        at: Timestamp,
        /// Where the proxy runs, if the source says so.
        instance: Option<Instance>,
        /// Method and path, as far as they are known.
        request: String,
    },
    /// What began at one second on one path: where a proxy's lines, which name no request, meet the application's account of it.
    Arrival {
        /// The whole second.
        at: Timestamp,
        /// Without its query.
        path: String,
    },
    /// One execution environment: a Lambda log stream, a host.
    Instance(Instance),
    /// A claim that names nothing it could be found under.
    Loose(ClaimId),
}

/// Two keys that one claim carried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The narrower key: the one the claim is stored under.
    pub from: Key,
    /// The wider one.
    pub to: Key,
}

/// The form in which keys are stored: `request/…`, `trace/…`, `worker/PID/INSTANCE`, `exchange/TIME/INSTANCE/REQUEST`,
/// `arrival/TIME/PATH`, `instance/…`, `loose/…`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => write!(f, "request/{id}"),
            Self::Trace(id) => write!(f, "trace/{id}"),
            Self::Worker { instance, pid } => write!(f, "worker/{pid}/{}", instance.as_ref().map_or("", Instance::as_str)),
            Self::Exchange { at, instance, request } => {
                write!(f, "exchange/{at}/{}/{request}", instance.as_ref().map_or("", Instance::as_str))
            }
            Self::Arrival { at, path } => write!(f, "arrival/{at}{path}"),
            Self::Instance(instance) => write!(f, "instance/{instance}"),
            Self::Loose(id) => write!(f, "loose/{}", id.to_hex()),
        }
    }
}
