//! Varnish: `FetchError` names what failed; 503 is its answer to all of it.

use domain::Product;

use super::{Firing, proxy};
use crate::correlate::Case;

/// What Varnish did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    proxy::fired(case, &proxy::Proxy { product: Product::VARNISH, stands_for: |setting| vec![setting.to_owned()] })
}
