//! An HTTP POST: a CloudEvent, what a chat or pager takes, or the user's own text; signed where there is a key.
//!
//! What is posted stands in `webhook/body/`. Headers: Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>, read 2026-11-20).
//!
//! ```text
//! webhook-id: 0123456789abcdef0123456789abcdef
//! webhook-timestamp: 1795213413
//! webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
//! ```

mod body;
mod signature;

use std::fmt;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;

use self::body::Body;
pub(super) use self::signature::Signature;
use super::{ActionError, outgoing};
use crate::notification::Notification;
use crate::settings::{Fault, Surroundings};

/// Its name in the rules file.
pub(super) const KIND: &str = "webhook";

/// An `[[action]]` table of this kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    url: Spanned<SecretString>,
    body: Option<Spanned<body::Name>>,
    secret: Option<Spanned<SecretString>>,
    secret_file: Option<Spanned<String>>,
    routing_key: Option<Spanned<SecretString>>,
    routing_key_file: Option<Spanned<String>>,
    template_file: Option<Spanned<String>>,
    content_type: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// Whether a body has that name.
pub(super) fn is_body(word: &str) -> bool {
    let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    body::Name::deserialize(word).is_ok()
}

/// A receiver.
pub(crate) struct Webhook {
    url: Url,
    keys: Signature,
    body: Body,
    allow_private: bool,
}

impl Webhook {
    /// Checks the settings.
    pub(super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let url = outgoing::read_url(&table.url, table.allow_private)?;
        let keys = body::Keys {
            routing_key: around.secret("routing_key", table.routing_key, table.routing_key_file)?,
            template_file: table.template_file,
            content_type: table.content_type,
        };
        let name = table.body.unwrap_or_else(|| Spanned::new(table.url.span(), body::Name::default()));
        let body = Body::read(&name, keys, around)?;
        let keys = match around.secret("secret", table.secret, table.secret_file)? {
            Some(secret) => Signature::read(&secret)?,
            None if body.must_be_signed() => {
                let message = "expected `secret` or `secret_file` beside it; `echo whsec_$(openssl rand -base64 32)` makes one";
                return Err(Fault::of(&table.url, message));
            }
            None => Signature::default(),
        };
        Ok(Self { url, keys, body, allow_private: table.allow_private })
    }

    /// Scheme and host.
    pub(super) fn target(&self) -> String {
        outgoing::origin(&self.url)
    }

    /// Posts the notification once.
    pub(super) async fn attempt(&self, notification: &Notification, clients: &outgoing::Clients) -> Result<String, ActionError> {
        let give_up = |source| ActionError::GiveUp { action: KIND, source };
        let body = self.body.render(notification).map_err(give_up)?;
        let signed = self.keys.headers(&notification.delivery_id, notification.attempted_at, body.as_bytes()).map_err(give_up)?;
        let request =
            clients.for_private(self.allow_private).post(self.url.clone()).header(CONTENT_TYPE, self.body.content_type()).headers(signed);
        let response = request.body(body).send().await.map_err(|error| outgoing::unanswered(KIND, error))?;
        outgoing::judge(KIND, response, notification.attempted_at).await
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("target", &self.target()).field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
