//! Retries: those of an incident, what would be done with a problem's, and asking for it.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{Millis, RequestId, RetryForecast};
use jiff::Timestamp;
use serde::Serialize;
use store::Retry;

use super::answer;
use crate::App;
use crate::error::Failure;
use crate::own_page;
use crate::query::is_problem_id;
use crate::retrying::{self, Plan};

/// One retry.
#[derive(Debug, Serialize)]
pub struct RetryJson {
    id: String,
    incident_id: String,
    attempt: u32,
    number: u32,
    rule: String,
    action: String,
    state: &'static str,
    begun_at: Timestamp,
    ended_at: Option<Timestamp>,
    took_ms: Option<Millis>,
    detail: String,
    result_request_id: Option<String>,
}

impl From<Retry> for RetryJson {
    fn from(retry: Retry) -> Self {
        Self {
            id: retry.id,
            incident_id: retry.incident_id,
            attempt: retry.attempt,
            number: retry.number,
            rule: retry.rule,
            action: retry.action,
            state: retry.state.as_str(),
            begun_at: retry.begun_at,
            ended_at: retry.ended_at,
            took_ms: retry.took_ms,
            detail: retry.detail,
            result_request_id: retry.result_request_id,
        }
    }
}

#[derive(Serialize)]
struct PlanJson {
    action: String,
    since: Timestamp,
    /// How many deliveries were written; 0 for a plan.
    asked: u64,
    forecasts: Vec<ForecastJson>,
}

#[derive(Serialize)]
struct ForecastJson {
    incident_id: String,
    request_id: Option<RequestId>,
    outlook: &'static str,
    says: String,
}

impl From<RetryForecast> for ForecastJson {
    fn from(forecast: RetryForecast) -> Self {
        Self {
            incident_id: forecast.incident.id.to_string(),
            request_id: forecast.incident.request_id,
            outlook: forecast.outlook.as_str(),
            says: forecast.says,
        }
    }
}

impl PlanJson {
    fn new(plan: Plan, asked: u64) -> Self {
        Self { action: plan.action, since: plan.since, asked, forecasts: plan.forecasts.into_iter().map(ForecastJson::from).collect() }
    }
}

/// `GET /api/overrun/v1/problems/{id}/retry`: what would be done.
pub async fn plan(State(app): State<App>, id: Result<Path<String>, PathRejection>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let found = async { Ok::<_, Failure>(PlanJson::new(retrying::plan(&app, &known(id)?, &pairs).await?, 0)) };
    answer(found.await)
}

/// `POST /api/overrun/v1/problems/{id}/retry`: asks for it.
pub async fn ask(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let (asked, plan) = retrying::ask(&app, &known(id)?, &pairs).await?;
        Ok::<_, Failure>(PlanJson::new(plan, asked))
    };
    answer(done.await)
}

fn known(id: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    id.ok().map(|Path(id)| id).filter(|id| is_problem_id(id)).ok_or(Failure::NotFound("problem"))
}
