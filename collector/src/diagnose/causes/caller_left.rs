//! `caller_left`: an outer layer gave up first, while the function went on.
//!
//! Looks at: what acted first. Conclusive, because it is recognised from the caller's own end. Looks the same: clocks that
//! disagree by more than the function went on.

use domain::Outcome;

use super::Recognised;
use crate::correlate::Case;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    (firing.outcome == Outcome::CallerLeft).then(|| Recognised { operation: None, waited_ms: case.elapsed(), reasons: Vec::new() })
}
