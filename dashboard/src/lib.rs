//! Shows what is stored: pages for people, JSON for programs.
//!
//! ```text
//! receive → parse → Evidence → correlate → diagnose → Incident → store ─┬→ alert
//!                                                                       └→ show
//! ```
//!
//! The last step of the flow. It reads, and writes only what a person says: that a problem is resolved, that something is silenced, run again or sent again. Every page is
//! a query of `store`, a view struct of strings ready to print, and a template. The largest text of a page is a sentence that answers the question with which a person came.
//!
//! - `pages`: one file per page, with a template of the same name in `templates/pages/`.
//! - `api`: `/api/overrun/v1/…`, the same incidents in the shape of `overrun explain --json`.
//! - `timeline`, `chart`: the drawings, pure.
//! - `text`, `gist`, `words`, `moment`, `links`: how foreign text, our words, times and addresses are written.
//! - `health`, `headers`, `assets`, `error`: what every HTTP service has.
//!
//! All of it works without JavaScript; `static/overrun.js` only adds the reader's own zone, copying and the "12 new" button.

mod api;
mod assets;
mod chart;
mod error;
mod feed;
mod gist;
mod headers;
mod health;
mod links;
mod moment;
mod own_page;
mod pages;
mod query;
mod retrying;
mod silencing;
mod text;
mod timeline;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::{Advice, Clock, Evidence, FunctionName, History, Limit, StartReport};
use store::Store;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::Failure;
use crate::feed::Feed;
use crate::links::Links;
pub use crate::retrying::{Foresee, Foreseen, Retrying};

/// An answer takes no longer than this; a reader who waits longer has given up or tried again.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the dashboard needs to know.
pub struct Dashboard {
    /// Where everything is.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The metrics that `/metrics` shows.
    pub registry: prometheus::Registry,
    /// Where senders reach the collector: `http://127.0.0.1:4318`. Shown in commands to copy.
    pub ingest_url: String,
    /// What the history of a function advises about a limit that cut it off; the last are the limits around it.
    pub propose: Propose,
    /// Where the start of a function goes.
    pub startup: Startup,
    /// What is wrong with what a silence is to match.
    pub check_silence: CheckSilence,
    /// What can run requests again.
    pub retrying: Retrying,
    /// Ends what would go on for ever: subscriptions to errors.
    pub stop: CancellationToken,
    /// Where readers reach the dashboard: `http://127.0.0.1:4319`. If it has a path, all links start with that path.
    pub public_url: String,
}

/// How evidence is turned into a report of the start of a function: handed in, as well.
pub type Startup = fn(&[Evidence], Option<&FunctionName>) -> StartReport;

/// How the matchers and the condition of a silence are checked: handed in, since conditions belong to the alerts.
pub type CheckSilence = fn(&BTreeMap<String, String>, Option<&str>) -> Result<(), String>;

/// How a history is turned into advice: handed in, since it belongs to the diagnosis.
pub type Propose = fn(&History, &Limit, &[Limit]) -> Advice;

/// What handlers share.
#[derive(Clone)]
struct App {
    store: Store,
    clock: Arc<dyn Clock>,
    registry: prometheus::Registry,
    ingest_url: Arc<str>,
    propose: Propose,
    startup: Startup,
    check_silence: CheckSilence,
    retrying: Retrying,
    feed: Feed,
    public_url: Arc<str>,
    links: Links,
}

/// Pages, API, metrics and health checks. Under the path of the public URL too, if it has one, so that a proxy in front may
/// strip that path or leave it.
pub fn router(dashboard: Dashboard) -> Router {
    let links = Links::new(&dashboard.public_url);
    let app = App {
        feed: Feed::new(dashboard.store.clone(), dashboard.stop),
        public_url: dashboard.public_url.as_str().into(),
        store: dashboard.store,
        clock: dashboard.clock,
        registry: dashboard.registry,
        propose: dashboard.propose,
        startup: dashboard.startup,
        check_silence: dashboard.check_silence,
        retrying: dashboard.retrying,
        ingest_url: dashboard.ingest_url.trim_end_matches('/').into(),
        links: links.clone(),
    };
    let own = Router::new().merge(pages::router()).merge(api::router()).merge(health::router()).merge(assets::router());
    let all = match links.base() {
        "" => own,
        base => Router::new().nest(base, own.clone()).route(&format!("{base}/"), pages::home()).merge(own),
    };
    let bounded = all.layer(from_fn_with_state(app.clone(), in_time)).fallback(unknown_path);
    headers::secured(bounded.with_state(app).layer(CatchPanicLayer::new()))
}

/// Gives up an answer that takes too long.
async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let for_program = is_api(request.uri().path());
    tokio::time::timeout(ANSWER_MAX, next.run(request)).await.unwrap_or_else(|_| {
        tracing::warn!("an answer took too long and was given up");
        refuse(&app, for_program, Failure::Unavailable)
    })
}

async fn unknown_path(State(app): State<App>, request: Request) -> Response {
    refuse(&app, is_api(request.uri().path()), Failure::NotFound("page"))
}

fn is_api(path: &str) -> bool {
    path.split('/').any(|part| part == "api")
}

fn refuse(app: &App, for_program: bool, failure: Failure) -> Response {
    if for_program { failure.into_json().into_response() } else { pages::failed(app, &failure) }
}
