//! HAProxy: the termination state. A small letter is a timer of its own, the second letter the phase.
//!
//! 503 with `sQ` never reached a server, with `SC` nobody listened; 200 with `sD` is half a body; 400 with `CH` is a client
//! that left, seen only with `option abortonclose`.

use domain::{Confidence, KnownFrom, Limit, Product, Reason};

use super::{Firing, proxy};
use crate::correlate::Case;

/// What HAProxy did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let mut firing = proxy::fired(case, &proxy::Proxy { product: Product::HAPROXY, stands_for })?;
    let is_unsure = |limit: &Limit| limit.setting == "timeout http-request" && limit.known_from != KnownFrom::Configured;
    if firing.limit.as_ref().is_some_and(is_unsure) {
        firing.confidence = Confidence::Possible;
        let text = "where `timeout http-request` is not set, it is `timeout client` that ends this phase: the configuration would tell";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    Some(firing)
}

fn stands_for(setting: &str) -> Vec<String> {
    let fallback = match setting {
        // Unset, these have the value of another.
        "timeout queue" => Some("timeout connect"),
        "timeout http-request" => Some("timeout client"),
        _ => None,
    };
    [Some(setting), fallback].into_iter().flatten().map(str::to_owned).collect()
}
