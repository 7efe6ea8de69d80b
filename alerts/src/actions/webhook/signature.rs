//! Headers of Standard Webhooks: who the message is, when it was sent, and a signature with each key.

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Key};
use toml::Spanned;

use super::super::BoxError;
use crate::settings::Fault;

/// Length of a key in bytes, by Standard Webhooks.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Most keys at once: the present one, and old ones until all receivers know the new one.
const KEYS_MAX: usize = 4;

/// The keys that a message is signed with; none leaves it unsigned.
#[derive(Default)]
pub(crate) struct Signature(Vec<Key>);

impl Signature {
    /// Reads `whsec_…`; several are separated by white space.
    pub(crate) fn read(secret: &Spanned<SecretString>) -> Result<Self, Fault> {
        let wrong = || {
            let message = "expected `whsec_` and 24 to 64 bytes in base64; `echo whsec_$(openssl rand -base64 32)` makes one";
            Fault::of(secret, message)
        };
        let texts: Vec<&str> = secret.get_ref().expose_secret().split_whitespace().collect();
        if texts.is_empty() || texts.len() > KEYS_MAX {
            return Err(wrong());
        }
        let key = |text: &str| {
            let base64 = text.strip_prefix("whsec_").ok_or_else(wrong)?;
            let bytes = base64.trim_end_matches('=').len() * 3 / 4;
            let key = Key::new(text).map_err(|_| wrong())?;
            if KEY_BYTES.contains(&bytes) { Ok(key) } else { Err(wrong()) }
        };
        texts.into_iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The headers of one attempt at a message.
    ///
    /// # Errors
    /// When `id` cannot stand in a header.
    pub(crate) fn headers(&self, id: &str, sent_at: Timestamp, body: &[u8]) -> Result<HeaderMap, BoxError> {
        let seconds = sent_at.as_second();
        let signatures = self.0.iter().map(|key| key.sign(id, seconds, body)).collect::<Result<Vec<_>, _>>()?.join(" ");
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(HEADER_WEBHOOK_ID), id.parse()?);
        headers.insert(HeaderName::from_static(HEADER_WEBHOOK_TIMESTAMP), HeaderValue::from(seconds));
        if !signatures.is_empty() {
            headers.insert(HeaderName::from_static(HEADER_WEBHOOK_SIGNATURE), signatures.parse()?);
        }
        Ok(headers)
    }
}
