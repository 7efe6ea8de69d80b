//! What a retry action would do with some incidents, without doing it: what a person sees before asking for it.

use std::sync::Arc;

use domain::{Incident, RetryForecast, RetryOutlook};
use jiff::Timestamp;
use store::{Retry as Past, RetryCase, RetryState, Store, StoreError};

use crate::actions::{Action, Retry};
use crate::retry::{Asked, Decision};
use crate::rules::Rules;

impl Rules {
    /// The names of the actions that run requests again.
    #[must_use]
    pub fn retry_actions(&self) -> Vec<String> {
        let names = self.actions();
        names.filter(|(_, action)| matches!(action, Action::Retry(_))).map(|(name, _)| name.to_owned()).collect()
    }
}

/// What the action of that name would do with these incidents, one after the other, each as if those before it had been sent.
/// An incident that is no more is left out.
///
/// # Errors
/// When the database does not answer.
pub async fn foresee_retries(
    store: &Store,
    rules: &Arc<Rules>,
    action: &str,
    incidents: Vec<Incident>,
    now: Timestamp,
) -> Result<Vec<RetryForecast>, StoreError> {
    let Some(Action::Retry(retry)) = rules.action(action) else { return Ok(Vec::new()) };
    let (mut forecasts, mut sent) = (Vec::with_capacity(incidents.len()), Vec::new());
    for incident in incidents {
        let Some(mut case) = store.retry_case(incident.id.as_str(), retry.scope(action, now)).await? else { continue };
        remember(&mut case, &sent);
        let decision = retry.decide(Asked::ByHand, &case, now);
        if let Decision::Run { id, number } = &decision {
            sent.push((case.incident.clone(), past(&case.incident, action, id, *number, now)));
        }
        let (outlook, says) = said(&decision, retry);
        forecasts.push(RetryForecast { incident: case.incident, outlook, says });
    }
    Ok(forecasts)
}

fn remember(case: &mut RetryCase, sent: &[(Incident, Past)]) {
    for (incident, retry) in sent {
        case.history.of_action.push(retry.clone());
        if incident.problem == case.incident.problem {
            case.history.of_problem.push(retry.clone());
        }
        if incident.subject == case.incident.subject && incident.stack == case.incident.stack {
            case.history.of_request.push(retry.clone());
        }
    }
}

fn past(incident: &Incident, action: &str, id: &str, number: u32, now: Timestamp) -> Past {
    Past {
        id: id.to_owned(),
        incident_id: incident.id.to_string(),
        attempt: incident.attempt,
        number,
        rule: store::BY_HAND.to_owned(),
        action: action.to_owned(),
        state: RetryState::Begun,
        begun_at: now,
        ended_at: None,
        took_ms: None,
        detail: String::new(),
        result_request_id: None,
    }
}

fn said(decision: &Decision, retry: &Retry) -> (RetryOutlook, String) {
    match decision {
        Decision::Run { .. } => (RetryOutlook::Runs, format!("would be sent to {}", retry.target())),
        Decision::Wait { until, why } => (RetryOutlook::Waits, format!("would wait until {until:.0}: {why}")),
        Decision::Refuse(why) => (RetryOutlook::Refused, why.to_string()),
    }
}
