//! The first page: what is wrong now, since when, where; and what came in from whom.

mod functions;
mod headline;
mod windows;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use store::{IncidentFilter, ProblemRow, SourceRow};

use self::functions::FunctionView;
use self::headline::Headline;
use self::windows::{Choice, WindowLink};
use super::incident_list::IncidentTable;
use super::sources::SourceTable;
use super::start::Start;
use super::{Shell, respond};
use crate::App;
use crate::chart::{Sparkline, Stacked};
use crate::error::Failure;
use crate::moment::{Moment, counted};
use crate::text::{Sentence, Text};
use crate::words::{self, LayerWord};

/// Problems shown; the list of incidents has the rest.
const PROBLEMS_MAX: u32 = 20;
/// Functions shown.
const FUNCTIONS_MAX: u32 = 15;
/// Incidents shown below the problems.
const INCIDENTS_MAX: u32 = 8;

#[derive(Template)]
#[template(path = "pages/overview.html")]
struct OverviewPage {
    shell: Shell,
    windows: Vec<WindowLink>,
    headline: Sentence,
    lead: String,
    poll: Option<String>,
    start: Option<Start>,
    chart: Option<Stacked>,
    problems: Vec<ProblemView>,
    more_problems: Option<String>,
    functions: Vec<FunctionView>,
    sources: Option<SourceTable>,
    latest: Option<IncidentTable>,
}

struct ProblemView {
    summary: Sentence,
    href: String,
    layer: LayerWord,
    function: Text,
    cause: String,
    trend: Option<Sparkline>,
    count: String,
    incidents: String,
    first_at: Moment,
    last_at: Moment,
}

/// `GET /?window=24h`
pub async fn show(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let asked = pairs.iter().find(|(name, _)| name == "window").map(|(_, word)| word.as_str());
    respond(&app, view(&app, asked).await)
}

async fn view(app: &App, asked: Option<&str>) -> Result<OverviewPage, Failure> {
    let now = app.clock.now();
    let newest = IncidentFilter { limit: INCIDENTS_MAX, ..IncidentFilter::default() };
    let hour_ago = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    let (newest, sources) = tokio::try_join!(app.store.incidents(&newest), app.store.sources(hour_ago, upcoming(now)))?;
    let choice = match asked {
        Some(asked) => Choice::from_word(asked)?,
        // Captured traffic keeps its own dates; a page that shows nothing of it would be of no use.
        None => Choice::for_newest(newest.first().and_then(|stored| stored.incident.at()), now),
    };
    let window = choice.window(now);
    let (counts, problems, functions) = tokio::try_join!(
        app.store.timeouts_by_layer(window.from, window.to, window.buckets),
        app.store.problems(window.from, window.to, PROBLEMS_MAX),
        app.store.functions(window.from, window.to, FUNCTIONS_MAX),
    )?;
    let chart = Stacked::draw(&counts, window, &|from, to, layer| app.links.incidents_between(from, to, layer));
    let silent = silent(&sources);
    let headline = Headline { choice, problems: &problems, sources: &sources, silent: &silent, overran: chart.total, now };
    let shown = |problem: &ProblemRow| problem_view(app, problem, choice, now);
    let is_empty = newest.is_empty() && sources.is_empty();
    Ok(OverviewPage {
        shell: Shell::new(app, "Overview", "/", now),
        windows: windows::links(app, choice),
        headline: Sentence::new(&headline.sentence()),
        lead: headline.lead(),
        poll: (!is_empty).then(|| app.links.path("/api/overrun/v1/incidents?limit=20")),
        start: is_empty.then(|| Start::new(app)),
        more_problems: (problems.len() >= PROBLEMS_MAX as usize).then(|| app.links.incidents_between(window.from, window.to, None)),
        problems: problems.iter().map(shown).collect(),
        functions: functions::views(&functions, choice.span(window), &app.links),
        sources: (!sources.is_empty()).then(|| SourceTable::new(&sources, now)),
        latest: (!newest.is_empty()).then(|| IncidentTable::new(&newest, &app.links, now)),
        chart: (chart.total > 0 && choice.has_chart()).then_some(chart),
    })
}

/// The end of a window that holds what arrives in this very minute.
pub fn upcoming(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_mins(1)).unwrap_or(now)
}

/// Sources of which nothing arrived in the window.
fn silent(sources: &[SourceRow]) -> Vec<&SourceRow> {
    sources.iter().filter(|source| source.evidence + source.ignored + source.rejected == 0).collect()
}

fn problem_view(app: &App, problem: &ProblemRow, choice: Choice, now: Timestamp) -> ProblemView {
    ProblemView {
        summary: Sentence::new(&problem.summary),
        href: app.links.problem(&problem.id),
        layer: words::layer(problem.layer),
        function: Text::name(problem.function.as_deref().unwrap_or("function not known")),
        cause: words::cause(&problem.cause),
        trend: choice.has_chart().then(|| Sparkline::draw(&problem.trend)),
        count: counted(problem.count, "incident", "incidents"),
        incidents: app.links.incidents(&[("problem", problem.id.clone())]),
        first_at: Moment::new(problem.first_at, now),
        last_at: Moment::new(problem.last_at, now),
    }
}
