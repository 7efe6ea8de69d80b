//! Running requests of a problem again: what a person asks for, and what would be done. The page and the API share it.

use std::pin::Pin;
use std::sync::Arc;

use domain::{Incident, IncidentState, RetryForecast, RetryOutlook};
use jiff::{SignedDuration, Timestamp};
use store::{IncidentFilter, StoreError};

use crate::App;
use crate::error::Failure;
use crate::query::{self, BadParameter};

/// Requests that can be asked for at once.
pub const ASKED_MAX: u32 = 200;

/// How far back is looked if nothing is said.
const SINCE_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// What the action of that name would do with these incidents.
pub type Foresee = Arc<dyn Fn(String, Vec<Incident>) -> Foreseen + Send + Sync>;

/// The answer, once it is there.
pub type Foreseen = Pin<Box<dyn Future<Output = Result<Vec<RetryForecast>, StoreError>> + Send>>;

/// What can run requests again: handed in, since it belongs to alerts.
#[derive(Clone)]
pub struct Retrying {
    /// The names of the retry actions in force.
    pub actions: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// What one of them would do.
    pub foresee: Foresee,
}

impl Retrying {
    /// Where there are no retry actions.
    #[must_use]
    pub fn none() -> Self {
        Self { actions: Arc::new(Vec::new), foresee: Arc::new(|_, _| Box::pin(async { Ok(Vec::new()) })) }
    }
}

/// What would be done.
pub struct Plan {
    /// The action.
    pub action: String,
    /// All there are.
    pub actions: Vec<String>,
    /// Incidents since then.
    pub since: Timestamp,
    /// One by one, oldest first.
    pub forecasts: Vec<RetryForecast>,
}

impl Plan {
    /// How many have that outlook.
    pub fn count(&self, outlook: RetryOutlook) -> usize {
        self.forecasts.iter().filter(|forecast| forecast.outlook == outlook).count()
    }
}

/// What would be done with the incidents of a problem; `pairs` name `action` and `since`.
pub async fn plan(app: &App, problem: &str, pairs: &[(String, String)]) -> Result<Plan, Failure> {
    let value = |name: &str| pairs.iter().find(|(key, value)| key == name && !value.trim().is_empty()).map(|(_, value)| value.trim());
    let actions = (app.retrying.actions)();
    let action = match value("action") {
        Some(action) if actions.iter().any(|known| known == action) => action.to_owned(),
        Some(action) => return Err(BadParameter::new("action", format!("one of {}", actions.join(", ")), action).into()),
        None => actions.first().cloned().ok_or(Failure::NotFound("retry action"))?,
    };
    let since = match value("since") {
        Some(since) => query::time("since", since)?,
        None => app.clock.now().saturating_sub(SINCE_DEFAULT).unwrap_or(Timestamp::MIN),
    };
    let filter = IncidentFilter { problem: Some(problem.to_owned()), from: Some(since), limit: ASKED_MAX, ..IncidentFilter::default() };
    let mut incidents: Vec<_> = app.store.incidents(&filter).await?.into_iter().map(|stored| stored.incident).collect();
    incidents.retain(|incident| matches!(incident.state, IncidentState::Confirmed | IncidentState::Lost));
    incidents.reverse();
    let forecasts = (app.retrying.foresee)(action.clone(), incidents).await?;
    Ok(Plan { action, actions, since, forecasts })
}

/// Asks for what would be done; answers how many were asked for.
pub async fn ask(app: &App, problem: &str, pairs: &[(String, String)]) -> Result<(u64, Plan), Failure> {
    let plan = plan(app, problem, pairs).await?;
    let wanted = plan.forecasts.iter().filter(|forecast| forecast.outlook != RetryOutlook::Refused);
    let wanted: Vec<_> = wanted.map(|forecast| forecast.incident.clone()).collect();
    let asked = app.store.ask_for_retries(&plan.action, &wanted, app.clock.now()).await?;
    Ok((asked, plan))
}
