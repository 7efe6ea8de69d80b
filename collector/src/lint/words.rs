//! Findings in words.

use domain::{KnownFrom, Layer, Limit};

use super::{Finding, Rule};
use crate::documented::{self, Bounds, Documented};
use crate::limits::order::Inversion;

/// The rule that two limits in the wrong order break.
pub fn rule(pair: Inversion<'_>) -> Rule {
    match bounds(pair.outer) {
        Some(Bounds::Redelivery) => Rule::RedeliveredTooSoon,
        _ if pair.outer.product == pair.inner.product
            && pair.outer.layer == pair.inner.layer
            && pair.outer.setting != pair.inner.setting =>
        {
            Rule::SettingsOutOfOrder
        }
        _ => Rule::OuterShorterThanInner,
    }
}

/// The finding that they make.
pub fn finding(rule: Rule, pair: Inversion<'_>, service: &str) -> Finding {
    let Inversion { outer, inner } = pair;
    let (first, second) = (outer.product.title(), inner.product.title());
    let (soon, late) = (value(outer), value(inner));
    let message = match rule {
        Rule::OuterShorterThanInner => format!("{first} gives up at {soon}, {} until {late}", goes_on(inner)),
        Rule::SettingsOutOfOrder => format!("{first}'s `{}` is {soon}, shorter than its `{}` of {late}", outer.setting, inner.setting),
        Rule::RedeliveredTooSoon => format!("{first} hands the message out again after {soon}, {} until {late}", goes_on(inner)),
        Rule::GraceTooShort if bounds(inner) == Some(Bounds::Drain) => {
            format!("{first} kills it {soon} after telling it to stop, {second} waits {late} for its running requests")
        }
        Rule::GraceTooShort => format!("{first} kills it {soon} after telling it to stop, {second} lets requests run until {late}"),
    };
    let message = format!("{message} ({}; {})", told(outer), told(inner));
    Finding { rule, service: service.to_owned(), message, outer: outer.clone(), inner: inner.clone(), advice: advice(outer, inner) }
}

/// What the inner one does after the outer one has given up.
fn goes_on(inner: &Limit) -> String {
    match (inner.layer, bounds(inner)) {
        (Layer::Platform | Layer::FunctionWatchdog, Some(Bounds::Request)) => "the function runs".to_owned(),
        // With asynchronous workers gunicorn's limit is on the worker's heartbeat: it says when it acts, not how long requests run.
        (Layer::AppServer, _) => format!("{} does not step in", inner.product.title()),
        _ => format!("{} waits", inner.product.title()),
    }
}

fn value(limit: &Limit) -> String {
    limit.value_ms.map_or_else(|| "an unknown time".to_owned(), |value| documented::spoken(value.as_ms()))
}

/// Where a limit is set, or that it is not.
fn told(limit: &Limit) -> String {
    let how = match (&limit.place, limit.known_from) {
        (Some(place), _) => format!("in {place}"),
        (None, KnownFrom::Default) if limit.setting.starts_with("(fixed)") => "which cannot be set".to_owned(),
        (None, KnownFrom::Default) => "by default".to_owned(),
        (None, _) => "as stated".to_owned(),
    };
    format!("`{}` {how}", limit.setting)
}

/// What to do about the outer one; where it cannot be set, about the inner one.
fn advice(outer: &Limit, inner: &Limit) -> Option<String> {
    let of = |limit: &Limit| entry(limit).filter(|entry| !entry.is_fixed() || entry.advice.is_some()).and_then(Documented::advice);
    of(outer).or_else(|| of(inner))
}

fn entry(limit: &Limit) -> Option<&'static Documented> {
    documented::limit(limit.product.as_str(), &limit.setting)
}

fn bounds(limit: &Limit) -> Option<Bounds> {
    entry(limit).map(|entry| entry.bounds)
}
