//! Deliveries: the latest, those that were given up, and sending these again.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use store::{Delivery, ParkedFilter};

use super::answer;
use crate::App;
use crate::error::Failure;
use crate::own_page;
use crate::query::{self, BadParameter};

#[derive(Serialize)]
struct Page {
    deliveries: Vec<DeliveryJson>,
}

#[derive(Serialize)]
struct DeliveryJson {
    id: String,
    incident_id: String,
    summary: String,
    rule: String,
    action: String,
    state: &'static str,
    attempts: u32,
    created_at: Timestamp,
    due_at: Timestamp,
    last_error: Option<String>,
}

#[derive(Serialize)]
struct Replayed {
    replayed: u64,
}

impl From<Delivery> for DeliveryJson {
    fn from(delivery: Delivery) -> Self {
        Self {
            incident_id: delivery.incident.id.to_string(),
            summary: delivery.incident.summary,
            state: delivery.state.as_str(),
            id: delivery.id,
            rule: delivery.rule,
            action: delivery.action,
            attempts: delivery.attempts,
            created_at: delivery.created_at,
            due_at: delivery.due_at,
            last_error: delivery.last_error,
        }
    }
}

/// `GET /api/overrun/v1/deliveries`: the latest, or with `state=parked` those that were given up.
pub async fn list(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let found = async {
        let limit = query::LIMIT_DEFAULT;
        let deliveries = match pairs.iter().find(|(name, _)| name == "state").map(|(_, value)| value.as_str()) {
            None | Some("") => app.store.deliveries(limit).await?,
            Some("parked") => app.store.parked_deliveries(&ParkedFilter::default(), limit).await?,
            Some(other) => return Err(Failure::from(BadParameter::new("state", "`parked`, or nothing", other))),
        };
        Ok(Page { deliveries: deliveries.into_iter().map(DeliveryJson::from).collect() })
    };
    answer(found.await)
}

/// `POST /api/overrun/v1/deliveries/replay`: sends again what was given up: `id`, `action`, `since`, or all.
pub async fn replay(State(app): State<App>, headers: HeaderMap, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let filter = filter(&pairs)?;
        Ok::<_, Failure>(Replayed { replayed: app.store.replay_parked(&filter, app.clock.now()).await? })
    };
    answer(done.await)
}

/// Which of them; the page asks the same.
///
/// # Errors
///
/// The first parameter that is not known or not understood.
pub fn filter(pairs: &[(String, String)]) -> Result<ParkedFilter, BadParameter> {
    let mut filter = ParkedFilter::default();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.trim().is_empty()) {
        match name.as_str() {
            "id" => filter.id = Some(value.clone()),
            "action" => filter.action = Some(value.clone()),
            "since" => filter.since = Some(query::time("since", value)?),
            other => return Err(BadParameter::new(other, "one of id, action, since", other)),
        }
    }
    Ok(filter)
}
