//! One incident: verdict → what to change → why we say so → one axis with every layer → evidence as received → stacks,
//! original event, who was told.

mod retries;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{Citation, Evidence, Incident, Note, Outcome};
use jiff::Timestamp;
use store::{AttemptRow, Delivery, IncidentFilter, MatchRow};

use self::retries::RetriesView;
use super::advice::AdviceList;
use super::evidence::{EvidenceTable, anchor};
use super::proposal::proposal;
use super::silences::SilenceList;
use super::{Shell, respond, stacks};
use crate::App;
use crate::error::Failure;
use crate::gist::{gist, is_json};
use crate::moment::{Exact, Moment, clock};
use crate::query::is_incident_id;
use crate::text::{RAW_CHARS_MAX, Sentence, Text};
use crate::timeline::TimelineView;
use crate::words::{self, Chip, LayerWord};

/// Incidents of the same problem that are counted; more are "20+".
const LIKE_MAX: u32 = 20;
/// Characters of a cited line inside a reason.
const CITE_CHARS_MAX: usize = 90;
/// Characters shown of the original event; the JSON has all of it.
const EVENT_CHARS_MAX: usize = 8000;
/// Attempts shown per delivery: the latest.
const ATTEMPTS_MAX: usize = 10;

#[derive(Template)]
#[template(path = "pages/incident.html")]
struct IncidentPage {
    shell: Shell,
    chips: Vec<Chip>,
    problem: Option<ProblemLink>,
    summary: Sentence,
    meta: Vec<Fact>,
    at: Option<Exact>,
    took: String,
    layer: LayerWord,
    facts: Vec<Sentence>,
    advice: AdviceList,
    proposal: Option<AdviceList>,
    startup: Option<String>,
    reasons: Vec<NoteView>,
    consequences: Vec<NoteView>,
    contradicted: Vec<NoteView>,
    refuted_by: Sentence,
    timeline: TimelineView,
    evidence: EvidenceTable,
    stacks: Vec<stacks::StackView>,
    original_event: Option<Text>,
    silences: SilenceList,
    retries: Option<RetriesView>,
    retry: Option<String>,
    untold: Vec<Sentence>,
    deliveries: Vec<DeliveryView>,
    json: String,
    evidence_json: String,
}

struct ProblemLink {
    text: String,
    href: String,
}

/// One of the identifiers below the verdict.
struct Fact {
    name: &'static str,
    value: Text,
    href: Option<String>,
}

struct NoteView {
    text: Sentence,
    cites: Vec<Cite>,
}

struct Cite {
    href: String,
    text: Text,
}

struct DeliveryView {
    action: Text,
    rule: Text,
    state: Chip,
    waits: bool,
    next: Option<Moment>,
    attempts: Vec<AttemptView>,
}

struct AttemptView {
    at: Moment,
    outcome: Text,
    took: String,
    detail: Text,
}

/// `GET /incidents/{id}`
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Response {
    let page = match id {
        Ok(Path(id)) if is_incident_id(&id) => view(&app, &id).await,
        _ => Err(Failure::NotFound("incident")),
    };
    respond(&app, page)
}

async fn view(app: &App, id: &str) -> Result<IncidentPage, Failure> {
    let incident = app.store.current_incident(id).await?.ok_or(Failure::NotFound("incident"))?.incident;
    let id = incident.id.as_str();
    let like = IncidentFilter { problem: Some(incident.problem.as_str().to_owned()), limit: LIKE_MAX, ..IncidentFilter::default() };
    let (evidence, deliveries, like, retries) = tokio::try_join!(
        app.store.incident_evidence(&incident),
        app.store.deliveries_of(id),
        app.store.incidents(&like),
        app.store.retries_of(&incident)
    )?;
    let now = app.clock.now();
    let proposal = proposal(app, &incident, now).await?;
    let problem = incident.problem.as_str();
    let (silences, matches) = tokio::try_join!(app.store.silences_of_incident(id, problem, now), app.store.matches_of(id))?;
    let silences = SilenceList::new(app, &silences, now);
    let mut page = page(app, &incident, &evidence, &deliveries, like.len());
    page.chips.extend((!silences.is_empty()).then(|| words::silenced(silences.holds())));
    let (retries, untold) = (RetriesView::new(&retries, now), untold(&matches, &deliveries));
    Ok(IncidentPage { proposal: proposal.map(|advice| AdviceList::new(&[advice])), silences, untold, retries, ..page })
}

