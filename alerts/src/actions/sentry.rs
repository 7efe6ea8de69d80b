//! An event for Sentry, or for what speaks its protocol (Bugsink, GlitchTip).
//!
//! An envelope is posted as <https://develop.sentry.dev/sdk/foundations/envelopes/> says, rate limits are obeyed as
//! <https://develop.sentry.dev/sdk/foundations/transport/rate-limiting/> says (both read 2026-11-27); tried against Bugsink 2.6.
//! The event's ID is the delivery's, so that a repeated attempt is no second event.

mod event;
mod rate_limits;

use std::fmt;
use std::sync::Mutex;

use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use sentry_types::Dsn;
use sentry_types::protocol::v7::{Attachment, Envelope, EnvelopeHeaders};
use serde::Deserialize;
use toml::Spanned;

use super::{ActionError, BoxError, outgoing};
use crate::notification::Notification;
use crate::settings::{Fault, Surroundings};

/// Its name in the rules file.
pub(super) const KIND: &str = "sentry";

/// How we name ourselves to Sentry.
const CLIENT: &str = concat!("overrun/", env!("CARGO_PKG_VERSION"));

/// An `[[action]]` table of this kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    dsn: Option<Spanned<SecretString>>,
    dsn_file: Option<Spanned<String>>,
    environment: Option<String>,
    #[serde(default = "yes")]
    original_event: bool,
    #[serde(default)]
    allow_private: bool,
}

fn yes() -> bool {
    true
}

/// A project of Sentry's.
pub(crate) struct Sentry {
    url: Url,
    auth: SecretString,
    environment: Option<String>,
    original_event: bool,
    allow_private: bool,
    /// Until then it has asked us to be silent.
    silent_until: Mutex<Option<Timestamp>>,
}

impl Sentry {
    /// Checks the settings.
    pub(super) fn read(kind: &Spanned<String>, table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let dsn = around.secret("dsn", table.dsn, table.dsn_file)?;
        let dsn =
            dsn.ok_or_else(|| Fault::of(kind, "expected `dsn` or `dsn_file` beside it; Sentry shows it in the project's settings"))?;
        let parsed: Dsn = dsn
            .get_ref()
            .expose_secret()
            .parse()
            .map_err(|error| Fault::of(&dsn, format!("expected a DSN such as https://KEY@sentry.example.com/1: {error}")))?;
        let url: Url = parsed.envelope_api_url().as_str().parse().expect("a DSN holds a valid URL");
        if !table.allow_private {
            outgoing::check_host(&url).map_err(|error| Fault::of(&dsn, error.to_string().replace("found", "not")))?;
        }
        Ok(Self {
            url,
            auth: SecretString::from(parsed.to_auth(Some(CLIENT)).to_string()),
            environment: table.environment,
            original_event: table.original_event,
            allow_private: table.allow_private,
            silent_until: Mutex::default(),
        })
    }

    /// Scheme and host.
    pub(super) fn target(&self) -> String {
        outgoing::origin(&self.url)
    }

    /// Posts the event once; without the original event if it is too large with it.
    pub(super) async fn attempt(&self, notification: &Notification, clients: &outgoing::Clients) -> Result<String, ActionError> {
        let now = notification.attempted_at;
        if let Some(until) = self.silent_until.lock().expect("no holder of this lock panics").filter(|until| *until > now) {
            let source: BoxError = format!("asked to be left alone until {until}").into();
            return Err(ActionError::Retry { action: KIND, after: until.duration_since(now).try_into().ok(), source });
        }
        let with_input = self.original_event && notification.incident.original_event.is_some();
        let response = self.post(notification, with_input, clients).await?;
        let too_large = response.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let response = if too_large && with_input { self.post(notification, false, clients).await? } else { response };
        if let Some(until) = rate_limits::silent_until(response.status(), response.headers(), now) {
            *self.silent_until.lock().expect("no holder of this lock panics") = Some(until);
        }
        outgoing::judge(KIND, response, now).await
    }

    async fn post(
        &self,
        notification: &Notification,
        with_input: bool,
        clients: &outgoing::Clients,
    ) -> Result<reqwest::Response, ActionError> {
        let body = self.envelope(notification, with_input).map_err(|source| ActionError::GiveUp { action: KIND, source })?;
        let request = clients
            .for_private(self.allow_private)
            .post(self.url.clone())
            .header("X-Sentry-Auth", self.auth.expose_secret())
            .header(CONTENT_TYPE, "application/x-sentry-envelope")
            .body(body);
        request.send().await.map_err(|error| outgoing::unanswered(KIND, error))
    }

    fn envelope(&self, notification: &Notification, with_input: bool) -> Result<Vec<u8>, BoxError> {
        let event = event::of(notification, self.environment.as_deref());
        let headers = EnvelopeHeaders::new().with_event_id(event.event_id).with_sent_at(notification.attempted_at.into());
        let mut envelope = Envelope::new().with_headers(headers);
        envelope.add_item(event);
        if let Some(input) = notification.incident.original_event.as_ref().filter(|_| with_input) {
            envelope.add_item(Attachment {
                buffer: serde_json::to_vec(input)?,
                filename: "original-event.json".to_owned(),
                content_type: Some("application/json".to_owned()),
                ty: None,
            });
        }
        let mut body = Vec::new();
        envelope.to_writer(&mut body)?;
        Ok(body)
    }
}

impl fmt::Debug for Sentry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentry").field("target", &self.target()).field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
