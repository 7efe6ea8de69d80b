//! Runs a request again: the one action with effects.
//!
//! Whether it may run is decided by [`crate::retry`], under a lock in the database, and written down before anything is sent.
//! What is sent may then have run: it is never sent again unless the other side said that it did not take it.

pub(super) mod http;
#[cfg(feature = "aws")]
pub(super) mod lambda;
#[cfg(not(feature = "aws"))]
#[path = "retry/no_lambda.rs"]
pub(super) mod lambda;
pub(super) mod openfaas;
mod openwhisk;
mod payload;
mod sent;

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Incident};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use serde::Deserialize;
use store::{RetryCase, RetryScope, RetryStep, Store, StoreError};
use toml::Spanned;

use self::payload::Payload;
use self::sent::Sent;
use super::{ActionError, outgoing};
use crate::notification::Notification;
use crate::retry::{Asked, Decision, Guards, Keys, decide};
use crate::settings::{Fault, Surroundings};

/// Its name in the rules file.
pub(super) const KIND: &str = "retry";

/// How often, and how far apart, what became of a sending is written down if the database does not answer.
const WRITES_MAX: u32 = 5;
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// How long a receiver may take to answer if the action does not say: as long as the functions behind most gateways may.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The longest that it can be told to wait: an attempt as a whole gets 60 s by default.
const TIMEOUT_MAX_S: i64 = 55;

/// An `[[action]]` table of this kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    target: TargetTable,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    payload: Payload,
    timeout: Option<Spanned<String>>,
    guards: Option<Keys>,
}

/// What runs it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TargetTable {
    AwsLambda(lambda::Table),
    Http(http::Table),
    Openfaas(openfaas::Table),
    Openwhisk(openwhisk::Table),
}

#[derive(Debug)]
enum Target {
    Lambda(lambda::Lambda),
    Http(http::Http),
    OpenFaas(openfaas::OpenFaas),
    OpenWhisk(openwhisk::OpenWhisk),
}

/// Something that can run a request again, and when it may.
#[derive(Debug)]
pub(crate) struct Retry {
    guards: Guards,
    payload: Payload,
    timeout: Duration,
    target: Target,
}

/// Where decisions are made and written down.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// One sending, decided and written down.
struct Order<'a> {
    /// The idempotency key.
    id: &'a str,
    /// Which retry of the request it is, from 1.
    number: u32,
    /// How many there may be.
    number_max: u32,
    incident: &'a Incident,
    payload: Payload,
    timeout: Duration,
    sent_at: Timestamp,
    /// What only we and the receiver know: the end of the address to which the result is posted.
    token: &'a str,
}

impl Retry {
    /// Checks the settings.
    pub(super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let target = match table.target {
            TargetTable::AwsLambda(table) => Target::Lambda(lambda::Lambda::read(table)?),
            TargetTable::Http(table) => Target::Http(http::Http::read(table, around)?),
            TargetTable::Openfaas(table) => Target::OpenFaas(openfaas::OpenFaas::read(table, around)?),
            TargetTable::Openwhisk(table) => Target::OpenWhisk(openwhisk::OpenWhisk::read(table, around)?),
        };
        let guards = table.guards.map(Keys::read).transpose()?.unwrap_or_default();
        Ok(Self {
            guards: Guards { enabled: table.enabled, ..guards },
            payload: table.payload,
            timeout: read_timeout(table.timeout)?,
            target,
        })
    }

    /// Where it goes, without paths and keys.
    pub(crate) fn target(&self) -> String {
        match &self.target {
            Target::Lambda(lambda) => lambda.target(),
            Target::Http(http) => http.target(),
            Target::OpenFaas(openfaas) => openfaas.target(),
            Target::OpenWhisk(openwhisk) => openwhisk.target(),
        }
    }

