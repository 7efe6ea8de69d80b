//! HAProxy: the termination state. A small letter is a timer of its own, the second letter the phase.
//!
//! 503 with `sQ` never reached a server, with `SC` nobody listened; 200 with `sD` is half a body; 400 with `CH` is a client
//! that left, seen only with `option abortonclose`.

use domain::Product;

use super::{Firing, proxy};
use crate::correlate::Case;

/// What HAProxy did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    proxy::fired(case, &proxy::Proxy { product: Product::HAPROXY, stands_for })
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
