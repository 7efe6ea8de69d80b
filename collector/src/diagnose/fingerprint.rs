//! What incidents of one problem have in common: stack, function, layer, cause and operation. Nothing in it differs from one
//! request to the next, or from one deploy to the next. Pure.
//!
//! Two incidents that should be one problem and are two send a message too many; two problems that are taken for one hide the
//! second. Where both cannot be had, the fingerprint rather joins: the verdict of each incident still names its own call.

pub mod steady;

use domain::{Diagnosis, FunctionName, Outcome, ProblemId, Product};

use super::firing::Firing;
use crate::correlate::Case;

/// The problem that a case belongs to.
pub fn problem(case: &Case<'_>, function: Option<&FunctionName>, firing: &Firing, diagnosis: &Diagnosis) -> ProblemId {
    let product = firing.product.as_ref().map_or("", Product::as_str);
    let function = function.map_or(product, |name| steady::function(name.as_str()));
    let operation = diagnosis.cause.operation.as_deref().map(steady::operation).unwrap_or_default();
    ProblemId::derive(&[
        case.stack.as_str(),
        function,
        diagnosis.layer.map_or("", domain::Layer::as_str),
        product,
        diagnosis.limit.as_ref().map_or("", |limit| &limit.setting),
        ending(firing.outcome),
        &diagnosis.cause.id,
        &operation,
    ])
}

/// A request that barely made it has the problem of those that did not.
fn ending(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NearMiss => Outcome::Timeout.as_str(),
        other => other.as_str(),
    }
}
