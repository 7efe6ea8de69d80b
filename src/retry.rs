//! `overrun retry`: runs requests of a problem again, or says what would be done.
//!
//! It asks by writing deliveries; the daemon makes the attempts, behind the guards of the action (docs/actions/retry.md).

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use domain::{Clock, Incident, IncidentState, RetryForecast, RetryOutlook};
use jiff::{SpanRelativeTo, Timestamp};
use store::{IncidentFilter, Store};
use tokio::sync::watch;

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::explain::visible;
use crate::serve::Database;

#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The problem, 16 hex digits
    #[arg(long)]
    problem: String,
    /// Requests that overran since: a time (RFC 3339), or how long ago (`2h`, `3d`)
    #[arg(long)]
    since: String,
    /// The retry action, if the rules have more than one
    #[arg(long)]
    action: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

pub async fn run(args: RetryArgs) -> anyhow::Result<()> {
    let config = args.serve.load()?;
    let file = config.alerts.rules_file.clone().context("expected `--rules FILE` or `alerts.rules_file`: it names the retry action")?;
    let rules = Arc::new(alerts::Rules::load(&file)?);
    let action = choose(args.action.as_deref(), &rules.retry_actions())?;
    let now = SystemClock.now();
    let since = since(&args.since, now)?;
    let database = Database::open_beside(&config).await?;
    let outcome = retry(&database.store, &rules, &action, &args, since, now).await;
    database.close().await?;
    outcome
}

async fn retry(
    store: &Store,
    rules: &Arc<alerts::Rules>,
    action: &str,
    args: &RetryArgs,
    since: Timestamp,
    now: Timestamp,
) -> anyhow::Result<()> {
    let incidents = of_problem(store, &args.problem, since).await?;
    if incidents.is_empty() {
        bail!("no incident of problem `{}` since {since:.0}", visible(&args.problem));
    }
    let forecasts = alerts::foresee_retries(store, rules, action, incidents, now).await?;
    for forecast in &forecasts {
        println!("{}", line(forecast));
    }
    let count = |outlook| forecasts.iter().filter(|forecast| forecast.outlook == outlook).count();
    let (run, wait, left) = (count(RetryOutlook::Runs), count(RetryOutlook::Waits), count(RetryOutlook::Refused));
    println!("{run} to run, {wait} to wait, {left} to leave, by `{}`", visible(action));
    if args.dry_run {
        println!("nothing was done: this is a dry run");
        return Ok(());
    }
    let wanted: Vec<_> = forecasts.into_iter().filter(|forecast| forecast.outlook != RetryOutlook::Refused).map(|f| f.incident).collect();
    let asked = store.ask_for_retries(action, &wanted, now).await?;
    println!("asked for {asked}; the daemon runs them, and decides about each once more");
    Ok(())
}

/// What the dashboard needs to show and ask the same.
pub fn retrying(store: &Store, rules: &watch::Receiver<Arc<alerts::Rules>>, clock: &Arc<dyn Clock>) -> dashboard::Retrying {
    let (store, clock, in_force, known) = (store.clone(), Arc::clone(clock), rules.clone(), rules.clone());
    let foresee = move |action: String, incidents: Vec<Incident>| -> dashboard::Foreseen {
        let (store, rules, now) = (store.clone(), in_force.borrow().clone(), clock.now());
        Box::pin(async move { alerts::foresee_retries(&store, &rules, &action, incidents, now).await })
    };
    dashboard::Retrying { actions: Arc::new(move || known.borrow().retry_actions()), foresee: Arc::new(foresee) }
}

/// Incidents that may be run again, oldest first.
async fn of_problem(store: &Store, problem: &str, since: Timestamp) -> anyhow::Result<Vec<Incident>> {
    let limit = u32::try_from(store::ASKED_MAX)?;
    let filter = IncidentFilter { problem: Some(problem.to_owned()), from: Some(since), limit, ..IncidentFilter::default() };
    let mut incidents: Vec<_> = store.incidents(&filter).await?.into_iter().map(|stored| stored.incident).collect();
    incidents.retain(|incident| matches!(incident.state, IncidentState::Confirmed | IncidentState::Lost));
    incidents.reverse();
    Ok(incidents)
}

fn line(forecast: &RetryForecast) -> String {
    let incident = &forecast.incident;
    let at = incident.at().map_or_else(|| "time not known".to_owned(), |at| format!("{at:.0}"));
    let request = incident.request_id.as_ref().map_or("no request ID", domain::RequestId::as_str);
    format!("{:7}  {at}  {}  {}", forecast.outlook.as_str(), visible(request), visible(&forecast.says))
}

fn choose(wanted: Option<&str>, known: &[String]) -> anyhow::Result<String> {
    match (wanted, known) {
        (Some(wanted), known) if known.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (_, []) => bail!("the rules have no `[[action]]` with `kind = \"retry\"`"),
        (wanted, known) => bail!("`--action`: expected one of {}, found `{}`", known.join(", "), visible(wanted.unwrap_or_default())),
    }
}

/// A time, or how long ago.
pub fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let ago = text.parse::<jiff::Span>().ok().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    ago.and_then(|ago| now.checked_sub(ago).ok()).with_context(|| {
        format!("`--since`: expected a time such as 2026-11-27T12:00:00Z, or how long ago such as 2h, found `{}`", visible(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_while_ago() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().expect("a time");
        assert_eq!(since("2026-11-27T11:00:00Z", now).expect("a time").to_string(), "2026-11-27T11:00:00Z");
        assert_eq!(since("2h", now).expect("a while").to_string(), "2026-11-27T10:00:00Z");
        assert_eq!(since("1d 30m", now).expect("a while").to_string(), "2026-11-26T11:30:00Z");
        assert!(since("yesterday", now).is_err());
    }

    #[test]
    fn the_only_retry_action_need_not_be_named() {
        let two = ["a".to_owned(), "b".to_owned()];
        assert_eq!(choose(None, &two[..1]).expect("one"), "a");
        assert_eq!(choose(Some("b"), &two).expect("named"), "b");
        assert!(choose(None, &two).is_err() && choose(Some("c"), &two).is_err() && choose(None, &[]).is_err());
    }
}
