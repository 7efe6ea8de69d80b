//! What the other requests of a function say about the limit that ended one: worked out when somebody asks, since it changes
//! with every request (docs/decisions/0005).

use domain::{Advice, Cause, Incident, Limit, Outcome};
use jiff::{SignedDuration, Timestamp};

use crate::App;
use crate::error::Failure;

/// How far around an incident other requests are looked at: two weeks, so that every weekday is in it twice.
const AROUND: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The advice, where a value can be the cure: a limit of a known function ended it, and no culprit is known.
///
/// # Errors
///
/// When the database does not answer.
pub async fn proposal(app: &App, incident: &Incident, now: Timestamp) -> Result<Option<Advice>, Failure> {
    let diagnosis = &incident.diagnosis;
    let may_be_too_low = incident.outcome == Outcome::Timeout && [Cause::UNKNOWN, "limit_too_low"].contains(&diagnosis.cause.id.as_str());
    let (Some(function), Some(limit), true) = (&incident.function, limit(incident), may_be_too_low) else { return Ok(None) };
    let at = incident.at().unwrap_or(now);
    let from = at.saturating_sub(AROUND).unwrap_or(at);
    let to = at.saturating_add(AROUND).unwrap_or(at);
    let history = app.store.history(&incident.stack, function, from, to).await?;
    // Who has seen nothing but what was cut off has nothing to say.
    Ok((history.finished.total() > 0).then(|| (app.propose)(&history, &limit, &around(incident, &limit))))
}

fn limit(incident: &Incident) -> Option<Limit> {
    let diagnosis = &incident.diagnosis;
    let fired = diagnosis.limit.as_ref()?;
    Some(Limit {
        layer: diagnosis.layer?,
        product: diagnosis.product.clone()?,
        setting: fired.setting.clone(),
        value_ms: fired.value_ms,
        known_from: fired.known_from,
        place: fired.place.clone(),
    })
}

/// The other limits that are known of this request: those that its drawing shows.
fn around(incident: &Incident, fired: &Limit) -> Vec<Limit> {
    let lines = incident.timeline.limits.iter().filter(|line| line.layer != fired.layer && line.value_ms.is_some());
    lines
        .map(|line| {
            let (product, setting) = line.label.rsplit_once(' ').unwrap_or(("", &line.label));
            Limit {
                layer: line.layer,
                product: product.to_owned().into(),
                setting: setting.to_owned(),
                value_ms: line.value_ms,
                known_from: fired.known_from,
                place: None,
            }
        })
        .collect()
}