    /// What a decision at `now` looks at.
    pub(crate) fn scope<'a>(&self, action: &'a str, now: Timestamp) -> RetryScope<'a> {
        let struck_since = now.saturating_sub(self.guards.systemic_window).unwrap_or(Timestamp::MIN);
        RetryScope { action, struck_since, now }
    }

    /// What would be done.
    pub(crate) fn decide(&self, asked: Asked, case: &RetryCase, now: Timestamp) -> Decision {
        decide(&self.guards, asked, case, now)
    }

    /// Decides, and sends what may run.
    pub(super) async fn attempt(
        &self,
        notification: &Notification,
        clients: &outgoing::Clients,
        desk: &Desk,
    ) -> Result<String, ActionError> {
        let now = desk.clock.now();
        let token = token()?;
        let digest = blake3::hash(token.as_bytes()).to_hex().to_string();
        let asked = if notification.rule == store::BY_HAND { Asked::ByHand } else { Asked::ByRule };
        let decided = desk
            .store
            .begin_retry(notification.incident.id.as_str(), self.scope(&notification.action, now), |case| {
                let decision = self.decide(asked, case, now);
                let row = decision.row(&notification.rule, &notification.delivery_id, Some(digest));
                ((decision, case.incident.clone()), row)
            })
            .await
            .map_err(not_decided)?;
        let Some((decision, incident)) = decided else {
            return Err(ActionError::Declined { action: KIND, why: "there is no such incident any more".to_owned() });
        };
        match decision {
            Decision::Refuse(why) => Err(ActionError::Declined { action: KIND, why: why.to_string() }),
            Decision::Wait { until, why } => Err(ActionError::Later { action: KIND, until, why: why.to_string() }),
            Decision::Run { id, number } => {
                let order = Order {
                    id: &id,
                    number,
                    number_max: self.guards.per_request_max,
                    incident: &incident,
                    payload: self.payload,
                    timeout: self.timeout,
                    sent_at: now,
                    token: &token,
                };
                let sent = self.send(&order, clients).await;
                write_down(desk, &id, sent.step()).await;
                sent.outcome(KIND)
            }
        }
    }

    async fn send(&self, order: &Order<'_>, clients: &outgoing::Clients) -> Sent {
        match &self.target {
            // AWS's futures are large, and live in every attempt at anything unless they are boxed.
            Target::Lambda(lambda) => Box::pin(lambda.send(order)).await,
            Target::Http(http) => http.send(order, clients).await,
            Target::OpenFaas(openfaas) => openfaas.send(order, clients).await,
            Target::OpenWhisk(openwhisk) => openwhisk.send(order, clients).await,
        }
    }
}

/// Writes down what became of it. If the database stays away, it is given up later as one of which nobody can tell.
async fn write_down(desk: &Desk, id: &str, step: RetryStep) {
    for _ in 0..WRITES_MAX {
        let Err(error) = desk.store.step_retry(id, &step, desk.clock.now()).await else { return };
        if !error.is_unavailable() {
            let cause = &error as &(dyn std::error::Error + 'static);
            tracing::error!(error = cause, retry.id = id, "what became of a retry could not be written down");
            return;
        }
        tokio::time::sleep(WRITE_PAUSE).await;
    }
}

fn not_decided(error: StoreError) -> ActionError {
    ActionError::Retry { action: KIND, after: None, source: error.into() }
}

/// A secret of 32 hex digits.
fn token() -> Result<String, ActionError> {
    let bytes: [u8; 16] = ring::rand::generate(&SystemRandom::new())
        .map_err(|_| ActionError::Retry { action: KIND, after: None, source: "the system gives no random numbers".into() })?
        .expose();
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn read_timeout(text: Option<Spanned<String>>) -> Result<Duration, Fault> {
    let Some(text) = text else { return Ok(TIMEOUT_DEFAULT) };
    let found = crate::settings::duration(&text)?;
    if !(1..=TIMEOUT_MAX_S).contains(&found.as_secs()) {
        return Err(Fault::of(&text, format!("expected 1 s to {TIMEOUT_MAX_S} s, found \"{}\"", text.get_ref())));
    }
    Ok(found.unsigned_abs())
}

#[cfg(test)]
mod tests;
