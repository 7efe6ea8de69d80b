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
/// `instance/…`, `loose/…`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => write!(f, "request/{id}"),
            Self::Trace(id) => write!(f, "trace/{id}"),
            Self::Worker { instance, pid } => write!(f, "worker/{pid}/{}", instance.as_ref().map_or("", Instance::as_str)),
            Self::Exchange { at, instance, request } => {
                write!(f, "exchange/{at}/{}/{request}", instance.as_ref().map_or("", Instance::as_str))
            }
            Self::Instance(instance) => write!(f, "instance/{instance}"),
            Self::Loose(id) => write!(f, "loose/{}", id.to_hex()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Claim, ClaimedOutcome, Kind, Product};

    #[test]
    fn a_proxys_lines_of_one_end_meet_within_a_second() {
        let line = |kind: Kind, product: &Product, second: u32, path: &str| {
            let mut claim = Claim::new(kind, "", "").with("method", "GET").with("path", path);
            claim.platform = Some(product.clone());
            claim.observed_at = format!("2026-11-27T22:30:{second}.4Z").parse().ok();
            claim.outcome = Some(ClaimedOutcome::Timeout);
            claim
        };
        let access =
            |product: &Product, path: &str| Claim { request_id: Some("r".into()), ..line(Kind::GatewayRequest, product, 55, path) };
        let meet = |error: &Claim, access: &Claim| access.links().iter().any(|link| link.to == error.key());
        let nginx = Product::NGINX;
        for (second, fits) in [(53, false), (54, true), (55, true), (56, true), (57, false)] {
            assert_eq!(meet(&line(Kind::ProxyError, &nginx, second, "/pay"), &access(&nginx, "/pay")), fits, "{second}");
        }
        assert!(!meet(&line(Kind::ProxyError, &nginx, 55, "/"), &access(&nginx, "/pay")));
        assert!(!meet(&line(Kind::ProxyError, &nginx, 55, "/pay"), &access(&nginx, "/pay?order=7")));
        assert!(
            meet(&line(Kind::ProxyError, &Product::APACHE, 55, "/pay"), &access(&Product::APACHE, "/pay?order=7")),
            "it names no query"
        );
        let answered = Claim { outcome: Some(ClaimedOutcome::Success), ..access(&nginx, "/pay") };
        assert!(answered.links().is_empty(), "an answer wrote no error");
        assert_eq!(line(Kind::ProxyError, &nginx, 55, "/pay").key().to_string(), "exchange/2026-11-27T22:30:55Z//GET /pay");
    }
}
