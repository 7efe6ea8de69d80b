//! What is known of a limit that a line names: the line's own value, the banner of the process that wrote it, configuration.

use domain::{KnownFrom, Layer, Limit, Product};

use crate::correlate::{Case, learned};

/// A limit of which a line names only the setting.
pub fn unnamed(layer: Layer, product: &Product, setting: &str) -> Limit {
    Limit { layer, product: product.clone(), setting: setting.to_owned(), value_ms: None, known_from: KnownFrom::Claimed, place: None }
}

/// The same limit with the best value there is, and with where it is set if configuration says the same.
pub fn limit(case: &Case<'_>, named: Limit) -> Limit {
    let configured = case.stated_limit(&named.product, &named.setting);
    let (value_ms, known_from) = match (named.value_ms, learned(&case.server, &format!("{}_ms", named.setting))) {
        (Some(value), _) => (value, KnownFrom::Claimed),
        (None, Some(value)) => (value, KnownFrom::Learned),
        (None, None) => return configured.cloned().unwrap_or(named),
    };
    let place = configured.filter(|limit| limit.value_ms == Some(value_ms)).and_then(|limit| limit.place.clone());
    Limit { value_ms: Some(value_ms), known_from, place, ..named }
}
