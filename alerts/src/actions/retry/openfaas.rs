//! OpenFaaS: an asynchronous invocation, whose result is posted back.
//!
//! `POST {gateway}/async-function/{name}` answers 202 with `X-Call-Id`, also for a function that does not exist; later
//! `X-Callback-Url` gets a POST with `X-Call-Id`, `X-Duration-Seconds` and `X-Function-Status`. From OpenFaaS's "Asynchronous
//! functions" (docs.openfaas.com/reference/async, read 2026-11-22).

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::Instant;
use toml::Spanned;

use super::super::outgoing;
use super::http::{common, read_authorization};
use super::payload::body;
use super::{Order, Sent};
use crate::settings::{Fault, Surroundings};

/// The keys of `target.openfaas`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Table {
    gateway_url: Spanned<SecretString>,
    function: Spanned<String>,
    /// Where the gateway reaches our ingest listener.
    callback_url: Option<Spanned<SecretString>>,
    authorization: Option<Spanned<SecretString>>,
    authorization_file: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// A function behind a gateway.
pub(in super::super) struct OpenFaas {
    url: Url,
    callback_url: Option<Url>,
    authorization: Option<HeaderValue>,
    allow_private: bool,
}

impl OpenFaas {
    pub(in super::super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let gateway = outgoing::read_url(&table.gateway_url, table.allow_private)?;
        Ok(Self {
            url: below(&gateway, &["async-function", name(&table.function)?]),
            // It is the gateway that goes there, and not we.
            callback_url: table.callback_url.map(|url| outgoing::read_url(&url, true)).transpose()?,
            authorization: read_authorization(around.secret("authorization", table.authorization, table.authorization_file)?)?,
            allow_private: table.allow_private,
        })
    }

    pub(in super::super) fn target(&self) -> String {
        outgoing::origin(&self.url)
    }

    /// Its address, what is sent as `Authorization`, and whether it may be private.
    pub(in super::super) fn into_parts(self) -> (Url, Option<HeaderValue>, bool) {
        (self.url, self.authorization, self.allow_private)
    }

    pub(super) async fn send(&self, order: &Order<'_>, clients: &outgoing::Clients) -> Sent {
        let mut request = clients.for_private(self.allow_private).post(self.url.clone());
        if let Some(callback) = &self.callback_url {
            request = request.header("x-callback-url", below(callback, &["v1", "retries", order.id, order.token]).as_str());
        }
        let began = Instant::now();
        match common(request, order, self.authorization.as_ref()).body(body(order)).send().await {
            Ok(response) => Sent::answered(response, began.elapsed(), order.sent_at).await,
            Err(error) => Sent::unanswered(error),
        }
    }
}

/// A function's or action's name: path segments.
pub(super) fn name(name: &Spanned<String>) -> Result<&str, Fault> {
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@".contains(&b));
    if is_name(name.get_ref()) && !name.get_ref().split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Ok(name.get_ref());
    }
    Err(Fault::of(name, format!("expected the name of a function, found \"{}\"", name.get_ref().escape_debug())))
}

/// The address with more path behind it.
pub(super) fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.iter().flat_map(|part| part.split('/')));
    }
    url
}

impl fmt::Debug for OpenFaas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFaas").field("target", &self.target()).finish_non_exhaustive()
    }
}
