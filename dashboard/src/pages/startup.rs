//! Where the start of a function goes: initialisation and sections, cold against warm, release beside release, and what makes
//! it shorter.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::{FunctionName, Remedy, Section, Seen, StackName, StartOfRelease, StartReport};
use jiff::SignedDuration;

use super::{Shell, respond};
use crate::App;
use crate::error::Failure;
use crate::text::Text;

/// Requests of each kind that are looked at.
const REQUESTS_MAX: u32 = 25;
/// How far back: so far that a deploy before this one is in it.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 14);
/// Releases side by side, the latest first.
const RELEASES_MAX: usize = 2;
/// Longest name that is looked up, in bytes.
const NAME_BYTES_MAX: usize = 1024;

#[derive(Template)]
#[template(path = "pages/startup.html")]
struct StartupPage {
    shell: Shell,
    headline: String,
    lead: String,
    remedies: Vec<RemedyView>,
    releases: Vec<ReleaseView>,
    incidents: String,
}

struct RemedyView {
    word: &'static str,
    section: Text,
    why: Text,
}

struct ReleaseView {
    name: Text,
    rows: Vec<Row>,
    unknown: u64,
    without_sections: bool,
}

struct Row {
    name: Text,
    cold: String,
    warm: String,
    /// The width of its bar in percent of the start.
    share: Option<String>,
}

/// `GET /functions/{function}/startup?stack=`
pub async fn show(
    State(app): State<App>,
    function: Result<Path<String>, PathRejection>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let page = match function {
        Ok(Path(function)) if function.len() <= NAME_BYTES_MAX && !function.contains('\0') => view(&app, &function, &pairs).await,
        _ => Err(Failure::NotFound("function")),
    };
    respond(&app, page)
}

async fn view(app: &App, function: &str, pairs: &[(String, String)]) -> Result<StartupPage, Failure> {
    let now = app.clock.now();
    let stack = pairs.iter().find(|(name, value)| name == "stack" && !value.is_empty() && !value.contains('\0'));
    let stack = stack.map_or_else(StackName::default, |(_, value)| StackName::from(value.as_str()));
    let name = FunctionName::from(function);
    let from = now.saturating_sub(BACK).unwrap_or(now);
    let evidence = app.store.start_evidence(&stack, &name, from, super::overview::upcoming(now), REQUESTS_MAX).await?;
    let report = (app.startup)(&evidence, Some(&name));
    let latest = report.releases.last();
    Ok(StartupPage {
        shell: Shell::new(app, format!("Start of {}", Text::name(function)), "/functions/", now),
        headline: headline(function, latest),
        lead: lead(&report),
        remedies: latest.map(remedies).unwrap_or_default(),
        releases: report.releases.iter().rev().take(RELEASES_MAX).map(release_view).collect(),
        incidents: app.links.incidents(&[("function", function.to_owned())]),
    })
}

/// `checkout starts in 1.9 s; import pandas takes 84 % of it`
fn headline(function: &str, latest: Option<&StartOfRelease>) -> String {
    let name = Text::name(function);
    let Some(release) = latest else { return format!("Nothing tells how {name} starts") };
    let longest = release.sections.iter().find(|section| section.cold.median_ms.is_some());
    let part = longest.map(|section| format!("; {} takes {} of it", Text::name(&section.name), percent(section.share_of_start)));
    match (release.init.median_ms, release.cold.requests) {
        (Some(init), _) => format!("{name} initialises in {init}{}", part.unwrap_or_default()),
        (None, 0) => format!("No cold start of {name} was seen"),
        (None, _) => longest.map_or_else(
            || format!("{name}: no source says how long it initialises"),
            |section| format!("{name}: {} takes most of the start", Text::name(&section.name)),
        ),
    }
}

fn lead(report: &StartReport) -> String {
    match report.releases.last() {
        None => "What helps: the log of its platform, and named sections that the function prints or sends.".to_owned(),
        Some(latest) => format!(
            "From a sample of the last 14 days: {} cold and {} warm requests of the latest release. Durations are medians.",
            latest.cold.requests, latest.warm.requests
        ),
    }
}

fn remedies(release: &StartOfRelease) -> Vec<RemedyView> {
    let view = |section: &Section| {
        Some(RemedyView { word: word(section.remedy?), section: Text::name(&section.name), why: Text::line(&section.why, 300) })
    };
    release.sections.iter().filter_map(view).collect()
}

fn word(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Precompute => "precompute",
        Remedy::Reuse => "reuse",
        Remedy::Strip => "strip",
        Remedy::BeLazy => "be lazy",
        Remedy::Replace => "replace",
    }
}

fn release_view(release: &StartOfRelease) -> ReleaseView {
    let row = |name: &str, cold: Seen, warm: Seen, share: Option<f64>| Row {
        name: Text::name(name),
        cold: said(cold),
        warm: said(warm),
        share: share.filter(|share| *share > 0.0).map(|share| format!("{:.1}", share * 100.0)),
    };
    let whole = [row("request", release.cold, release.warm, None), row("initialisation", release.init, Seen::default(), None)];
    let sections = release.sections.iter().map(|section| row(&section.name, section.cold, section.warm, Some(section.share_of_start)));
    ReleaseView {
        name: Text::name(&release.release.as_deref().map_or_else(|| "release not named".to_owned(), |name| format!("release {name}"))),
        rows: whole.into_iter().chain(sections).collect(),
        unknown: release.unknown,
        without_sections: release.sections.is_empty(),
    }
}

/// `1.6 s in 12`
fn said(seen: Seen) -> String {
    match (seen.requests, seen.median_ms) {
        (0, _) => "–".to_owned(),
        (requests, Some(median)) => format!("{median} in {requests}"),
        (requests, None) => format!("in {requests}, duration not known"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
