//! The incidents of a problem that tell most: its first, its latest, its slowest, one with a stack, one with spans.

use domain::{Incident, Layer, MarkKind};
use jiff::Timestamp;
use store::StoredIncident;

use crate::App;
use crate::moment::Moment;
use crate::text::{Sentence, Text};
use crate::words::{self, Chip};

/// One of them, and what it is shown for.
#[derive(Debug)]
pub struct TellingRow {
    /// `first, slowest`.
    pub reasons: String,
    pub at: Moment,
    pub href: String,
    pub summary: Sentence,
    pub took: Option<String>,
    pub release: Option<Text>,
    pub state: Chip,
}

/// Chooses among `incidents`; each is shown once, with everything that it is shown for.
pub fn rows(incidents: &[StoredIncident], app: &App, now: Timestamp) -> Vec<TellingRow> {
    let row = |(reasons, stored): (Vec<&str>, &StoredIncident)| {
        let incident = &stored.incident;
        TellingRow {
            reasons: reasons.join(", "),
            at: Moment::new(at(stored), now),
            href: app.links.incident(incident.id.as_str()),
            summary: Sentence::new(&incident.summary),
            took: incident.elapsed_ms.map(|elapsed| elapsed.to_string()),
            release: incident.release.as_deref().or(incident.version.as_deref()).map(Text::name),
            state: words::state(incident.state),
        }
    };
    chosen(incidents).into_iter().map(row).collect()
}

fn chosen(incidents: &[StoredIncident]) -> Vec<(Vec<&'static str>, &StoredIncident)> {
    let newest = |fits: fn(&Incident) -> bool| incidents.iter().filter(|stored| fits(&stored.incident)).max_by_key(|stored| order(stored));
    let candidates = [
        ("first", incidents.iter().min_by_key(|stored| order(stored))),
        ("latest", newest(|_| true)),
        (
            "slowest",
            incidents.iter().filter(|stored| stored.incident.elapsed_ms.is_some()).max_by_key(|s| (s.incident.elapsed_ms, order(s))),
        ),
        ("with a stack", newest(has_stack)),
        ("with spans", newest(has_spans)),
    ];
    let mut chosen: Vec<(Vec<&'static str>, &StoredIncident)> = Vec::new();
    for (reason, stored) in candidates.into_iter().filter_map(|(reason, stored)| Some((reason, stored?))) {
        match chosen.iter_mut().find(|(_, known)| known.incident.id == stored.incident.id) {
            Some((reasons, _)) => reasons.push(reason),
            None => chosen.push((vec![reason], stored)),
        }
    }
    chosen
}

fn at(stored: &StoredIncident) -> Timestamp {
    stored.incident.at().unwrap_or(stored.first_seen_at)
}

fn order(stored: &StoredIncident) -> (Timestamp, &str) {
    (at(stored), stored.incident.id.as_str())
}

fn has_stack(incident: &Incident) -> bool {
    incident.timeline.lanes.iter().flat_map(|lane| &lane.marks).any(|mark| mark.kind == MarkKind::Stack)
}

/// Calls and callers stand in lanes of their own.
fn has_spans(incident: &Incident) -> bool {
    incident.timeline.lanes.iter().any(|lane| matches!(lane.layer, Layer::Client | Layer::Downstream) && !lane.segments.is_empty())
}
