//! The errors node's sinks: every error of a stack, in order, to a function or program that wants to hear of all.
//!
//! Subscribers that ask for themselves have the stream (`/api/overrun/v1/errors/stream`). A sink is sent what they get: a
//! CloudEvent whose `sequence` counts the errors of its stack, or the plain object of the classic wrapper.

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use toml::Spanned;

use super::retry::{self, Desk};
use super::{ActionError, outgoing, webhook};
use crate::notification::Notification;
use crate::settings::{Fault, Surroundings};

/// Its name in the rules file.
pub(super) const KIND: &str = "errors_node";

/// An `[[action]]` table of this kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    target: TargetTable,
    #[serde(default)]
    body: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TargetTable {
    Http(HttpTable),
    AwsLambda(retry::lambda::Table),
    Openfaas(retry::openfaas::Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    url: Spanned<SecretString>,
    secret: Option<Spanned<SecretString>>,
    secret_file: Option<Spanned<String>>,
    authorization: Option<Spanned<SecretString>>,
    authorization_file: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// What is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    #[default]
    Cloudevents,
    Plain,
}

/// A sink.
#[derive(Debug)]
pub(crate) struct ErrorsNode {
    target: Target,
    body: Body,
}

#[derive(Debug)]
enum Target {
    Http(Box<Http>),
    Lambda(Box<retry::lambda::Lambda>),
}

struct Http {
    url: Url,
    keys: webhook::Signature,
    authorization: Option<HeaderValue>,
    allow_private: bool,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("target", &outgoing::origin(&self.url)).finish_non_exhaustive()
    }
}

impl ErrorsNode {
    /// Checks the settings.
    pub(super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let target = match table.target {
            TargetTable::AwsLambda(table) => Target::Lambda(Box::new(retry::lambda::Lambda::read(table)?)),
            TargetTable::Openfaas(table) => {
                let (url, authorization, allow_private) = retry::openfaas::OpenFaas::read(table, around)?.into_parts();
                Target::Http(Box::new(Http { url, keys: webhook::Signature::default(), authorization, allow_private }))
            }
            TargetTable::Http(table) => {
                let secret = around.secret("secret", table.secret, table.secret_file)?;
                let authorization = around.secret("authorization", table.authorization, table.authorization_file)?;
                Target::Http(Box::new(Http {
                    url: outgoing::read_url(&table.url, table.allow_private)?,
                    keys: secret.as_ref().map(webhook::Signature::read).transpose()?.unwrap_or_default(),
                    authorization: retry::http::read_authorization(authorization)?,
                    allow_private: table.allow_private,
                }))
            }
        };
        Ok(Self { target, body: table.body })
    }

    /// Where it goes, without paths and keys.
    pub(super) fn target(&self) -> String {
        match &self.target {
            Target::Http(http) => outgoing::origin(&http.url),
            Target::Lambda(lambda) => lambda.target(),
        }
    }

    /// Sends the error once. Without a desk it is a sample, which has no number.
    pub(super) async fn attempt(
        &self,
        notification: &Notification,
        clients: &outgoing::Clients,
        desk: Option<&Desk>,
    ) -> Result<String, ActionError> {
        let body = self.render(notification, desk).await?;
        match &self.target {
            Target::Lambda(lambda) => Box::pin(lambda.tell(body)).await,
            Target::Http(http) => http.post(notification, body, self.content_type(), clients).await,
        }
    }

    fn content_type(&self) -> &'static str {
        match self.body {
            Body::Cloudevents => "application/cloudevents+json; charset=utf-8",
            Body::Plain => "application/json; charset=utf-8",
        }
    }

    async fn render(&self, notification: &Notification, desk: Option<&Desk>) -> Result<String, ActionError> {
        let incident = &notification.incident;
        if self.body == Body::Plain {
            return Ok(incident.error_object(&notification.link).to_string());
        }
        let Some(desk) = desk else {
            return Ok(incident.error_event(&notification.link, 0, notification.created_at).to_string());
        };
        let numbered = desk.store.error_sequence(incident.id.as_str()).await;
        let numbered = numbered.map_err(|error| ActionError::Retry { action: KIND, after: None, source: error.into() })?;
        let Some(sequence) = numbered else {
            let why = "it is no error of its stack: only what is confirmed or lost is".to_owned();
            return Err(ActionError::Declined { action: KIND, why });
        };
        Ok(incident.error_event(&notification.link, sequence, notification.created_at).to_string())
    }
}

impl Http {
    async fn post(
        &self,
        notification: &Notification,
        body: String,
        content_type: &'static str,
        clients: &outgoing::Clients,
    ) -> Result<String, ActionError> {
        let signed = self.keys.headers(&notification.delivery_id, notification.attempted_at, body.as_bytes());
        let headers = signed.map_err(|source| ActionError::GiveUp { action: KIND, source })?;
        let mut request =
            clients.for_private(self.allow_private).post(self.url.clone()).headers(headers).header(CONTENT_TYPE, content_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(reqwest::header::AUTHORIZATION, authorization.clone());
        }
        let response = request.body(body).send().await.map_err(|error| outgoing::unanswered(KIND, error))?;
        outgoing::judge(KIND, response, notification.attempted_at).await
    }
}
