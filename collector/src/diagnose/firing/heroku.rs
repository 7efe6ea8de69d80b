//! Heroku: the router's codes (H12 after 30 s without a first byte, H15, H19, H20, H27, H28) and the dyno manager's (R12, R15).
//!
//! The router does not tell the dyno that it gave up: an application that works on may finish, which makes it a caller that left.

use domain::{Confidence, Layer, Millis, Outcome, Reason};

use super::Firing;
use super::managed::{self, Platform};
use crate::correlate::Case;

const HEROKU: Platform = Platform {
    names: &["heroku"],
    product: "heroku",
    layer: Layer::Platform,
    refuted_by: "a router line of this request with another code, or with a status below 500",
};

/// What Heroku did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let mut firing = managed::fired(case, &HEROKU)?;
    if firing.outcome == Outcome::Crash && case.own.iter().any(|one| one.claim.text("code") == Some("H13")) {
        // Whoever ended the worker tells more of it than the connection that broke with it.
        if case.worker.is_some() {
            return None;
        }
        firing.confidence = Confidence::Possible;
        let text = "the dyno closed the connection without an answer: it crashed, or a server in it ended the worker at a limit of its own; the dyno's log would tell";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    let limit = firing.limit.as_ref().and_then(|limit| limit.value_ms).unwrap_or(Millis::ZERO);
    let later = managed::finished_later(case, HEROKU.names, limit);
    Some(managed::went_on(firing, later))
}
