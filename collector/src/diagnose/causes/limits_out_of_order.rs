//! `limits_out_of_order`: an outer limit fired although an inner one, which is longer, was there to end the work.
//!
//! Looks at: the limit that fired against those known of the layers inside it. Conclusive, because an inner limit that is
//! longer can only fire on work that nobody waits for any more. Looks the same: an inner limit that belongs to another
//! service behind the same proxy; one that is only configured, and of which no line of this request tells, is `possible`.
//! What to change: the inner limit, to less than the outer one; or the outer, to more.

use domain::{Confidence, KnownFrom, Limit, Outcome};

use super::{Calls, Recognised};
use crate::correlate::Case;
use crate::diagnose::firing::Firing;
use crate::diagnose::order;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    let outer = firing.limit.as_ref().filter(|_| matches!(firing.outcome, Outcome::Timeout | Outcome::CallerLeft))?;
    let inside = order::inside(case, firing);
    let inner = inside.iter().find(|inner| order::is_inverted(outer, inner))?;
    let (given, allowed) = (outer.value_ms?, inner.value_ms?);
    let confidence = match inner.known_from {
        _ if !order::took_part(case, inner) => Confidence::Possible,
        KnownFrom::Default => Confidence::Possible,
        _ => Confidence::Certain,
    };
    let text = format!(
        "{} gives up after {given}, {} lets it run until {allowed}: the inner limit cannot end it in time",
        named(outer),
        named(inner)
    );
    let found = Recognised { waited_ms: Some(given), ..Recognised::new(confidence) }.because(text, Vec::new());
    let why = format!("{} inside it is longer ({allowed}) and could not end it first", named(inner));
    Some(order::repairs(outer, inner).into_iter().fold(found.says(why), Recognised::change))
}

/// `gunicorn's `--timeout``.
fn named(limit: &Limit) -> String {
    format!("{}'s `{}`", limit.product.title(), limit.setting)
}
