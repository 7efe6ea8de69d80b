//! Azure Functions: `functionTimeout`. One timeout makes several lines, and the worker's restart takes other invocations with it.

use domain::{IncidentState, Layer};

use super::Firing;
use super::managed::{self, Platform};
use crate::correlate::Case;

const AZURE: Platform = Platform {
    names: &["azure_functions"],
    product: "azure_functions",
    layer: Layer::Platform,
    refuted_by: "an `Executed` line of this invocation with `Succeeded`",
};

/// What the Functions host did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let mut firing = managed::fired(case, &AZURE)?;
    // Another line of the same timeout names the invocation; it may have come into another group.
    if case.request_id().is_none() {
        firing.state = IncidentState::Suspected;
    }
    Some(firing)
}
