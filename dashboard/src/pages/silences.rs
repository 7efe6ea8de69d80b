//! Silences as pages show them, and the buttons that begin and end them.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use store::Silence;

use super::failed;
use crate::App;
use crate::error::Failure;
use crate::moment::{Exact, Moment};
use crate::own_page;
use crate::query::{BadParameter, is_problem_id};
use crate::silencing::Asked;
use crate::text::Text;

/// Who asks while nobody has to say who they are.
const SOMEBODY: &str = "somebody on the dashboard";
/// The word of the button that asks for silence until the problem is resolved.
const UNTIL_RESOLVED: &str = "resolved";

/// Silences, those that hold with a button that ends them.
#[derive(Template)]
#[template(path = "parts/silences.html")]
pub struct SilenceList {
    rows: Vec<SilenceView>,
}

// Its template escapes what it prints.
impl HtmlSafe for SilenceList {}

struct SilenceView {
    what: Text,
    by: Text,
    comment: Text,
    until: Option<Exact>,
    /// The button's address; `None` when it has ended.
    end: Option<String>,
}

impl SilenceList {
    /// The silences, seen at `now`; `subject` stands for what all of them are about where a page is about that.
    pub fn new(app: &App, silences: &[Silence], now: Timestamp) -> Self {
        let view = |silence: &Silence| SilenceView {
            what: Text::line(&what(silence), 300),
            by: Text::name(&silence.asked.created_by),
            comment: Text::line(&silence.asked.comment, 300),
            until: silence.asked.ends_at.map(|at| Exact { moment: Moment::new(at, now) }),
            end: silence.holds_at(now).then(|| app.links.path(&format!("/silences/{}/end", silence.id))),
        };
        Self { rows: silences.iter().map(view).collect() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether one holds.
    pub fn holds(&self) -> bool {
        self.rows.iter().any(|row| row.end.is_some())
    }
}

/// `function = checkout, stack = shop, and incident.attempt == 1`
fn what(silence: &Silence) -> String {
    let fields = silence.asked.matchers.iter().map(|(name, value)| format!("{name} = {value}"));
    fields.chain(silence.asked.condition.clone()).collect::<Vec<_>>().join(", and ")
}

/// What the form on a problem's page sends.
#[derive(Debug, Deserialize)]
pub struct Wish {
    lasts: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    created_by: String,
}

/// `POST /problems/{id}/silence`
pub async fn of_problem(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    wish: Result<Form<Wish>, FormRejection>,
) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let id = id.ok().map(|Path(id)| id).filter(|id| is_problem_id(id)).ok_or(Failure::NotFound("problem"))?;
        app.store.problem(&id).await?.ok_or(Failure::NotFound("problem"))?;
        let Form(wish) = wish.map_err(|_| BadParameter::new("lasts", "a duration such as 4h", ""))?;
        let until_resolved = wish.lasts == UNTIL_RESOLVED;
        let asked = Asked {
            matchers: BTreeMap::from([("problem".to_owned(), id.clone())]),
            comment: wish.comment,
            created_by: Some(wish.created_by),
            lasts: (!until_resolved).then_some(wish.lasts),
            until_resolved,
            ..Asked::default()
        };
        asked.begin(&app, SOMEBODY).await?;
        Ok(app.links.problem(&id))
    };
    back(&app, done.await)
}

/// `POST /silences/{id}/end`
pub async fn end(State(app): State<App>, id: Result<Path<i64>, PathRejection>, headers: HeaderMap) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let id = id.map(|Path(id)| id).map_err(|_| Failure::NotFound("silence"))?;
        let silence = app.store.silence(id).await?.ok_or(Failure::NotFound("silence"))?;
        app.store.end_silence(id, app.clock.now()).await?;
        let problem = silence.asked.matchers.get("problem").filter(|problem| is_problem_id(problem));
        Ok(problem.map_or_else(|| app.links.path("/alerts"), |problem| app.links.problem(problem)))
    };
    back(&app, done.await)
}

/// Back to where the button was.
fn back(app: &App, done: Result<String, Failure>) -> Response {
    match done {
        Ok(page) => Redirect::to(&page).into_response(),
        Err(failure) => failed(app, &failure),
    }
}
