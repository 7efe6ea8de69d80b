//! `caller_left`: an outer layer gave up first, while the function went on.
//!
//! Looks at: what acted first. Conclusive, because it is recognised from the caller's own end. Looks the same: clocks that
//! disagree by more than the function went on.
//! What to change: end the work before the caller leaves, or have it wait longer.

use domain::{Advice, Confidence, Outcome};

use super::{Calls, Recognised};
use crate::correlate::Case;
use crate::diagnose::advice::plain;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    if firing.outcome != Outcome::CallerLeft {
        return None;
    }
    let confidence = if firing.went_on { Confidence::Certain } else { Confidence::Likely };
    let found = Recognised { waited_ms: case.elapsed(), ..Recognised::new(confidence) };
    Some(found.change(advice(firing)))
}

fn advice(firing: &Firing) -> Advice {
    let who = firing.limit.as_ref().map_or_else(|| "the caller".to_owned(), |limit| limit.product.title().to_owned());
    let within = firing.limit.as_ref().and_then(|limit| limit.value_ms).map_or(String::new(), |value| format!(" ({value})"));
    let text = format!(
        "Give what runs the request a limit shorter than {who}'s{within}, so that work ends that nobody waits for; or answer at once and do the work in the background."
    );
    plain("order_limits", &text)
}
