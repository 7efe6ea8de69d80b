//! Where the time goes before a function works: its initialisation and its named sections, cold against warm.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// The start of one function, by release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StartReport {
    /// The function; `None` where files do not name one.
    pub function: Option<String>,
    /// One per release, the latest last.
    pub releases: Vec<StartOfRelease>,
}

/// The start of one release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StartOfRelease {
    /// The release, else the version; `None` where no source names one.
    pub release: Option<String>,
    /// Requests that began with an initialisation, and how long they took.
    pub cold: Seen,
    /// The others.
    pub warm: Seen,
    /// Requests of which nothing tells whether they were cold.
    pub unknown: u64,
    /// The initialisation that the platform states.
    pub init: Seen,
    /// Sections, the longest of cold starts first.
    pub sections: Vec<Section>,
}

/// How often something was seen, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// In how many requests.
    pub requests: u64,
    /// Half of them took at most so long; `None` where no duration is known.
    pub median_ms: Option<Millis>,
}

/// A named part of the work: a section between two tracepoints, or a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// In cold starts.
    pub cold: Seen,
    /// In warm requests.
    pub warm: Seen,
    /// Its part of what cold starts take longer than their handler: of all sections and the initialisation together.
    pub share_of_start: f64,
    /// What to do about it, where that can be told.
    pub remedy: Option<Remedy>,
    /// What shows it; empty without a remedy.
    pub why: String,
}

/// What makes a start shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Do it when the function is built, and load the result.
    Precompute,
    /// Do it once per instance, and keep the result.
    Reuse,
    /// Leave out what is not needed.
    Strip,
    /// Do it when it is first needed.
    BeLazy,
    /// Take something lighter.
    Replace,
}

impl Remedy {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Precompute => "precompute",
            Self::Reuse => "reuse",
            Self::Strip => "strip",
            Self::BeLazy => "be_lazy",
            Self::Replace => "replace",
        }
    }
}
