//! Running requests of a problem again: what would be done with each, and the button that asks for it.

use askama::Template;
use axum::Form;
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{RetryForecast, RetryOutlook};
use jiff::Timestamp;

use super::{Shell, failed, respond};
use crate::App;
use crate::error::Failure;
use crate::moment::{Moment, counted};
use crate::own_page;
use crate::query::{BadParameter, is_problem_id};
use crate::retrying::{self, ASKED_MAX, Plan};
use crate::text::{Sentence, Text};
use crate::words::{self, Chip};

#[derive(Template)]
#[template(path = "pages/retry.html")]
struct RetryPage {
    shell: Shell,
    headline: String,
    summary: Sentence,
    problem: String,
    action: Text,
    actions: Vec<Choice>,
    since: String,
    since_at: Moment,
    button: Option<String>,
    rows: Vec<Row>,
    full: bool,
}

struct Choice {
    name: Text,
    chosen: bool,
}

struct Row {
    at: Option<Moment>,
    request: Text,
    href: String,
    outlook: Chip,
    says: Sentence,
}

type Pairs = Vec<(String, String)>;

/// `GET /problems/{id}/retry`
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>, Query(pairs): Query<Pairs>) -> Response {
    let page = match known(id) {
        Ok(id) => view(&app, &id, &pairs).await,
        Err(failure) => Err(failure),
    };
    respond(&app, page)
}

/// `POST /problems/{id}/retry`
pub async fn ask(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    form: Result<Form<Pairs>, FormRejection>,
) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let id = known(id)?;
        let Form(pairs) = form.map_err(|_| BadParameter::new("since", "a form with `action` and `since`", ""))?;
        if !pairs.iter().any(|(name, value)| name == "since" && !value.trim().is_empty()) {
            return Err(BadParameter::new("since", "the time that the page showed", "").into());
        }
        retrying::ask(&app, &id, &pairs).await?;
        Ok::<_, Failure>(id)
    };
    match done.await {
        // There it stands who was told, the retries among them.
        Ok(id) => Redirect::to(&app.links.problem(&id)).into_response(),
        Err(failure) => failed(&app, &failure),
    }
}

fn known(id: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    id.ok().map(|Path(id)| id).filter(|id| is_problem_id(id)).ok_or(Failure::NotFound("problem"))
}

async fn view(app: &App, id: &str, pairs: &[(String, String)]) -> Result<RetryPage, Failure> {
    let now = app.clock.now();
    let problem = app.store.problem(id).await?.ok_or(Failure::NotFound("problem"))?;
    let plan = retrying::plan(app, id, pairs).await?;
    Ok(RetryPage {
        shell: Shell::new(app, "Run again", "/problems/", now),
        headline: headline(&plan),
        summary: Sentence::new(&problem.summary),
        problem: app.links.problem(id),
        action: Text::name(&plan.action),
        actions: plan.actions.iter().map(|name| Choice { name: Text::name(name), chosen: *name == plan.action }).collect(),
        since: plan.since.to_string(),
        since_at: Moment::new(plan.since, now),
        button: button(&plan),
        full: plan.forecasts.len() >= ASKED_MAX as usize,
        rows: plan.forecasts.iter().map(|forecast| row(app, forecast, now)).collect(),
    })
}

/// `3 requests would be run again, 1 would wait, 2 are left`
fn headline(plan: &Plan) -> String {
    if plan.forecasts.is_empty() {
        return "No request to run again".to_owned();
    }
    let parts: Vec<_> =
        [(RetryOutlook::Runs, "would be run again"), (RetryOutlook::Waits, "would wait"), (RetryOutlook::Refused, "would be left")]
            .into_iter()
            .map(|(outlook, words)| (plan.count(outlook) as u64, words))
            .filter(|(number, _)| *number > 0)
            .map(|(number, words)| format!("{} {words}", counted(number, "request", "requests")))
            .collect();
    parts.join(", ")
}

fn button(plan: &Plan) -> Option<String> {
    let wanted = (plan.forecasts.len() - plan.count(RetryOutlook::Refused)) as u64;
    (wanted > 0).then(|| format!("Run {} again", counted(wanted, "request", "requests")))
}

fn row(app: &App, forecast: &RetryForecast, now: Timestamp) -> Row {
    let incident = &forecast.incident;
    Row {
        at: incident.at().map(|at| Moment::new(at, now)),
        request: incident.request_id.as_ref().map_or_else(|| Text::name("ID not given"), |id| Text::name(id.as_str())),
        href: app.links.incident(incident.id.as_str()),
        outlook: words::outlook(forecast.outlook),
        says: Sentence::new(&forecast.says),
    }
}
