//! Problems: a filtered list, one of them, and the word that one is resolved.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use store::{Problem, ReleaseRow};

use super::answer;
use crate::App;
use crate::error::Failure;
use crate::own_page;
use crate::query::{self, Unknown, is_problem_id};

/// Releases in one answer at most.
const RELEASES_MAX: u32 = 100;
/// What a problem is resolved by while nobody has to say who they are.
const SOMEBODY: &str = "somebody by the API";

#[derive(Debug, Serialize)]
struct ProblemJson {
    id: String,
    stack: String,
    function: Option<String>,
    layer: Option<domain::Layer>,
    product: Option<String>,
    cause: String,
    operation: Option<String>,
    /// The verdict of the latest incident.
    summary: String,
    state: &'static str,
    incidents: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    latest_incident: String,
    resolved_at: Option<Timestamp>,
    resolved_by: Option<String>,
    regressed_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Page {
    problems: Vec<ProblemJson>,
    /// To be given as `before` for the page after this one; `null` on the last.
    next: Option<String>,
}

#[derive(Serialize)]
struct WithReleases {
    #[serde(flatten)]
    problem: ProblemJson,
    releases: Vec<ReleaseJson>,
}

#[derive(Serialize)]
struct ReleaseJson {
    release: Option<String>,
    incidents: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

impl From<Problem> for ProblemJson {
    fn from(problem: Problem) -> Self {
        Self {
            state: problem.state.as_str(),
            id: problem.id,
            stack: problem.stack,
            function: problem.function,
            layer: problem.layer,
            product: problem.product,
            cause: problem.cause,
            operation: problem.operation,
            summary: problem.summary,
            incidents: problem.incidents,
            first_at: problem.first_at,
            last_at: problem.last_at,
            latest_incident: problem.latest_incident,
            resolved_at: problem.resolved_at,
            resolved_by: problem.resolved_by,
            regressed_at: problem.regressed_at,
        }
    }
}

impl From<ReleaseRow> for ReleaseJson {
    fn from(row: ReleaseRow) -> Self {
        Self { release: row.release, incidents: row.incidents, first_at: row.first_at, last_at: row.last_at }
    }
}

/// `GET /api/overrun/v1/problems`
pub async fn list(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    answer(page(&app, &pairs).await)
}

async fn page(app: &App, pairs: &[(String, String)]) -> Result<Page, Failure> {
    let filter = query::read_problems(pairs, Unknown::Refuse)?;
    let problems = app.store.list_problems(&filter).await?;
    let next = query::next_problem(&problems, filter.limit);
    Ok(Page { problems: problems.into_iter().map(ProblemJson::from).collect(), next })
}

/// `GET /api/overrun/v1/problems/{id}`
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Response {
    let found = async { one(&app, &known(id)?).await };
    answer(found.await)
}

/// `POST /api/overrun/v1/problems/{id}/resolve`
pub async fn resolve(State(app): State<App>, id: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let id = known(id)?;
        app.store.resolve_problem(&id, SOMEBODY, app.clock.now()).await?;
        one(&app, &id).await
    };
    answer(done.await)
}

/// `POST /api/overrun/v1/problems/{id}/reopen`
pub async fn reopen(State(app): State<App>, id: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let id = known(id)?;
        app.store.reopen_problem(&id, app.clock.now()).await?;
        one(&app, &id).await
    };
    answer(done.await)
}

fn known(id: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    id.ok().map(|Path(id)| id).filter(|id| is_problem_id(id)).ok_or(Failure::NotFound("problem"))
}

async fn one(app: &App, id: &str) -> Result<WithReleases, Failure> {
    let (problem, releases) = tokio::try_join!(app.store.problem(id), app.store.problem_releases(id, RELEASES_MAX))?;
    let problem = problem.ok_or(Failure::NotFound("problem"))?;
    Ok(WithReleases { problem: problem.into(), releases: releases.into_iter().map(ReleaseJson::from).collect() })
}
