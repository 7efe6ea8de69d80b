//! A table of incidents, as the list, the search and the page of a request show it.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::Timestamp;
use store::StoredIncident;

use crate::links::Links;
use crate::moment::Moment;
use crate::text::{Sentence, Text};
use crate::words::{self, Chip, LayerWord};

/// Incidents, one per row.
#[derive(Debug, Template)]
#[template(path = "parts/incident_table.html")]
pub struct IncidentTable {
    rows: Vec<Row>,
}

// Its template escapes what it prints.
impl HtmlSafe for IncidentTable {}

#[derive(Debug)]
struct Row {
    at: Moment,
    /// Whether `at` is our own clock's, because no source gave a time.
    is_arrival: bool,
    function: Option<Text>,
    summary: Sentence,
    href: String,
    took: Option<String>,
    layer: LayerWord,
    outcome: Chip,
    state: Chip,
}

impl IncidentTable {
    /// Shows `incidents` in their order.
    #[must_use]
    pub fn new(incidents: &[StoredIncident], links: &Links, now: Timestamp) -> Self {
        Self { rows: incidents.iter().map(|stored| row(stored, links, now)).collect() }
    }
}

fn row(stored: &StoredIncident, links: &Links, now: Timestamp) -> Row {
    let incident = &stored.incident;
    let function = incident.function.as_ref().map(domain::FunctionName::as_str);
    Row {
        is_arrival: incident.at().is_none(),
        at: Moment::new(incident.at().unwrap_or(stored.first_seen_at), now),
        function: function.map(Text::name),
        summary: Sentence::new(&incident.summary),
        href: links.incident(incident.id.as_str()),
        took: incident.elapsed_ms.map(|elapsed| elapsed.to_string()),
        layer: words::layer(incident.diagnosis.layer),
        outcome: words::outcome(incident),
        state: words::state(incident.state),
    }
}
