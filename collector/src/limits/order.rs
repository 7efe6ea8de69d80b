//! Which limits are in the wrong order: an outer one that is shorter than an inner one, so that the inner one cannot fire
//! usefully and work goes on that nobody waits for. Pure.
//!
//! Compared is only what measures the same wait: the whole of a request, or the silence before its answer. A connection's
//! coming up, a queue, a client's upload, processor time are other things. Nothing is claimed from a default against a
//! default, nor from a default that nobody has verified.

use domain::{KnownFrom, Limit, Millis};

use crate::documented::{self, Bounds, Documented};

/// An outer limit that is shorter than an inner one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inversion<'l> {
    /// The one that ends first although it should be the last resort.
    pub outer: &'l Limit,
    /// The one that would let the work go on.
    pub inner: &'l Limit,
}

/// A limit on a request's way.
#[derive(Clone, Copy, Debug)]
pub struct Step<'l> {
    /// The limit.
    pub limit: &'l Limit,
    /// How many parts of the stack lie further out: the same number for limits of one part.
    pub depth: usize,
}

/// The inversions among limits that hold for one request, whatever their order. Where a setting has several values, nothing
/// tells which one holds, and it is left out; so are two products of one layer, of which nothing tells which is in front.
#[must_use]
pub fn out_of_order<'l>(limits: impl IntoIterator<Item = &'l Limit>) -> Vec<Inversion<'l>> {
    let limits: Vec<&Limit> = limits.into_iter().collect();
    let one_value =
        |limit: &&Limit| limits.iter().filter(|other| is_same_setting(limit, other)).all(|other| other.value_ms == limit.value_ms);
    let mut chain: Vec<&Limit> = limits.iter().copied().filter(one_value).collect();
    chain.sort();
    chain.dedup_by(|a, b| is_same_setting(a, b));
    let steps: Vec<Step<'_>> = chain.into_iter().map(|limit| Step { limit, depth: 0 }).collect();
    in_chain(&steps)
}

/// The inversions along a chain, outermost first. Of limits of one part, layers tell the order; settings of one product that
/// must lie within each other are told by the table.
#[must_use]
pub fn in_chain<'l>(chain: &[Step<'l>]) -> Vec<Inversion<'l>> {
    let limits: Vec<&Limit> = chain.iter().map(|step| step.limit).collect();
    let mut found = Vec::new();
    for (position, first) in chain.iter().enumerate() {
        for second in &chain[position + 1..] {
            let Some((outer, inner)) = nested(*first, *second, chain, &limits) else { continue };
            if outer.value_ms < inner.value_ms && may_be_claimed(outer, inner, &limits) {
                found.push(Inversion { outer, inner });
            }
        }
    }
    let all = found.clone();
    found.retain(|pair| !is_implied(pair, &all));
    found
}

/// Which of two is the outer one, if the two measure the same wait.
fn nested<'l>(first: Step<'l>, second: Step<'l>, chain: &[Step<'l>], limits: &[&Limit]) -> Option<(&'l Limit, &'l Limit)> {
    let (one, other) = (compared(first.limit, limits)?, compared(second.limit, limits)?);
    if first.limit.product == second.limit.product && first.depth == second.depth {
        let lies_within = |inner: &Documented, outer: &Documented| inner.within.contains(&outer.setting);
        return match (lies_within(one, other), lies_within(other, one)) {
            (true, _) => Some((second.limit, first.limit)),
            (_, true) => Some((first.limit, second.limit)),
            _ => None,
        };
    }
    // Of settings that lie within each other, the innermost speaks for the product towards others.
    let is_envelope = |step: Step<'_>, entry: &Documented| {
        let inside = chain.iter().filter(|other| other.depth == step.depth && other.limit.product == step.limit.product);
        inside.filter_map(|other| self::entry(other.limit)).any(|other| other.within.contains(&entry.setting))
    };
    if is_envelope(first, one) || is_envelope(second, other) {
        return None;
    }
    let is_ordered = first.depth != second.depth || first.limit.layer != second.limit.layer;
    // A queue hands out again what lies further in; background work has nobody who waits.
    let is_comparable = other.bounds != Bounds::Redelivery && one.bounds != Bounds::Task && other.bounds != Bounds::Task;
    (is_ordered && is_comparable).then_some((first.limit, second.limit))
}

/// What the table says of a limit that can be held against others here.
fn compared(limit: &Limit, chain: &[&Limit]) -> Option<&'static Documented> {
    let entry = entry(limit)?;
    let replaced = chain
        .iter()
        .filter(|other| other.product == limit.product)
        .any(|other| self::entry(other).is_some_and(|other| other.instead_of.contains(&entry.setting)));
    let measures = matches!(entry.bounds, Bounds::Request | Bounds::Idle | Bounds::Redelivery | Bounds::Task);
    (measures && !replaced && limit.value_ms.is_some_and(|value| value > Millis::ZERO)).then_some(entry)
}

/// Whether enough is known to say it.
fn may_be_claimed(outer: &Limit, inner: &Limit, chain: &[&Limit]) -> bool {
    if !is_trusted(outer) || !is_trusted(inner) || is_default(outer) && is_default(inner) {
        return false;
    }
    // A default that something further in keeps from ever being reached does no harm.
    let further_in = chain.iter().skip_while(|limit| **limit != inner).skip(1);
    let bounded =
        further_in.filter(|limit| compared(limit, chain).is_some() && is_trusted(limit)).any(|limit| limit.value_ms <= outer.value_ms);
    !bounded || !is_default(outer) && !is_default(inner)
}

/// What the table says of a limit.
fn entry(limit: &Limit) -> Option<&'static Documented> {
    documented::limit(limit.product.as_str(), &limit.setting)
}

