//! OpenWhisk: an invocation that nobody waits for.
//!
//! `POST {host}/api/v1/namespaces/{namespace}/actions/{name}?blocking=false` with Basic authentication answers 202 and
//! `{"activationId": "…"}`. From OpenWhisk's REST API description (apiv1swagger.json, read 2026-11-22); not tried against a
//! running OpenWhisk.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use toml::Spanned;

use super::super::outgoing;
use super::http::common;
use super::openfaas::{below, name};
use super::payload::body;
use super::{Order, Sent};
use crate::settings::{Fault, Surroundings};

/// The keys of `target.openwhisk`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    host_url: Spanned<SecretString>,
    #[serde(default = "own_namespace")]
    namespace: Spanned<String>,
    function: Spanned<String>,
    api_key: Option<Spanned<SecretString>>,
    api_key_file: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// OpenWhisk's word for the namespace of the key.
fn own_namespace() -> Spanned<String> {
    Spanned::new(0..0, "_".to_owned())
}

/// An action of OpenWhisk's.
pub(super) struct OpenWhisk {
    url: Url,
    authorization: HeaderValue,
    allow_private: bool,
}

impl OpenWhisk {
    pub(super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let host = outgoing::read_url(&table.host_url, table.allow_private)?;
        let wrong = "expected `api_key` or `api_key_file`, as `wsk property get --auth` prints it: `uuid:key`";
        let key = around.secret("api_key", table.api_key, table.api_key_file)?.ok_or_else(|| Fault::of(&table.host_url, wrong))?;
        if !key.get_ref().expose_secret().contains(':') {
            return Err(Fault::of(&key, wrong));
        }
        let mut authorization: HeaderValue =
            format!("Basic {}", STANDARD.encode(key.get_ref().expose_secret())).parse().map_err(|_| Fault::of(&key, wrong))?;
        authorization.set_sensitive(true);
        let namespace = name(&table.namespace)?;
        let mut url = below(&host, &["api", "v1", "namespaces", namespace, "actions", name(&table.function)?]);
        url.set_query(Some("blocking=false"));
        Ok(Self { url, authorization, allow_private: table.allow_private })
    }

    pub(super) fn target(&self) -> String {
        outgoing::origin(&self.url)
    }

    pub(super) async fn send(&self, order: &Order<'_>, clients: &outgoing::Clients) -> Sent {
        let request = clients.for_private(self.allow_private).post(self.url.clone());
        let began = Instant::now();
        match common(request, order, Some(&self.authorization)).body(body(order)).send().await {
            Ok(response) if response.status() == StatusCode::ACCEPTED => {
                let answer = outgoing::beginning_of(response).await;
                let json: Option<serde_json::Value> = serde_json::from_slice(&answer).ok();
                Sent::accepted(json.and_then(|json| json["activationId"].as_str().map(str::to_owned)))
            }
            Ok(response) => Sent::answered(response, began.elapsed(), order.sent_at).await,
            Err(error) => Sent::unanswered(error),
        }
    }
}

impl fmt::Debug for OpenWhisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenWhisk").field("target", &self.target()).finish_non_exhaustive()
    }
}
