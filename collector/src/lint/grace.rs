//! The stop: what runs a server gives it a grace period and then kills it. Is that longer than the server needs?
//!
//! What a server needs is its own graceful timeout; where that is not stated, the longest request that is stated; else its
//! documented default. A grace period that nobody set is only held against a graceful timeout that somebody did.

use domain::{KnownFrom, Layer, Limit};

use super::Rule;
use super::project::Piece;
use crate::documented::{self, Bounds, Documented};
use crate::limits::Role;
use crate::limits::order::Inversion;

/// Grace periods on a way that are shorter than what the server inside needs.
pub fn too_short<'p>(way: &[&'p Piece]) -> Vec<(Rule, Inversion<'p>)> {
    let mut found = Vec::new();
    for (position, piece) in way.iter().enumerate() {
        // Heroku holds the process of the Procfile; everything else that gives grace is one piece with what it holds.
        let held = if piece.role == Role::Heroku { way.get(position + 1) } else { None };
        let inside: Vec<&Limit> = piece.limits.iter().chain(held.iter().flat_map(|held| &held.limits)).collect();
        let grace = inside.iter().copied().filter(|limit| entry(limit).is_some_and(|entry| entry.bounds == Bounds::Grace));
        for outer in grace.filter(|limit| is_stated(limit) || entry(limit).is_some_and(|entry| entry.verified)) {
            let needed = needed(&inside, is_stated(outer)).filter(|inner| outer.value_ms < inner.value_ms);
            found.extend(needed.map(|inner| (Rule::GraceTooShort, Inversion { outer, inner })));
        }
    }
    found
}

/// The limit that says how long the server's stop takes.
fn needed<'l>(inside: &[&'l Limit], is_grace_stated: bool) -> Option<&'l Limit> {
    let longest = |is_it: &dyn Fn(&Limit, &Documented) -> bool| {
        inside.iter().copied().filter(|limit| entry(limit).is_some_and(|entry| is_it(limit, entry))).max_by_key(|limit| limit.value_ms)
    };
    let drains = |entry: &Documented| entry.bounds == Bounds::Drain || entry.drains;
    let stated = longest(&|limit, entry| is_stated(limit) && drains(entry));
    let request = || longest(&|limit, entry| is_stated(limit) && entry.bounds == Bounds::Request && limit.layer == Layer::AppServer);
    let default = || longest(&|limit, entry| !is_stated(limit) && entry.verified && entry.bounds == Bounds::Drain);
    stated.or_else(|| if is_grace_stated { request().or_else(default) } else { None })
}

fn entry(limit: &Limit) -> Option<&'static Documented> {
    documented::limit(limit.product.as_str(), &limit.setting)
}

fn is_stated(limit: &Limit) -> bool {
    limit.known_from != KnownFrom::Default
}
