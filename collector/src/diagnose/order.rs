//! How the limits of one request stand to each other: each layer should give up before the one outside it does.
//!
//! Which settings bound a whole request, and the most that they may be set to, is what products document (`documented/`);
//! which of two is the outer one, `limits::order` says, as for `overrun lint`.

use std::collections::BTreeSet;

use domain::{Advice, KnownFrom, Layer, Limit, Millis, Outcome, Product};

use super::advice::plain;
use super::firing::Firing;
use crate::correlate::{Case, learned};
use crate::documented::{self, Bounds, Documented};
use crate::estimate::as_written;
use crate::limits::order::out_of_order;

/// What is documented of a setting that bounds a whole request, or the silence before its answer.
fn whole_request(limit: &Limit) -> Option<&'static Documented> {
    let entry = documented::limit(limit.product.as_str(), &limit.setting)?;
    matches!(entry.bounds, Bounds::Request | Bounds::Idle).then_some(entry)
}

/// The most that a platform lets a limit be set to.
fn maximum(limit: &Limit) -> Option<Millis> {
    let entry = whole_request(limit)?;
    if entry.is_fixed() { limit.value_ms } else { entry.max() }
}

/// Every limit on the whole of this request whose value is known, beside the one that fired, each once, outermost first.
fn known(case: &Case<'_>, firing: &Firing) -> Vec<Limit> {
    let claimed = case.evidence().filter_map(|one| one.claim.limit.clone());
    let all = case.knowledge.of(case.function()).cloned().chain(claimed).chain(banner(case));
    let is_fired =
        |limit: &Limit| firing.limit.as_ref().is_some_and(|fired| (&fired.product, &fired.setting) == (&limit.product, &limit.setting));
    let has_value = |limit: &Limit| limit.value_ms.is_some_and(|value| value > Millis::ZERO);
    let found: BTreeSet<Limit> = all.filter(|limit| has_value(limit) && !is_fired(limit) && whole_request(limit).is_some()).collect();
    // Several values of one setting: nothing tells which of them holds here.
    let same = |one: &Limit, other: &Limit| (&one.product, &one.setting) == (&other.product, &other.setting);
    let is_only = |limit: &&Limit| found.iter().filter(|other| same(limit, other)).all(|other| other.value_ms == limit.value_ms);
    let mut unique: Vec<Limit> = found.iter().filter(is_only).cloned().collect();
    // Where one value is known twice, the place where it is set says more.
    unique.sort_by_cached_key(|limit| (limit.layer, limit.product.clone(), limit.setting.clone(), limit.place.is_none(), limit.known_from));
    unique.dedup_by(|a, b| same(a, b));
    unique
}

/// What the banner of of-watchdog says of its limit on a request.
fn banner(case: &Case<'_>) -> Option<Limit> {
    let value = learned(&case.server, "exec_timeout_ms")?;
    Some(Limit {
        layer: Layer::FunctionWatchdog,
        product: case.server.iter().find_map(|one| one.claim.platform.clone()).unwrap_or_else(|| Product::from("of_watchdog")),
        setting: "exec_timeout".to_owned(),
        value_ms: Some(value),
        known_from: KnownFrom::Learned,
        place: None,
    })
}

/// The limits of layers inside the one that fired, outermost first; with those of its own layer where it ended a stop or bounds
/// no request.
pub fn inside(case: &Case<'_>, firing: &Firing) -> Vec<Limit> {
    let Some(layer) = firing.limit.as_ref().map(|limit| limit.layer).or(firing.layer) else { return Vec::new() };
    let fired = firing.limit.as_ref().filter(|_| firing.outcome != Outcome::DroppedAtShutdown);
    let bounds_request = fired.is_some_and(|fired| whole_request(fired).is_some());
    let is_inside = |limit: &Limit| limit.layer > layer || limit.layer == layer && !bounds_request;
    known(case, firing).into_iter().filter(is_inside).collect()
}

/// The nearest limit of a layer outside the one that fired.
fn outside(case: &Case<'_>, firing: &Firing) -> Option<Limit> {
    let layer = firing.limit.as_ref()?.layer;
    known(case, firing).into_iter().rfind(|limit| limit.layer < layer)
}

/// Whether the inner one cannot end the work before the outer one gives up on it.
pub fn is_inverted(outer: &Limit, inner: &Limit) -> bool {
    out_of_order([outer, inner]).iter().any(|found| found.outer == outer && found.inner == inner)
}

/// Whether any line of the request is of the limit's product.
pub fn took_part(case: &Case<'_>, limit: &Limit) -> bool {
    case.evidence().chain(case.server.iter().copied()).any(|one| {
        one.claim.platform.as_ref() == Some(&limit.product) || one.claim.limit.as_ref().is_some_and(|named| named.product == limit.product)
    })
}