fn page(app: &App, incident: &Incident, evidence: &[Evidence], deliveries: &[(Delivery, Vec<AttemptRow>)], like: usize) -> IncidentPage {
    let now = app.clock.now();
    let diagnosis = &incident.diagnosis;
    let summary = Sentence::new(&incident.summary);
    let function = incident.function.as_ref().map(|function| format!(" · {}", Text::name(function.as_str())));
    let evidence_json = app.links.incident_evidence_json(incident.id.as_str());
    IncidentPage {
        shell: Shell::new(app, format!("{}{}", summary.plain(), function.unwrap_or_default()), "/incidents/", now),
        chips: vec![words::outcome(incident), words::state(incident.state), words::confidence(diagnosis.confidence)],
        problem: problem_link(app, incident, like),
        summary,
        meta: meta(app, incident),
        at: incident.at().map(|at| Exact { moment: Moment::new(at, now) }),
        took: incident.elapsed_ms.map_or_else(|| "duration not known".to_owned(), |elapsed| elapsed.to_string()),
        layer: words::layer(diagnosis.layer),
        facts: facts(incident),
        advice: AdviceList::new(&diagnosis.advice),
        proposal: None,
        startup: startup_link(app, incident),
        reasons: diagnosis.reasons.iter().map(|reason| note_view(&reason.text, &reason.evidence, brief)).collect(),
        consequences: together(&diagnosis.consequences),
        contradicted: diagnosis.contradicted.iter().map(|note| note_view(&note.text, &note.evidence, whole)).collect(),
        refuted_by: Sentence::new(&diagnosis.refuted_by),
        timeline: TimelineView::new(&incident.timeline),
        evidence: EvidenceTable::new(evidence, &[diagnosis], evidence_json.clone(), now),
        stacks: stacks::views(evidence),
        original_event: incident.original_event.as_ref().map(event_text),
        silences: SilenceList::new(app, &[], now),
        retries: None,
        retry: (!(app.retrying.actions)().is_empty()).then(|| app.links.retry(incident.problem.as_str())),
        untold: Vec::new(),
        deliveries: deliveries.iter().map(|(delivery, attempts)| delivery_view(delivery, attempts, now)).collect(),
        json: app.links.incident_json(incident.id.as_str()),
        evidence_json,
    }
}

/// What became of the rules that matched and made no delivery of this incident.
fn untold(matches: &[MatchRow], deliveries: &[(Delivery, Vec<AttemptRow>)]) -> Vec<Sentence> {
    let quiet = |name: &str| name.replace('`', "'");
    let sentence = |one: &MatchRow| match &one.muted_by {
        Some(by) => Some(format!("Rule `{}` matched, and `{}` kept it from being told.", quiet(&one.rule), quiet(by))),
        None if deliveries.iter().any(|(delivery, _)| delivery.rule == one.rule) => None,
        None => Some(format!("Rule `{}` counts it with others of its group, and tells of them together.", quiet(&one.rule))),
    };
    matches.iter().filter_map(sentence).map(|sentence| Sentence::new(&sentence)).collect()
}

/// Where its start goes, for one that did not start in time.
fn startup_link(app: &App, incident: &Incident) -> Option<String> {
    let is_of_start = incident.outcome == Outcome::InitTimeout || incident.diagnosis.cause.id == "cold_start";
    let function = incident.function.as_ref().filter(|_| is_of_start)?;
    Some(app.links.startup(function.as_str(), incident.stack.as_str()))
}

fn problem_link(app: &App, incident: &Incident, like: usize) -> Option<ProblemLink> {
    let text = match like {
        0 | 1 => return None,
        n if n >= LIKE_MAX as usize => format!("one of {n}+ like it"),
        n => format!("one of {n} like it"),
    };
    Some(ProblemLink { text, href: app.links.problem(incident.problem.as_str()) })
}

