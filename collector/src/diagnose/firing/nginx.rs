//! nginx: `upstream timed out` in its error log, or an access line in which no header came from the upstream.
//!
//! Each upstream module has settings of its own (`proxy_`, `fastcgi_`, `uwsgi_`, `scgi_`, `grpc_`); the error line's URL
//! tells which, an access line does not. 499 is the client, 502 the server behind. `proxy_read_timeout` is per read.

use domain::Product;

use super::{Firing, proxy};
use crate::correlate::Case;

/// What nginx did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    proxy::fired(case, &proxy::Proxy { product: Product::NGINX, stands_for })
}

const MODULES: [&str; 6] = ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"];

fn stands_for(setting: &str) -> Vec<String> {
    let mut names = vec![setting.to_owned()];
    // What was worked out from an access line carries the commonest module's name.
    if let Some(timer) = setting.strip_prefix("proxy_") {
        names.extend(MODULES[1..].iter().map(|module| format!("{module}_{timer}")));
    }
    names
}
