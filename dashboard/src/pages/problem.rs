//! One problem: verdict → since when and how often → what to change → trend → the incidents that tell most → who was told.

mod telling;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use store::{Delivery, LayerCount, Problem, ProblemState, ReleaseRow};

use self::telling::TellingRow;
use super::advice::AdviceList;
use super::proposal::proposal;
use super::silences::SilenceList;
use super::{Shell, failed, respond};
use crate::App;
use crate::chart::{Stacked, Window};
use crate::error::Failure;
use crate::moment::{Moment, count, counted, relative};
use crate::own_page;
use crate::query::is_problem_id;
use crate::text::{Sentence, Text};
use crate::words::{self, Chip, LayerWord};

/// Latest incidents among which the telling ones are looked for.
const LOOKED_AT_MAX: u32 = 50;
/// Releases shown.
const RELEASES_MAX: u32 = 10;
/// Deliveries shown.
const DELIVERIES_MAX: u32 = 10;
/// What a problem is resolved by while nobody has to say who they are.
const SOMEBODY: &str = "somebody on the dashboard";

#[derive(Template)]
#[template(path = "pages/problem.html")]
struct ProblemPage {
    shell: Shell,
    chips: Vec<Chip>,
    summary: Sentence,
    lead: Sentence,
    history: Option<Sentence>,
    count: String,
    incidents: String,
    first_at: Moment,
    last_at: Moment,
    layer: LayerWord,
    function: Option<FunctionLink>,
    facts: Vec<Text>,
    act: Act,
    advice: AdviceList,
    proposal: Option<AdviceList>,
    chart: Stacked,
    telling: Vec<TellingRow>,
    releases: Vec<ReleaseView>,
    silences: SilenceList,
    silence: String,
    deliveries: Vec<DeliveryView>,
    retry: Option<String>,
    json: String,
}

struct FunctionLink {
    name: Text,
    href: String,
}

/// The button.
struct Act {
    href: String,
    text: &'static str,
}

struct ReleaseView {
    name: Text,
    count: String,
    href: Option<String>,
    first_at: Moment,
    last_at: Moment,
}

struct DeliveryView {
    at: Moment,
    rule: Text,
    action: Text,
    state: Chip,
    href: String,
}

/// `GET /problems/{id}`
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Response {
    let page = match known(id) {
        Ok(id) => view(&app, &id).await,
        Err(failure) => Err(failure),
    };
    respond(&app, page)
}

/// `POST /problems/{id}/resolve`
pub async fn resolve(State(app): State<App>, id: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let done = async {
        let id = allowed(id, &headers)?;
        Ok((app.store.resolve_problem(&id, SOMEBODY, app.clock.now()).await?, id))
    };
    back(&app, done.await)
}

/// `POST /problems/{id}/reopen`
pub async fn reopen(State(app): State<App>, id: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let done = async {
        let id = allowed(id, &headers)?;
        Ok((app.store.reopen_problem(&id, app.clock.now()).await?, id))
    };
    back(&app, done.await)
}

fn known(id: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    id.ok().map(|Path(id)| id).filter(|id| is_problem_id(id)).ok_or(Failure::NotFound("problem"))
}

fn allowed(id: Result<Path<String>, PathRejection>, headers: &HeaderMap) -> Result<String, Failure> {
    own_page::check(headers)?;
    known(id)
}

/// Back to the page on which the button was.
fn back(app: &App, done: Result<(bool, String), Failure>) -> Response {
    match done {
        Ok((true, id)) => Redirect::to(&app.links.problem(&id)).into_response(),
        Ok((false, _)) => failed(app, &Failure::NotFound("problem")),
        Err(failure) => failed(app, &failure),
    }
}

async fn view(app: &App, id: &str) -> Result<ProblemPage, Failure> {
    let now = app.clock.now();
    let problem = app.store.problem(id).await?.ok_or(Failure::NotFound("problem"))?;
    let window = window(&problem, now);
    let (incidents, trend, releases, deliveries, silences) = tokio::try_join!(
        app.store.incidents_of_problem(id, LOOKED_AT_MAX),
        app.store.problem_trend(id, window.from, window.to, window.buckets),
        app.store.problem_releases(id, RELEASES_MAX),
        app.store.deliveries_of_problem(id, DELIVERIES_MAX),
        app.store.silences_of_incident(&problem.latest_incident, id, now),
    )?;
    let holding: Vec<_> = silences.into_iter().filter(|silence| silence.holds_at(now)).collect();
    let silences = SilenceList::new(app, &holding, now);
    let latest = incidents.iter().find(|stored| stored.incident.id.as_str() == problem.latest_incident);
    let advice = latest.map(|stored| stored.incident.diagnosis.advice.as_slice()).unwrap_or_default();
    let proposal = match latest {
        Some(stored) => proposal(app, &stored.incident, now).await?,
        None => None,
    };
    let summary = Sentence::new(&problem.summary);
    let width_us = (window.to.as_microsecond() - window.from.as_microsecond()) / i64::from(window.buckets.max(1));
    let counts: Vec<_> = (0_i64..)
        .zip(&trend)
        .map(|(place, number)| LayerCount {
            at: window.from.saturating_add(SignedDuration::from_micros(place * width_us)).unwrap_or(window.from),
            layer: problem.layer,
            count: *number,
        })
        .collect();
    Ok(ProblemPage {
        shell: Shell::new(app, summary.plain(), "/problems/", now),
        chips: std::iter::once(words::problem(problem.state)).chain(silences.holds().then(|| words::silenced(true))).collect(),
        lead: Sentence::new(&lead(&problem, now)),
        history: history(&problem, now).map(|history| Sentence::new(&history)),
        count: counted(problem.incidents, "incident", "incidents"),
        incidents: app.links.incidents(&[("problem", id.to_owned())]),
        first_at: Moment::new(problem.first_at, now),
        last_at: Moment::new(problem.last_at, now),
        layer: words::layer(problem.layer),
        function: problem
            .function
            .as_deref()
            .map(|name| FunctionLink { name: Text::name(name), href: app.links.incidents(&[("function", name.to_owned())]) }),
        facts: facts(&problem),
        act: act(app, &problem),
        advice: AdviceList::new(advice),
        proposal: proposal.map(|advice| AdviceList::new(&[advice])),
        chart: Stacked::draw(&counts, window, &|from, to, _| app.links.incidents_of_problem(id, from, to)),
        telling: telling::rows(&incidents, app, now),
        releases: releases
            .iter()
            .filter(|row| row.release.is_some() || releases.len() > 1)
            .map(|row| release_view(app, id, row, now))
            .collect(),
        silences,
        silence: format!("{}/silence", app.links.problem(id)),
        deliveries: deliveries.iter().map(|delivery| delivery_view(app, delivery, now)).collect(),
        retry: (!(app.retrying.actions)().is_empty()).then(|| app.links.retry(id)),
        json: app.links.problem_json(id),
        summary,
    })
}

