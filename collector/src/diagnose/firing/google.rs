//! Google: Cloud Functions of both generations and Cloud Run. The container goes on after a 504 of Cloud Run's.

use domain::Layer;

use super::Firing;
use super::managed::{self, Platform};
use crate::correlate::Case;

/// The first generation, and the second, which is Cloud Run under another name.
const FUNCTIONS: Platform = Platform {
    names: &["gcf_gen1", "gcf_gen2"],
    product: "cloud_functions",
    layer: Layer::Platform,
    refuted_by: "an entry of this execution with another status, or a configured timeout that had not elapsed",
};

const RUN: Platform = Platform {
    names: &["cloud_run"],
    product: "cloud_run",
    layer: Layer::Platform,
    refuted_by: "a configured request timeout that had not elapsed, or an application that answers 504 by itself at that moment",
};

/// What Google's platform did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    managed::fired(case, &FUNCTIONS).or_else(|| managed::fired(case, &RUN))
}
