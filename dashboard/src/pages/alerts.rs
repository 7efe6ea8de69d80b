//! Alerts: which incident went to whom, and what is still on its way.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use store::{Delivery, DeliveryState, ParkedFilter};

use super::silences::SilenceList;
use super::{Shell, failed, respond};
use crate::App;
use crate::api::parked_filter;
use crate::error::Failure;
use crate::moment::{Moment, count, counted};
use crate::own_page;
use crate::query::BadParameter;
use crate::text::{Sentence, Text};
use crate::words::{self, Chip};

/// Deliveries shown: the newest.
const DELIVERIES_MAX: u32 = 100;

/// Deliveries shown that were given up: the newest.
const PARKED_MAX: u32 = 50;

#[derive(Template)]
#[template(path = "pages/alerts.html")]
struct AlertsPage {
    shell: Shell,
    headline: String,
    silences: SilenceList,
    rows: Vec<DeliveryView>,
    full: bool,
    parked: Vec<DeliveryView>,
    parked_count: String,
    replay: String,
}

struct DeliveryView {
    id: String,
    created_at: Moment,
    summary: Sentence,
    href: String,
    rule: Text,
    action: Text,
    state: Chip,
    waits: bool,
    next: Option<Moment>,
    attempts: u32,
    last_error: Option<Text>,
}

/// `GET /alerts`
pub async fn show(State(app): State<App>) -> Response {
    respond(&app, view(&app).await)
}

/// `POST /alerts/replay`
pub async fn replay(State(app): State<App>, headers: HeaderMap, form: Result<Form<Vec<(String, String)>>, FormRejection>) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let Form(pairs) = form.map_err(|_| BadParameter::new("id", "a form with `id`, or with nothing for all", ""))?;
        app.store.replay_parked(&parked_filter(&pairs)?, app.clock.now()).await?;
        Ok::<_, Failure>(())
    };
    match done.await {
        Ok(()) => Redirect::to(&app.links.path("/alerts")).into_response(),
        Err(failure) => failed(&app, &failure),
    }
}

async fn view(app: &App) -> Result<AlertsPage, Failure> {
    let now = app.clock.now();
    let all = ParkedFilter::default();
    let (deliveries, silences, parked, parked_count) = tokio::try_join!(
        app.store.deliveries(DELIVERIES_MAX),
        app.store.silences(now),
        app.store.parked_deliveries(&all, PARKED_MAX),
        app.store.parked_count()
    )?;
    Ok(AlertsPage {
        shell: Shell::new(app, "Alerts", "/alerts", now),
        silences: SilenceList::new(app, &silences, now),
        headline: headline(&deliveries),
        parked: parked.iter().map(|delivery| delivery_view(app, delivery, now)).collect(),
        parked_count: counted(parked_count, "delivery was given up", "deliveries were given up"),
        replay: app.links.path("/alerts/replay"),
        full: deliveries.len() >= DELIVERIES_MAX as usize,
        rows: deliveries.iter().map(|delivery| delivery_view(app, delivery, now)).collect(),
    })
}

/// `2 deliveries given up, 1 on its way, 40 delivered`
fn headline(deliveries: &[Delivery]) -> String {
    if deliveries.is_empty() {
        return "Nobody was told of anything yet".to_owned();
    }
    let words = [
        (DeliveryState::Parked, "given up"),
        (DeliveryState::Pending, "on the way"),
        (DeliveryState::Delivered, "delivered"),
        (DeliveryState::Declined, "left undone"),
    ];
    let parts: Vec<_> = words
        .into_iter()
        .map(|(state, words)| (deliveries.iter().filter(|delivery| delivery.state == state).count() as u64, words))
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{} {words}", count(number)))
        .collect();
    format!("Alerts: {}", parts.join(", "))
}

fn delivery_view(app: &App, delivery: &Delivery, now: Timestamp) -> DeliveryView {
    DeliveryView {
        id: delivery.id.clone(),
        created_at: Moment::new(delivery.created_at, now),
        summary: Sentence::new(&delivery.incident.summary),
        href: app.links.incident(delivery.incident.id.as_str()),
        rule: Text::name(&delivery.rule),
        action: Text::name(&delivery.action),
        state: words::delivery(delivery.state),
        waits: delivery.waits,
        next: (delivery.state == DeliveryState::Pending).then(|| Moment::new(delivery.due_at, now)),
        attempts: delivery.attempts,
        last_error: delivery.last_error.as_ref().map(|error| Text::line(error, 300)),
    }
}
