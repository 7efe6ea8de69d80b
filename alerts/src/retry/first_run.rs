//! When the first run is surely over. Never a guess: where nothing says so, nobody knows.
//!
//! A limit ends a run only where its product kills what runs. AWS Lambda resets the execution environment; gunicorn, unicorn,
//! uWSGI and php-fpm end the process; OpenWhisk removes the container. A gateway or a proxy that gives up ends nothing, nor
//! does of-watchdog in its HTTP mode, nor Cloud Run, whose instances go on.

use domain::{Evidence, Incident, IncidentState, Layer, Outcome};
use jiff::{SignedDuration, Timestamp};

/// Products whose limit is the end of the run.
const KILLS: [&str; 6] = ["aws_lambda", "gunicorn", "openwhisk", "php_fpm", "unicorn", "uwsgi"];

/// When the first run was over, or will be. `run_max` is what its owner says: the longest that a run takes.
pub(super) fn over_at(incident: &Incident, evidence: &[Evidence], run_max: Option<SignedDuration>) -> Option<Timestamp> {
    if let Some(ended) = killed_at(incident) {
        return Some(ended);
    }
    let stated = run_max.and_then(|longest| incident.started_at?.checked_add(longest).ok());
    deadline(incident, evidence).max(stated)
}

/// When it was seen to be ended, by something that ends runs.
fn killed_at(incident: &Incident) -> Option<Timestamp> {
    let diagnosis = &incident.diagnosis;
    let is_inside = diagnosis.layer.is_some_and(|layer| layer >= Layer::Platform && layer != Layer::Downstream);
    let is_over = match incident.outcome {
        Outcome::OutOfMemory | Outcome::Crash | Outcome::DroppedAtShutdown => true,
        Outcome::Timeout | Outcome::InitTimeout => diagnosis.product.as_ref().is_some_and(|product| KILLS.contains(&product.as_str())),
        Outcome::CallerLeft | Outcome::NearMiss | Outcome::Ok => false,
    };
    incident.ended_at.filter(|_| incident.state == IncidentState::Confirmed && is_inside && is_over)
}

/// The latest of all known deadlines, on a platform that keeps them. One at least must have been stated by somebody who was
/// there: a limit alone may be a documented default that this function does not have.
fn deadline(incident: &Incident, evidence: &[Evidence]) -> Option<Timestamp> {
    incident.platform.as_ref().filter(|platform| KILLS.contains(&platform.as_str()))?;
    let of_this = |evidence: &&Evidence| evidence.claim.request_id == incident.request_id;
    let stated: Option<Timestamp> =
        evidence.iter().filter(of_this).filter_map(|evidence| evidence.claim.text("deadline_at")?.parse().ok()).max();
    let limits = incident.timeline.limits.iter().filter(|limit| limit.layer >= Layer::Platform).filter_map(|limit| limit.at);
    limits.max().max(stated).filter(|_| stated.is_some())
}

#[cfg(test)]
mod tests {
    use domain::{LimitLine, LimitMark, Millis, Product};

    use super::*;
    use crate::testing::{self, at};

    fn check(change: impl FnOnce(&mut Incident), run_max_s: Option<i64>, expected: Option<&str>) {
        let mut incident = testing::incident();
        change(&mut incident);
        let over = over_at(&incident, &[], run_max_s.map(SignedDuration::from_secs));
        assert_eq!(over, expected.map(at));
    }

    #[test]
    fn a_killed_worker_is_over_when_it_was_killed() {
        check(|_| {}, None, Some("2026-11-20T22:23:32.998Z"));
        check(|incident| incident.outcome = Outcome::OutOfMemory, None, Some("2026-11-20T22:23:32.998Z"));
    }

    #[test]
    fn nobody_knows_when_a_run_ends_whose_caller_or_proxy_gave_up() {
        let proxy = |incident: &mut Incident| {
            incident.diagnosis.layer = Some(Layer::Router);
            incident.diagnosis.product = Some(Product::from("nginx".to_owned()));
            incident.platform = None;
        };
        check(proxy, None, None);
        check(proxy, Some(60), Some("2026-11-20T22:24:02.990Z"));
    }

    #[test]
    fn a_silent_death_is_over_at_the_last_of_its_deadlines() {
        let line = |layer, text: Option<&str>| LimitLine {
            at: text.map(at),
            layer,
            label: "Timeout".to_owned(),
            value_ms: Some(Millis::from_ms(3_000)),
            mark: LimitMark::NotReached,
        };
        let mut incident = testing::incident();
        incident.state = IncidentState::Lost;
        incident.platform = Some(Product::AWS_LAMBDA);
        incident.timeline.limits = vec![
            line(Layer::Platform, Some("2026-11-20T22:23:40Z")),
            line(Layer::Platform, None),
            line(Layer::Gateway, Some("2026-11-20T23:00:00Z")),
        ];
        assert_eq!(over_at(&incident, &[], None), None, "a limit may be a default");
        let stated = |deadline| testing::evidence(&incident, |claim| claim.with("deadline_at", deadline));
        let over = |deadline| over_at(&incident, &[stated(deadline)], None);
        assert_eq!(over("2026-11-20T22:23:35Z"), Some(at("2026-11-20T22:23:40Z")));
        assert_eq!(over("2026-11-20T22:24:35Z"), Some(at("2026-11-20T22:24:35Z")));
        assert_eq!(over("soon"), None);
    }
}
