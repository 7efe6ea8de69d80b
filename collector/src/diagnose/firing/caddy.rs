//! Caddy: the error of `reverse_proxy` names the timer. Status 0, or 499, is a client that left.

use domain::Product;

use super::{Firing, proxy};
use crate::correlate::Case;

/// What Caddy did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    proxy::fired(case, &proxy::Proxy { product: Product::CADDY, stands_for: |setting| vec![setting.to_owned()] })
}