/// Identifiers, as far as they are known.
fn meta(app: &App, incident: &Incident) -> Vec<Fact> {
    let fact = |name, value: &str, href| Fact { name, value: Text::name(value), href };
    let mut meta = Vec::new();
    match &incident.function {
        Some(function) => {
            let href = app.links.incidents(&[("function", function.as_str().to_owned())]);
            meta.push(fact("function", function.as_str(), Some(href)));
        }
        None => meta.push(fact("function", "not known", None)),
    }
    match &incident.request_id {
        Some(id) => meta.push(fact("request", id.as_str(), Some(app.links.request(id.as_str())))),
        None => meta.push(fact("request", "ID not given by any source", None)),
    }
    if incident.attempt > 1 {
        meta.push(fact("attempt", &incident.attempt.to_string(), None));
    }
    meta.extend(incident.trace_id.as_ref().map(|id| fact("trace", id.as_str(), None)));
    meta.extend(incident.instance.as_ref().map(|instance| fact("on", instance.as_str(), None)));
    meta.extend(incident.pid.map(|pid| fact("pid", &pid.to_string(), None)));
    if incident.stack.as_str() != "default" {
        meta.push(fact("stack", incident.stack.as_str(), None));
    }
    meta
}

/// The conclusion in numbers: limit, how it is known, cause.
fn facts(incident: &Incident) -> Vec<Sentence> {
    let diagnosis = &incident.diagnosis;
    let mut facts = Vec::new();
    facts.extend(diagnosis.product.as_ref().map(|product| product.title().to_owned()));
    facts.push(match &diagnosis.limit {
        None => "no limit is known to have fired".to_owned(),
        Some(limit) => {
            let value = limit.value_ms.map_or_else(|| "value not known".to_owned(), |value| value.to_string());
            let place = limit.place.as_ref().map(|place| format!(" in `{}`", place.replace('`', "'")));
            let known = words::known_from(limit.known_from);
            format!("`{}` {value}{} ({known})", limit.setting.replace('`', "'"), place.unwrap_or_default())
        }
    });
    let cause = &diagnosis.cause;
    let waited = cause.waited_ms.map(|waited| format!(" for {waited}"));
    let operation = cause.operation.as_ref().map(|operation| format!(" `{}`", operation.replace('`', "'")));
    facts.push(match cause.id.as_str() {
        domain::Cause::UNKNOWN => "cause not known".to_owned(),
        id => format!("cause: {}{}{}", id.replace('_', " "), operation.unwrap_or_default(), waited.unwrap_or_default()),
    });
    facts.iter().map(|fact| Sentence::new(fact)).collect()
}

fn note_view(text: &str, evidence: &[Citation], shown: fn(&Citation) -> Text) -> NoteView {
    let cite = |citation: &Citation| Cite { href: format!("#{}", anchor(&citation.id)), text: shown(citation) };
    NoteView { text: Sentence::new(text), cites: evidence.iter().map(cite).collect() }
}

/// A cited line in the few words that there is room for.
fn brief(citation: &Citation) -> Text {
    if !is_json(&citation.text) {
        return Text::line(&gist(&citation.text), CITE_CHARS_MAX);
    }
    let at = citation.at.map(|at| format!(" at {} UTC", clock(at)));
    Text::name(&format!("{} event{}", citation.format, at.unwrap_or_default()))
}

/// A cited line as it is.
fn whole(citation: &Citation) -> Text {
    Text::line(citation.text.trim(), RAW_CHARS_MAX / 2)
}

/// Notes that say the same are one note about several lines.
fn together(notes: &[Note]) -> Vec<NoteView> {
    let mut views: Vec<NoteView> = Vec::new();
    for view in notes.iter().map(|note| note_view(&note.text, &note.evidence, brief)) {
        match views.iter_mut().find(|known| known.text == view.text) {
            Some(known) => known.cites.extend(view.cites),
            None => views.push(view),
        }
    }
    views
}

fn event_text(event: &domain::Value) -> Text {
    let json = serde_json::to_string_pretty(event).unwrap_or_default();
    Text::block(&json, EVENT_CHARS_MAX)
}

fn delivery_view(delivery: &Delivery, attempts: &[AttemptRow], now: Timestamp) -> DeliveryView {
    let latest = attempts.iter().rev().take(ATTEMPTS_MAX);
    let attempt = |attempt: &AttemptRow| AttemptView {
        at: Moment::new(attempt.at, now),
        outcome: Text::name(&attempt.outcome),
        took: attempt.took_ms.to_string(),
        detail: Text::line(&attempt.detail, 300),
    };
    DeliveryView {
        action: Text::name(&delivery.action),
        rule: Text::name(&delivery.rule),
        state: words::delivery(delivery.state),
        waits: delivery.waits,
        next: (delivery.state == store::DeliveryState::Pending).then(|| Moment::new(delivery.due_at, now)),
        attempts: latest.map(attempt).collect(),
    }
}
