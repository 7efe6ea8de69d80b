//! The pages. Each is: query → view struct of strings ready to print → template. A template decides nothing, a handler
//! builds no HTML.
//!
//! To add a page: a file here, a template of the same name in `templates/pages/`, a line in [`router`], and three tests: with
//! data, with none, with hostile text.

mod advice;
mod alerts;
mod evidence;
mod incident;
mod incident_list;
mod incidents;
mod overview;
mod problem;
mod problems;
mod proposal;
mod request;
mod retry;
mod search;
mod silences;
mod sources;
mod stacks;
mod start;
mod startup;

use askama::Template;
use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use jiff::Timestamp;

use crate::error::Failure;
use crate::links::Links;
use crate::moment::{Exact, Moment};
use crate::text::{Sentence, Text};
use crate::{App, assets};

/// All pages by their paths.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", home())
        .route("/incidents", get(incidents::show))
        .route("/incidents/{id}", get(incident::show))
        .route("/problems", get(problems::show))
        .route("/problems/{id}", get(problem::show))
        .route("/problems/{id}/resolve", post(problem::resolve))
        .route("/problems/{id}/reopen", post(problem::reopen))
        .route("/problems/{id}/silence", post(silences::of_problem))
        .route("/silences/{id}/end", post(silences::end))
        .route("/problems/{id}/retry", get(retry::show).post(retry::ask))
        .route("/requests/{request_id}", get(request::show))
        .route("/functions/{function}/startup", get(startup::show))
        .route("/search", get(search::show))
        .route("/sources", get(sources::show))
        .route("/alerts", get(alerts::show))
        .route("/alerts/replay", post(alerts::replay))
}

/// The first page.
pub fn home() -> MethodRouter<App> {
    get(overview::show)
}

/// What stands around every page.
#[derive(Debug)]
struct Shell {
    links: Links,
    title: String,
    tabs: Vec<Tab>,
    style: String,
    script: String,
    searched: Text,
    made_at: Exact,
    made_at_iso: String,
}

/// One of the pages in the head.
#[derive(Debug)]
struct Tab {
    name: &'static str,
    href: String,
    current: bool,
}

impl Shell {
    /// The frame of the page at `path`, one of [`TABS`] or a page below it.
    fn new(app: &App, title: impl Into<String>, path: &str, now: Timestamp) -> Self {
        let tab = |(name, own): (&'static str, &str)| Tab { name, href: app.links.path(own), current: own == path };
        let made_at = Moment::new(now, now);
        Self {
            links: app.links.clone(),
            title: title.into(),
            tabs: TABS.map(tab).into(),
            style: app.links.path(&assets::style_path()),
            script: app.links.path(&assets::script_path()),
            searched: Text::default(),
            made_at_iso: made_at.iso.clone(),
            made_at: Exact { moment: made_at },
        }
    }
}

const TABS: [(&str, &str); 5] =
    [("Overview", "/"), ("Problems", "/problems"), ("Incidents", "/incidents"), ("Sources", "/sources"), ("Alerts", "/alerts")];

/// A page that says why there is no page.
#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage {
    shell: Shell,
    status: String,
    headline: String,
    advice: Sentence,
}

/// The answer to a reader: the page, or the page that says why there is none.
pub fn respond(app: &App, page: Result<impl Template, Failure>) -> Response {
    let rendered = page.and_then(|page| {
        page.render().map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a page could not be printed");
            Failure::Internal
        })
    });
    match rendered {
        Ok(html) => Html(html).into_response(),
        Err(failure) => failed(app, &failure),
    }
}

/// The page that says why there is none.
pub fn failed(app: &App, failure: &Failure) -> Response {
    let headline = failure.headline();
    let page = ErrorPage {
        shell: Shell::new(app, headline.clone(), "", app.clock.now()),
        status: failure.status().to_string(),
        headline,
        advice: Sentence::new(&failure.advice()),
    };
    let mut response = (failure.status(), Html(page.render().unwrap_or_else(|_| failure.headline()))).into_response();
    failure.mark(&mut response);
    response
}