/// The shortest of some windows that reaches back to its beginning; the longest where none does.
fn window(problem: &Problem, now: Timestamp) -> Window {
    const HOUR_S: i64 = 3600;
    // Length of a bar, and how many.
    const STEPS: [(i64, u32); 4] = [(HOUR_S / 2, 48), (3 * HOUR_S, 56), (24 * HOUR_S, 60), (7 * 24 * HOUR_S, 60)];
    // Captured traffic keeps its own dates: what has long been over is shown around its end.
    let is_old = problem.last_at.as_second() < now.as_second() - 60 * 24 * HOUR_S;
    let end = if is_old { problem.last_at } else { now };
    let needed = end.as_second() - problem.first_at.as_second();
    let fits = |(step, bars): &(i64, u32)| step * (i64::from(*bars) - 1) >= needed;
    let (step, buckets) = STEPS.into_iter().find(fits).unwrap_or(STEPS[STEPS.len() - 1]);
    let to_s = end.as_second() - end.as_second().rem_euclid(step) + step;
    let at = |second: i64| Timestamp::from_second(second).unwrap_or(end);
    Window { from: at(to_s - step * i64::from(buckets)), to: at(to_s), buckets }
}

/// What stands about its life.
fn lead(problem: &Problem, now: Timestamp) -> String {
    const DAY_S: i64 = 24 * 3600;
    let quiet = now.as_second() - problem.last_at.as_second();
    match problem.state {
        ProblemState::Regressed => "It came back after it had been resolved.".to_owned(),
        ProblemState::Resolved => "It was not seen since it was resolved; if it comes back, it is said here.".to_owned(),
        ProblemState::Open if quiet > DAY_S => {
            "It was not seen in the last 24 hours. Resolve it when it is mended: then its return is told apart.".to_owned()
        }
        ProblemState::Open => "Nobody has resolved it yet.".to_owned(),
    }
}

/// When it was resolved and came back.
fn history(problem: &Problem, now: Timestamp) -> Option<String> {
    let resolved = problem.resolved_at?;
    let by = problem.resolved_by.as_deref().unwrap_or("somebody");
    let again = problem.regressed_at.map(|at| format!(", seen again {}", relative(at, now))).unwrap_or_default();
    Some(format!("Last resolved {} by {}{again}.", relative(resolved, now), Text::name(by)))
}

fn facts(problem: &Problem) -> Vec<Text> {
    let cause = match &problem.operation {
        Some(operation) => format!("{}: {operation}", words::cause(&problem.cause)),
        None => words::cause(&problem.cause),
    };
    let stack = Some(&problem.stack).filter(|stack| stack.as_str() != "default").map(|stack| format!("stack {stack}"));
    std::iter::once(cause).chain(stack).map(|fact| Text::line(&fact, 300)).collect()
}

fn act(app: &App, problem: &Problem) -> Act {
    let to = |verb: &str| format!("{}/{verb}", app.links.problem(&problem.id));
    match problem.state {
        ProblemState::Resolved => Act { href: to("reopen"), text: "Open again" },
        ProblemState::Open | ProblemState::Regressed => Act { href: to("resolve"), text: "Resolve" },
    }
}

fn release_view(app: &App, problem: &str, row: &ReleaseRow, now: Timestamp) -> ReleaseView {
    ReleaseView {
        name: Text::name(row.release.as_deref().unwrap_or("not named")),
        count: count(row.incidents),
        href: row.release.as_ref().map(|release| {
            let parameters = [("problem", problem.to_owned()), ("release", release.clone())];
            app.links.incidents(&parameters)
        }),
        first_at: Moment::new(row.first_at, now),
        last_at: Moment::new(row.last_at, now),
    }
}

fn delivery_view(app: &App, delivery: &Delivery, now: Timestamp) -> DeliveryView {
    DeliveryView {
        at: Moment::new(delivery.created_at, now),
        rule: Text::name(&delivery.rule),
        action: Text::name(&delivery.action),
        state: words::delivery(delivery.state),
        href: app.links.incident(delivery.incident.id.as_str()),
    }
}
