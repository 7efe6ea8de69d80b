//! The list of incidents: filters, table, paging.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use domain::{IncidentState, Layer, Outcome};
use store::IncidentFilter;

use super::incident_list::IncidentTable;
use super::start::Start;
use super::{Shell, respond};
use crate::App;
use crate::error::Failure;
use crate::links::encoded;
use crate::moment::counted;
use crate::query::{self, Unknown};
use crate::text::Text;
use crate::words;

#[derive(Template)]
#[template(path = "pages/incidents.html")]
struct IncidentsPage {
    shell: Shell,
    headline: String,
    choices: Vec<ChoiceField>,
    fields: Vec<TextField>,
    span: Vec<TextField>,
    hidden: Vec<TextField>,
    filtered: bool,
    is_empty: bool,
    table: IncidentTable,
    start: Start,
    newest: Option<String>,
    older: Option<String>,
    poll: String,
    json: String,
}

/// A filter with a closed set of values.
struct ChoiceField {
    label: &'static str,
    name: &'static str,
    options: Vec<ChoiceOption>,
}

struct ChoiceOption {
    value: &'static str,
    text: String,
    chosen: bool,
}

/// A filter with any text.
struct TextField {
    label: &'static str,
    name: &'static str,
    value: String,
    hint: &'static str,
}

/// `GET /incidents`
pub async fn show(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    respond(&app, view(&app, &pairs).await)
}

async fn view(app: &App, pairs: &[(String, String)]) -> Result<IncidentsPage, Failure> {
    let now = app.clock.now();
    let filter = query::read(pairs, Unknown::Ignore)?;
    let incidents = app.store.incidents(&filter).await?;
    let next = query::next_cursor(&incidents, filter.limit);
    let given = parameters(&filter);
    let filtered = given.iter().any(|(name, _)| *name != "limit");
    let narrowed = given.iter().any(|(name, _)| !["limit", "function"].contains(name));
    let older = next.map(|next| {
        let mut parameters = given.clone();
        parameters.push(("before", next));
        app.links.incidents(&parameters)
    });
    let json = api_address(app, &given);
    Ok(IncidentsPage {
        shell: Shell::new(app, "Incidents", "/incidents", now),
        headline: headline(incidents.len() as u64, &filter, narrowed, older.is_some()),
        choices: choices(&filter),
        fields: fields(&filter),
        span: span(&filter),
        hidden: hidden(&filter),
        filtered,
        is_empty: incidents.is_empty(),
        table: IncidentTable::new(&incidents, &app.links, now),
        start: Start::new(app),
        newest: filter.before.is_some().then(|| app.links.incidents(&given)),
        older,
        poll: json.clone(),
        json,
    })
}

/// The same list from the API.
fn api_address(app: &App, given: &[(&'static str, String)]) -> String {
    let query: Vec<_> = given.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let separator = if query.is_empty() { "" } else { "?" };
    app.links.path(&format!("/api/overrun/v1/incidents{separator}{}", query.join("&")))
}

/// The parameters of `filter`, without the place in the list.
fn parameters(filter: &IncidentFilter) -> Vec<(&'static str, String)> {
    let parameters = [
        ("from", filter.from.map(|at| at.to_string())),
        ("to", filter.to.map(|at| at.to_string())),
        ("stack", filter.stack.as_ref().map(ToString::to_string)),
        ("function", filter.function.as_ref().map(ToString::to_string)),
        ("layer", filter.layer.map(|layer| layer.as_str().to_owned())),
        ("outcome", filter.outcome.map(|outcome| outcome.as_str().to_owned())),
        ("state", filter.state.map(|state| state.as_str().to_owned())),
        ("problem", filter.problem.clone()),
        ("release", filter.release.clone()),
        ("q", filter.text.clone()),
        ("limit", (filter.limit != query::LIMIT_DEFAULT).then(|| filter.limit.to_string())),
    ];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `The newest 50 incidents of checkout; there are more`
fn headline(shown: u64, filter: &IncidentFilter, narrowed: bool, has_more: bool) -> String {
    let of = filter.function.as_ref().map(|function| format!(" of {}", Text::name(function.as_str()))).unwrap_or_default();
    let matching = if narrowed { " that match" } else { "" };
    match (shown, has_more, filter.before.is_some()) {
        (0, _, false) if !narrowed && filter.function.is_none() => "No incidents so far".to_owned(),
        (0, _, true) => "No older incidents".to_owned(),
        (0, ..) => format!("No incidents{of}{matching}"),
        (n, _, true) => format!("{}{of}{matching}", counted(n, "older incident", "older incidents")),
        (n, true, false) => format!("The newest {}{of}{matching}", counted(n, "incident", "incidents")),
        (1, false, false) if narrowed => format!("1 incident{of} that matches"),
        (n, false, false) => format!("{}{of}{matching}", counted(n, "incident", "incidents")),
    }
}

fn choices(filter: &IncidentFilter) -> Vec<ChoiceField> {
    let option = |value, text, chosen| ChoiceOption { value, text, chosen };
    vec![
        ChoiceField {
            label: "State",
            name: "state",
            options: IncidentState::ALL.map(|state| option(state.as_str(), state.as_str().to_owned(), filter.state == Some(state))).into(),
        },
        ChoiceField {
            label: "Outcome",
            name: "outcome",
            options: Outcome::ALL
                .map(|outcome| option(outcome.as_str(), words::outcome_name(outcome), filter.outcome == Some(outcome)))
                .into(),
        },
        ChoiceField {
            label: "Layer",
            name: "layer",
            options: Layer::ALL
                .map(|layer| option(layer.as_str(), words::layer(Some(layer)).name.to_owned(), filter.layer == Some(layer)))
                .into(),
        },
    ]
}

fn fields(filter: &IncidentFilter) -> Vec<TextField> {
    let name = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let function = filter.function.as_ref().map(domain::FunctionName::as_str);
    let stack = filter.stack.as_ref().map(domain::StackName::as_str);
    vec![
        TextField { label: "Text", name: "q", value: name(filter.text.as_deref()), hint: "ID or words" },
        TextField { label: "Function", name: "function", value: name(function), hint: "any" },
        TextField { label: "Stack", name: "stack", value: name(stack), hint: "any" },
    ]
}

fn span(filter: &IncidentFilter) -> Vec<TextField> {
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    vec![
        TextField { label: "From", name: "from", value: time(filter.from), hint: "2026-11-22T12:00:00Z" },
        TextField { label: "To", name: "to", value: time(filter.to), hint: "2026-11-22T13:00:00Z" },
    ]
}

/// Filters that came with a link and that nobody types.
fn hidden(filter: &IncidentFilter) -> Vec<TextField> {
    let field = |label, name, value: &Option<String>| value.clone().map(|value| TextField { label, name, value, hint: "" });
    field("Problem", "problem", &filter.problem).into_iter().chain(field("Release", "release", &filter.release)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_says_what_is_listed() {
        let plain = IncidentFilter::default();
        let checkout = IncidentFilter { function: Some("checkout".into()), ..IncidentFilter::default() };
        assert_eq!(headline(0, &plain, false, false), "No incidents so far");
        assert_eq!(headline(50, &plain, false, true), "The newest 50 incidents");
        assert_eq!(headline(1, &checkout, true, false), "1 incident of checkout that matches");
        assert_eq!(headline(7, &checkout, false, false), "7 incidents of checkout");
        assert_eq!(headline(0, &checkout, false, false), "No incidents of checkout");
    }
}
