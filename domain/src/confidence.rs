//! How sure a diagnosis is.

use serde::{Deserialize, Serialize};

/// Ordered from nothing known to beyond reasonable doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing decides it; the diagnosis says what is missing.
    #[default]
    Unknown,
    /// Fits, but so do other explanations.
    Possible,
    /// Fits better than any other explanation known to us.
    Likely,
    /// Stated by the layer that acted, and nothing known contradicts it.
    Certain,
}

impl Confidence {
    /// The word used in JSON, SQL and on pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}