/// Both ways of putting two limits in order, the inner one first: it needs nobody else's consent.
pub fn repairs(outer: &Limit, inner: &Limit) -> Vec<Advice> {
    let (Some(given), Some(allowed)) = (outer.value_ms, inner.value_ms) else { return Vec::new() };
    let (outers, inners) = (outer.product.title(), inner.product.title());
    let text = format!(
        "Set it below {outers}'s {given}, so that the work ends before the caller is told that it failed. As it is, {inners} works on for nobody."
    );
    let shorter = change_limit(inner, below(given), &text);
    let needed = above(allowed);
    let longer = match maximum(outer) {
        Some(most) if needed > most => {
            let text = format!("Or have it wait longer than {inners}'s {allowed}: it cannot, {most} is the most that is allowed.");
            plain("order_limits", &format!("{outers}'s `{}`: {text}", outer.setting))
        }
        _ => change_limit(
            outer,
            Some(needed),
            &format!("Or have it wait longer than {inners}'s {allowed}, if the work is meant to take this long."),
        ),
    };
    vec![shorter, longer]
}

fn change_limit(limit: &Limit, to: Option<Millis>, text: &str) -> Advice {
    let written = as_written(limit);
    Advice {
        setting: Some(limit.setting.clone()),
        place: limit.place.clone().or_else(|| whole_request(limit).map(Documented::place)),
        from: limit.value_ms.map(&written),
        to: to.map(&written),
        ..plain("order_limits", text)
    }
}

/// A twentieth and at least a second below, in whole seconds; below two seconds, a fifth.
fn below(value: Millis) -> Option<Millis> {
    const SECOND_US: i64 = 1_000_000;
    let us = value.as_us();
    let lower = if us > 2 * SECOND_US { (us - (us / 20).max(SECOND_US)) / SECOND_US * SECOND_US } else { us / 5 * 4 / 100_000 * 100_000 };
    Some(Millis::from_us(lower)).filter(|lower| *lower > Millis::ZERO)
}

/// A twentieth and at least a second above, in whole seconds.
fn above(value: Millis) -> Millis {
    const SECOND_US: i64 = 1_000_000;
    let us = value.as_us();
    Millis::from_us((us + (us / 20).max(SECOND_US) + SECOND_US - 1) / SECOND_US * SECOND_US)
}

/// What to keep in mind when the limit that fired is raised: whatever waits outside it, and the most that is allowed.
pub fn room(case: &Case<'_>, firing: &Firing) -> Option<String> {
    let fired = firing.limit.as_ref()?;
    whole_request(fired)?;
    let outer = outside(case, firing).and_then(|outer| {
        let value = outer.value_ms?;
        let order = match fired.value_ms {
            Some(own) if own >= value => "is shorter already and fires first once work takes that long",
            _ => "stands outside it and must stay longer",
        };
        Some(format!("{}'s `{}` ({value}) {order}.", outer.product.title(), outer.setting))
    });
    let most = maximum(fired).filter(|most| fired.value_ms.is_some_and(|value| value >= *most));
    let most = most.map(|most| format!("It cannot be raised: {most} is the most that is allowed."));
    let said: Vec<String> = [outer, most].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(layer: Layer, product: &'static str, setting: &str, seconds: i64) -> Limit {
        let value_ms = Some(Millis::from_ms(seconds * 1000));
        let product = Product::from(product);
        Limit { layer, product, setting: setting.to_owned(), value_ms, known_from: KnownFrom::Configured, place: None }
    }

    fn changes(outer: &Limit, inner: &Limit) -> Vec<(Option<String>, Option<String>)> {
        repairs(outer, inner).into_iter().map(|advice| (advice.setting, advice.to)).collect()
    }

    #[test]
    fn an_inner_limit_goes_below_and_an_outer_one_above_within_its_maximum() {
        let gateway = limit(Layer::Gateway, "api_gateway", "TimeoutInMillis", 29);
        let function = limit(Layer::Platform, "aws_lambda", "Timeout", 60);
        assert!(is_inverted(&gateway, &function) && !is_inverted(&function, &gateway));
        let said = changes(&gateway, &function);
        assert_eq!(said[0], (Some("Timeout".to_owned()), Some("27 s".to_owned())));
        assert_eq!(said[1], (Some("TimeoutInMillis".to_owned()), Some("63 s".to_owned())));
        let long = limit(Layer::Platform, "aws_lambda", "Timeout", 900);
        assert_eq!(changes(&gateway, &long)[1], (None, None), "300 s is the most");
    }

    #[test]
    fn limits_on_other_things_are_not_held_against_these() {
        let proxy = limit(Layer::Router, "nginx", "proxy_read_timeout", 30);
        assert!(is_inverted(&proxy, &limit(Layer::AppServer, "gunicorn", "--timeout", 31)));
        assert!(!is_inverted(&proxy, &limit(Layer::AppServer, "gunicorn", "--timeout", 29)));
        let connecting = limit(Layer::Router, "nginx", "proxy_connect_timeout", 5);
        assert!(!is_inverted(&connecting, &limit(Layer::AppServer, "gunicorn", "--timeout", 30)));
    }
}
