//! What became of a retry, told from what is known about the request under which it ran.

use domain::{ClaimedOutcome, Evidence, Incident, IncidentState, Kind, Millis};
use jiff::{SignedDuration, Timestamp};
use store::{RetryState, RetryStep};

/// How long after an account of the end that names no failure one is waited for: other lines may come later.
const SETTLE: SignedDuration = SignedDuration::from_secs(5);

/// The result, once there is one. A run that is nobody's incident ended well if an account of its end says so, or if none that
/// came since says otherwise.
pub(crate) fn result_of(incidents: &[Incident], evidence: &[Evidence], now: Timestamp) -> Option<RetryStep> {
    let failed = incidents.iter().find(|incident| matches!(incident.state, IncidentState::Confirmed | IncidentState::Lost));
    if let Some(incident) = failed {
        return Some(step(RetryState::Failed, incident.elapsed_ms, incident.summary.clone()));
    }
    if let Some(error) = evidence.iter().find(|evidence| evidence.claim.outcome == Some(ClaimedOutcome::Error)) {
        return Some(step(RetryState::Failed, error.claim.elapsed_ms, "it answered with an error".to_owned()));
    }
    let ended = evidence.iter().filter(|evidence| is_end(evidence.claim.kind)).max_by_key(|evidence| evidence.received_at)?;
    let says_so = evidence.iter().any(|evidence| evidence.claim.outcome == Some(ClaimedOutcome::Success));
    if !says_so && now.duration_since(ended.received_at) < SETTLE {
        return None;
    }
    let took = evidence.iter().filter(|evidence| is_end(evidence.claim.kind)).filter_map(|evidence| evidence.claim.elapsed_ms).max();
    let detail = if says_so { "" } else { "no source tells of a failure" };
    Some(step(RetryState::Succeeded, took, detail.to_owned()))
}

fn is_end(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::InvocationReport | Kind::InvocationEnd | Kind::Invocation | Kind::RuntimeDone | Kind::WatchdogClosed | Kind::AsyncSuccess
    )
}

fn step(state: RetryState, took: Option<Millis>, detail: String) -> RetryStep {
    RetryStep { state, took, detail, result_request_id: None }
}

#[cfg(test)]
mod tests {
    use domain::Claim;

    use super::*;
    use crate::testing::{self, at};

    fn check(incidents: &[Incident], claims: &[(Kind, Option<ClaimedOutcome>, i64)], now: &str) -> Option<(RetryState, Option<Millis>)> {
        let evidence: Vec<_> = claims
            .iter()
            .map(|(kind, outcome, elapsed)| {
                let change = |claim| Claim { kind: *kind, outcome: *outcome, elapsed_ms: Some(Millis::from_ms(*elapsed)), ..claim };
                testing::evidence(&testing::incident(), change)
            })
            .collect();
        result_of(incidents, &evidence, at(now)).map(|step| (step.state, step.took))
    }

    const SOON: &str = "2026-11-20T22:23:34Z";
    const LATER: &str = "2026-11-20T22:23:44Z";

    #[test]
    fn a_run_that_overran_again_failed() {
        let again = [testing::incident()];
        assert_eq!(check(&again, &[], SOON), Some((RetryState::Failed, again[0].elapsed_ms)));
        let suspected = [Incident { state: IncidentState::Suspected, ..testing::incident() }];
        assert_eq!(check(&suspected, &[], LATER), None);
    }

    #[test]
    fn a_run_that_ended_succeeded_if_nothing_says_otherwise() {
        let report = (Kind::InvocationReport, None, 3_100);
        assert_eq!(check(&[], &[report], SOON), None, "another line may say more");
        assert_eq!(check(&[], &[report], LATER), Some((RetryState::Succeeded, Some(Millis::from_ms(3_100)))));
        let success = (Kind::RuntimeDone, Some(ClaimedOutcome::Success), 3_099);
        assert_eq!(check(&[], &[report, success], SOON), Some((RetryState::Succeeded, Some(Millis::from_ms(3_100)))));
        let error = (Kind::InvokeError, Some(ClaimedOutcome::Error), 12);
        assert_eq!(check(&[], &[report, error], LATER).map(|(state, _)| state), Some(RetryState::Failed));
        assert_eq!(check(&[], &[(Kind::InvocationStart, None, 0)], LATER), None);
    }
}
