//! The list of problems: those that nobody has resolved, unless asked for others.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use store::{Problem, ProblemFilter, ProblemState};

use super::start::Start;
use super::{Shell, respond};
use crate::App;
use crate::error::Failure;
use crate::moment::{Moment, counted};
use crate::query::{self, Unknown};
use crate::text::{Sentence, Text};
use crate::words::{self, Chip, LayerWord};

#[derive(Template)]
#[template(path = "pages/problems.html")]
struct ProblemsPage {
    shell: Shell,
    headline: String,
    lead: String,
    choices: Vec<StateLink>,
    rows: Vec<Row>,
    start: Option<Start>,
    older: Option<String>,
    json: String,
}

/// A state to choose.
struct StateLink {
    text: &'static str,
    href: String,
    current: bool,
}

struct Row {
    summary: Sentence,
    href: String,
    state: Chip,
    layer: LayerWord,
    function: Text,
    cause: String,
    count: String,
    incidents: String,
    first_at: Moment,
    last_at: Moment,
}

/// `GET /problems?state=`
pub async fn show(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    respond(&app, view(&app, &pairs).await)
}

async fn view(app: &App, pairs: &[(String, String)]) -> Result<ProblemsPage, Failure> {
    let now = app.clock.now();
    let asked = query::read_problems(pairs, Unknown::Ignore)?;
    let filter = match asked.states.as_slice() {
        [] => ProblemFilter { states: vec![ProblemState::Open, ProblemState::Regressed], ..asked.clone() },
        _ => asked.clone(),
    };
    let problems = app.store.list_problems(&filter).await?;
    let is_empty = problems.is_empty() && app.store.list_problems(&ProblemFilter { limit: 1, ..nothing_asked() }).await?.is_empty();
    let given = parameters(&asked);
    let next = query::next_problem(&problems, filter.limit);
    let older = next.map(|next| app.links.problems(&[given.as_slice(), &[("before", next)]].concat()));
    Ok(ProblemsPage {
        shell: Shell::new(app, "Problems", "/problems", now),
        headline: headline(&asked, problems.len() as u64, older.is_some()),
        lead: lead(&problems),
        choices: choices(app, &asked),
        rows: problems.iter().map(|problem| row(app, problem, now)).collect(),
        start: is_empty.then(|| Start::new(app)),
        older,
        json: app.links.problems_json(&parameters(&filter)),
    })
}

fn nothing_asked() -> ProblemFilter {
    ProblemFilter { states: Vec::new(), stack: None, function: None, before: None, limit: query::LIMIT_DEFAULT }
}

/// The parameters of `filter`, without the place in the list.
fn parameters(filter: &ProblemFilter) -> Vec<(&'static str, String)> {
    let states: Vec<_> = filter.states.iter().map(|state| state.as_str()).collect();
    let parameters = [
        ("state", Some(states.join(",")).filter(|states| !states.is_empty())),
        ("stack", filter.stack.clone()),
        ("function", filter.function.clone()),
        ("limit", (filter.limit != query::LIMIT_DEFAULT).then(|| filter.limit.to_string())),
    ];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `3 problems open`, `No problem is open`, `12 resolved problems`.
fn headline(asked: &ProblemFilter, shown: u64, has_more: bool) -> String {
    let of = asked.function.as_ref().map(|function| format!(" of {}", Text::name(function))).unwrap_or_default();
    let latest = if has_more { "The latest " } else { "" };
    match (asked.states.as_slice(), shown) {
        ([], 0) => format!("No problem{of} is open"),
        ([], n) => format!("{latest}{}{of} open", counted(n, "problem", "problems")),
        ([state], 0) => format!("No problem{of} is {}", state.as_str()),
        ([state], n) => format!("{latest}{}{of} {}", counted(n, "problem", "problems"), state.as_str()),
        (_, n) => format!("{latest}{}{of}", counted(n, "problem", "problems")),
    }
}

fn lead(problems: &[Problem]) -> String {
    let back = problems.iter().filter(|problem| problem.state == ProblemState::Regressed).count() as u64;
    let words = "A problem is what incidents of one function, layer, cause and operation have in common.";
    if back == 0 {
        words.to_owned()
    } else {
        format!("{} came back after somebody had resolved it. {words}", counted(back, "problem", "problems"))
    }
}

fn choices(app: &App, asked: &ProblemFilter) -> Vec<StateLink> {
    let link = |text, states: &[ProblemState]| StateLink {
        text,
        href: app.links.problems(&parameters(&ProblemFilter { states: states.to_vec(), before: None, ..asked.clone() })),
        current: asked.states == states,
    };
    vec![
        link("open", &[]),
        link("regressed", &[ProblemState::Regressed]),
        link("resolved", &[ProblemState::Resolved]),
        link("all", &ProblemState::ALL),
    ]
}

fn row(app: &App, problem: &Problem, now: Timestamp) -> Row {
    Row {
        summary: Sentence::new(&problem.summary),
        href: app.links.problem(&problem.id),
        state: words::problem(problem.state),
        layer: words::layer(problem.layer),
        function: Text::name(problem.function.as_deref().unwrap_or("function not known")),
        cause: words::cause(&problem.cause),
        count: counted(problem.incidents, "incident", "incidents"),
        incidents: app.links.incidents(&[("problem", problem.id.clone())]),
        first_at: Moment::new(problem.first_at, now),
        last_at: Moment::new(problem.last_at, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_answers_what_was_asked() {
        let asked = |states: &[ProblemState]| ProblemFilter { states: states.to_vec(), ..nothing_asked() };
        assert_eq!(headline(&asked(&[]), 0, false), "No problem is open");
        assert_eq!(headline(&asked(&[]), 3, false), "3 problems open");
        assert_eq!(headline(&asked(&[ProblemState::Resolved]), 1, false), "1 problem resolved");
        assert_eq!(headline(&asked(&ProblemState::ALL), 50, true), "The latest 50 problems");
        let checkout = ProblemFilter { function: Some("checkout".into()), ..nothing_asked() };
        assert_eq!(headline(&checkout, 0, false), "No problem of checkout is open");
    }
}
