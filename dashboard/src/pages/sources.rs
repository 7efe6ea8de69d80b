//! Sources: what became of what each of them sent, and the last lines that could not be read.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use store::{RejectRow, SourceRow};

use super::overview::upcoming;
use super::start::Start;
use super::{Shell, respond};
use crate::App;
use crate::error::Failure;
use crate::moment::{Moment, count, counted};
use crate::text::{RAW_CHARS_MAX, Text};

/// Rejected items shown.
const REJECTS_MAX: u32 = 50;

#[derive(Template)]
#[template(path = "pages/sources.html")]
struct SourcesPage {
    shell: Shell,
    headline: String,
    start: Option<Start>,
    table: SourceTable,
    rejects: Vec<RejectView>,
}

struct RejectView {
    at: Moment,
    source: Text,
    format: Text,
    line: String,
    reason: Text,
    text: Text,
}

/// Sources with their fates, silent ones first.
#[derive(Debug, Template)]
#[template(path = "parts/sources.html")]
pub struct SourceTable {
    rows: Vec<SourceView>,
}

// Its template escapes what it prints.
impl HtmlSafe for SourceTable {}

#[derive(Debug)]
struct SourceView {
    source: Text,
    format: Text,
    stack: Option<Text>,
    last_at: Moment,
    silent: bool,
    evidence: String,
    ignored: String,
    rejected: String,
    has_rejects: bool,
}

impl SourceTable {
    /// Shows `sources`.
    #[must_use]
    pub fn new(sources: &[SourceRow], now: Timestamp) -> Self {
        let mut sorted: Vec<_> = sources.iter().collect();
        sorted.sort_by_key(|source| (!is_silent(source), source.last_at));
        Self { rows: sorted.into_iter().map(|source| source_view(source, now)).collect() }
    }
}

fn is_silent(source: &SourceRow) -> bool {
    source.evidence + source.ignored + source.rejected == 0
}

fn source_view(source: &SourceRow, now: Timestamp) -> SourceView {
    SourceView {
        source: Text::name(&source.source),
        format: Text::name(&source.format),
        stack: (source.stack != "default").then(|| Text::name(&source.stack)),
        last_at: Moment::new(source.last_at, now),
        silent: is_silent(source),
        evidence: count(source.evidence),
        ignored: count(source.ignored),
        rejected: count(source.rejected),
        has_rejects: source.rejected > 0,
    }
}

/// `GET /sources`
pub async fn show(State(app): State<App>) -> Response {
    respond(&app, view(&app).await)
}

async fn view(app: &App) -> Result<SourcesPage, Failure> {
    let now = app.clock.now();
    let hour_ago = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    let (sources, rejects) = tokio::try_join!(app.store.sources(hour_ago, upcoming(now)), app.store.rejects(REJECTS_MAX))?;
    Ok(SourcesPage {
        shell: Shell::new(app, "Sources", "/sources", now),
        headline: headline(&sources),
        start: sources.is_empty().then(|| Start::new(app)),
        table: SourceTable::new(&sources, now),
        rejects: rejects.iter().map(|reject| reject_view(reject, now)).collect(),
    })
}

fn headline(sources: &[SourceRow]) -> String {
    if sources.is_empty() {
        return "Nothing has arrived yet".to_owned();
    }
    let silent = sources.iter().filter(|source| is_silent(source)).count() as u64;
    let rejected: u64 = sources.iter().map(|source| source.rejected).sum();
    let heard = sources.len() as u64 - silent;
    let mut parts = vec![match (heard, silent) {
        (_, 0) => format!("{} heard of in the last hour", counted(heard, "source", "sources")),
        (0, _) => format!(
            "{} silent for an hour or more",
            if silent == 1 { "The only source is".to_owned() } else { format!("All {silent} sources are") }
        ),
        _ => format!("{} silent, {heard} heard of in the last hour", counted(silent, "source", "sources")),
    }];
    parts.extend((rejected > 0).then(|| format!("{} could not be read", counted(rejected, "item", "items"))));
    parts.join("; ")
}

fn reject_view(reject: &RejectRow, now: Timestamp) -> RejectView {
    RejectView {
        at: Moment::new(reject.at, now),
        source: Text::name(&reject.source),
        format: Text::name(&reject.format),
        line: count(reject.line),
        reason: Text::line(&reject.reason, 400),
        text: Text::block(&reject.text, RAW_CHARS_MAX / 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, evidence: u64, rejected: u64, last_s: i64) -> SourceRow {
        let last_at = Timestamp::from_second(last_s).expect("in range");
        SourceRow { source: name.into(), stack: "default".into(), format: "auto".into(), last_at, evidence, ignored: 0, rejected }
    }

    #[test]
    fn the_headline_names_silence_and_loss() {
        assert_eq!(headline(&[source("a", 1, 0, 0)]), "1 source heard of in the last hour");
        assert_eq!(headline(&[source("a", 0, 0, 0)]), "The only source is silent for an hour or more");
        let mixed = [source("a", 0, 0, 0), source("b", 9, 3, 0)];
        assert_eq!(headline(&mixed), "1 source silent, 1 heard of in the last hour; 3 items could not be read");
    }

    #[test]
    fn the_longest_silent_stands_first() {
        let sources = [source("busy", 5, 0, 10), source("quiet", 0, 0, 50), source("dead", 0, 0, 1)];
        let table = SourceTable::new(&sources, Timestamp::UNIX_EPOCH);
        assert_eq!(table.rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), ["dead", "quiet", "busy"]);
    }
}
