//! Search by request ID, trace ID or the words of a verdict. A single hit is shown at once.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::RequestId;
use serde::Deserialize;
use store::IncidentFilter;

use super::incident_list::IncidentTable;
use super::{Shell, respond};
use crate::App;
use crate::error::Failure;
use crate::moment::counted;
use crate::query::BadParameter;
use crate::text::Text;

/// Longest text that is searched for, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// Hits shown; the list of incidents has the rest.
const HITS_MAX: u32 = 50;

#[derive(Template)]
#[template(path = "pages/search.html")]
struct SearchPage {
    shell: Shell,
    headline: String,
    asked: bool,
    table: Option<IncidentTable>,
    more: Option<String>,
}

/// Where a search leads.
enum Found {
    /// To the only hit.
    One(String),
    /// To a page.
    Page(Box<SearchPage>),
}

/// `?q=`
#[derive(Deserialize)]
pub struct Parameters {
    q: Option<String>,
}

/// `GET /search`
pub async fn show(State(app): State<App>, parameters: Result<Query<Parameters>, QueryRejection>) -> Response {
    let asked = parameters.ok().and_then(|Query(parameters)| parameters.q).unwrap_or_default();
    match search(&app, asked.trim()).await {
        Ok(Found::One(href)) => Redirect::to(&href).into_response(),
        Ok(Found::Page(page)) => respond(&app, Ok(*page)),
        Err(failure) => respond(&app, Err::<SearchPage, _>(failure)),
    }
}

async fn search(app: &App, asked: &str) -> Result<Found, Failure> {
    if asked.is_empty() {
        return Ok(Found::Page(Box::new(page(app, asked, "Search".to_owned()))));
    }
    if asked.len() > TEXT_BYTES_MAX || asked.contains('\0') {
        return Err(BadParameter::new("q", format!("text of at most {TEXT_BYTES_MAX} bytes, without NUL"), asked).into());
    }
    let filter = IncidentFilter { text: Some(asked.to_owned()), limit: HITS_MAX, ..IncidentFilter::default() };
    let incidents = app.store.incidents(&filter).await?;
    if let [only] = incidents.as_slice() {
        return Ok(Found::One(app.links.incident(only.incident.id.as_str())));
    }
    if incidents.is_empty() && app.store.request(None, &RequestId::from(asked)).await?.is_some() {
        return Ok(Found::One(app.links.request(asked)));
    }
    let is_full = incidents.len() >= HITS_MAX as usize;
    let hits = counted(incidents.len() as u64, "incident", "incidents");
    let headline = match (incidents.is_empty(), is_full) {
        (true, _) => format!("Nothing is known of “{}”", Text::name(asked)),
        (false, true) => format!("The newest {hits} for “{}”", Text::name(asked)),
        (false, false) => format!("{hits} for “{}”", Text::name(asked)),
    };
    let mut page = page(app, asked, headline);
    page.table = (!incidents.is_empty()).then(|| IncidentTable::new(&incidents, &app.links, app.clock.now()));
    page.more = is_full.then(|| app.links.incidents(&[("q", asked.to_owned())]));
    Ok(Found::Page(Box::new(page)))
}

fn page(app: &App, asked: &str, headline: String) -> SearchPage {
    let mut shell = Shell::new(app, headline.clone(), "/search", app.clock.now());
    shell.searched = Text::name(asked);
    SearchPage { shell, headline, asked: !asked.is_empty(), table: None, more: None }
}