fn is_default(limit: &Limit) -> bool {
    limit.known_from == KnownFrom::Default
}

/// A default counts if somebody has looked it up.
fn is_trusted(limit: &Limit) -> bool {
    !is_default(limit) || entry(limit).is_some_and(|entry| entry.verified)
}

/// Whether two shorter steps say the same, or the inner one is a default and a stated one further in says it better.
fn is_implied(pair: &Inversion<'_>, all: &[Inversion<'_>]) -> bool {
    let has = |outer: &Limit, inner: &Limit| all.iter().any(|other| other.outer == outer && other.inner == inner);
    let between = all.iter().filter(|other| other.outer == pair.outer && other.inner != pair.inner);
    let stated = |limit: &Limit| limit.known_from != KnownFrom::Default;
    between.clone().any(|step| stated(step.inner) && has(step.inner, pair.inner))
        || is_default(pair.inner) && between.clone().any(|other| stated(other.inner) && other.inner.layer > pair.inner.layer)
}

fn is_same_setting(one: &Limit, other: &Limit) -> bool {
    one.product == other.product && (one.setting == other.setting || entry(one).is_some_and(|entry| entry.is_called(&other.setting)))
}

#[cfg(test)]
mod tests {
    use domain::{Layer, Product};

    use super::*;

    fn limit(product: &'static str, setting: &str, ms: i64, known_from: KnownFrom) -> Limit {
        let layer = documented::limit(product, setting).map_or(Layer::Application, |entry| entry.layer);
        let place = (known_from == KnownFrom::Configured).then(|| format!("{product}.conf"));
        Limit {
            layer,
            product: Product::from(product),
            setting: setting.to_owned(),
            value_ms: Some(Millis::from_ms(ms)),
            known_from,
            place,
        }
    }

    fn set(product: &'static str, setting: &str, ms: i64) -> Limit {
        limit(product, setting, ms, KnownFrom::Configured)
    }

    fn by_default(product: &'static str, setting: &str) -> Limit {
        documented::limit(product, setting).and_then(Documented::as_default).expect("the table has a default")
    }

    fn check(limits: &[Limit], expected: &[(&str, &str)]) {
        let found: Vec<_> =
            out_of_order(limits).iter().map(|found| (found.outer.product.to_string(), found.inner.product.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(outer, inner)| ((*outer).to_owned(), (*inner).to_owned())).collect();
        assert_eq!(found, expected, "{limits:#?}");
    }

    #[test]
    fn an_outer_limit_below_an_inner_one_is_found_in_any_order() {
        let function = set("aws_lambda", "Timeout", 60_000);
        let gateway = by_default("api_gateway", "TimeoutInMillis");
        check(&[function.clone(), gateway.clone()], &[("api_gateway", "aws_lambda")]);
        check(&[gateway, set("aws_lambda", "Timeout", 29_000)], &[]);
    }

    #[test]
    fn defaults_alone_prove_nothing() {
        check(&[by_default("cloudfront", "OriginReadTimeout"), by_default("vercel", "maxDuration")], &[]);
        check(&[by_default("fly", "http_options.idle_timeout"), set("gunicorn", "--timeout", 300_000)], &[]);
    }

    #[test]
    fn a_default_that_is_never_reached_does_no_harm() {
        let front = set("cloudfront", "OriginReadTimeout", 10_000);
        check(&[front.clone(), by_default("api_gateway", "TimeoutInMillis"), set("aws_lambda", "Timeout", 5_000)], &[]);
        let slow = set("aws_lambda", "Timeout", 20_000);
        check(&[front, by_default("api_gateway", "TimeoutInMillis"), slow], &[("cloudfront", "aws_lambda")]);
    }

    #[test]
    fn each_step_is_said_once() {
        let limits = [
            set("alb", "idle_timeout.timeout_seconds", 10_000),
            set("nginx", "proxy_read_timeout", 20_000),
            set("gunicorn", "--timeout", 30_000),
        ];
        check(&limits, &[("alb", "nginx"), ("nginx", "gunicorn")]);
    }

    #[test]
    fn settings_of_one_product_lie_within_each_other() {
        check(
            &[
                set("of_watchdog", "exec_timeout", 60_000),
                set("of_watchdog", "write_timeout", 30_000),
                set("of_watchdog", "read_timeout", 65_000),
            ],
            &[("of_watchdog", "of_watchdog")],
        );
        check(&[set("of_watchdog", "exec_timeout", 30_000), set("of_watchdog", "write_timeout", 30_000)], &[]);
    }

    #[test]
    fn what_measures_something_else_is_not_compared() {
        check(&[set("nginx", "proxy_connect_timeout", 5_000), set("gunicorn", "--timeout", 30_000)], &[]);
        check(&[set("nginx", "client_body_timeout", 5_000), set("gunicorn", "--timeout", 30_000)], &[]);
        check(&[set("nginx", "proxy_read_timeout", 60_000), set("gunicorn", "--graceful-timeout", 120_000)], &[]);
    }

    #[test]
    fn what_is_ambiguous_is_left_out() {
        let twice =
            [set("nginx", "proxy_read_timeout", 10_000), set("nginx", "proxy_read_timeout", 90_000), set("gunicorn", "--timeout", 30_000)];
        check(&twice, &[]);
        check(&[set("nginx", "proxy_read_timeout", 10_000), set("haproxy", "timeout server", 30_000)], &[]);
        check(&[set("apache", "Timeout", 10_000), set("apache", "ProxyTimeout", 60_000), set("gunicorn", "--timeout", 30_000)], &[]);
    }
}
