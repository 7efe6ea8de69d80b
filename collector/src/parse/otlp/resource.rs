//! What is said of a whole resource, read once for all its spans.

use domain::Value;

use super::attributes;
use super::value::Pair;

/// What describes the resource well enough to be kept with each of its spans.
const KEPT: [&str; 8] = [
    "service.name",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
    "host.name",
    "k8s.pod.name",
    "faas.version",
    "cloud.region",
];

/// A resource: a process, mostly.
#[derive(Clone, Debug, Default)]
pub struct Resource<'a> {
    pub attributes: Vec<Pair<'a>>,
    /// Those of them that are kept with each span, redacted.
    kept: Vec<(&'static str, Value)>,
}

impl<'a> Resource<'a> {
    /// The resource of these attributes.
    pub fn new(attributes: Vec<Pair<'a>>) -> Self {
        let kept = KEPT.iter().filter_map(|name| Some((*name, attributes::kept_value(&attributes, name)?)));
        Self { kept: kept.collect(), attributes }
    }

    /// What is kept with a span of it.
    pub fn kept(&self) -> impl Iterator<Item = (String, Value)> {
        self.kept.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))
    }
}
