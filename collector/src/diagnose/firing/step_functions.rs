//! Step Functions: the clock of a state or of an execution. Of the function that the state called it tells nothing: that goes on.

use domain::Layer;

use super::Firing;
use super::managed::{self, Platform};
use crate::correlate::Case;

const STEP_FUNCTIONS: Platform = Platform {
    names: &["step_functions"],
    product: "step_functions",
    layer: Layer::Platform,
    refuted_by: "a later event of the same state that it succeeded",
};

/// What Step Functions did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    managed::fired(case, &STEP_FUNCTIONS)
}
