//! Any HTTP endpoint, such as a function URL: a POST that is answered when it has run, or with 202 when it will.
//!
//! `Idempotency-Key` is a string of structured fields, with its quotes (draft-ietf-httpapi-idempotency-key-header, read
//! 2026-11-27); `traceparent` continues the trace of the request (W3C Trace Context).

use std::fmt;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use toml::Spanned;

use super::super::{outgoing, webhook};
use super::payload::body;
use super::{Order, Sent};
use crate::settings::{Fault, Surroundings};

/// The keys of `target.http`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Table {
    url: Spanned<SecretString>,
    authorization: Option<Spanned<SecretString>>,
    authorization_file: Option<Spanned<String>>,
    secret: Option<Spanned<SecretString>>,
    secret_file: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// The endpoint.
pub(super) struct Http {
    url: Url,
    authorization: Option<HeaderValue>,
    keys: webhook::Signature,
    allow_private: bool,
}

impl Http {
    pub(in super::super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let secret = around.secret("secret", table.secret, table.secret_file)?;
        Ok(Self {
            url: outgoing::read_url(&table.url, table.allow_private)?,
            authorization: read_authorization(around.secret("authorization", table.authorization, table.authorization_file)?)?,
            keys: secret.as_ref().map(webhook::Signature::read).transpose()?.unwrap_or_default(),
            allow_private: table.allow_private,
        })
    }

    pub(in super::super) fn target(&self) -> String {
        outgoing::origin(&self.url)
    }

    pub(super) async fn send(&self, order: &Order<'_>, clients: &outgoing::Clients) -> Sent {
        let body = body(order);
        let signed = self.keys.headers(order.id, order.sent_at, body.as_bytes());
        let headers = match signed {
            Ok(headers) => headers,
            Err(error) => return Sent::refused(error),
        };
        let request = clients.for_private(self.allow_private).post(self.url.clone()).headers(headers);
        let began = Instant::now();
        match common(request, order, self.authorization.as_ref()).body(body).send().await {
            Ok(response) => Sent::answered(response, began.elapsed(), order.sent_at).await,
            Err(error) => Sent::unanswered(error),
        }
    }
}

/// What every endpoint that speaks HTTP is told.
pub(super) fn common(request: RequestBuilder, order: &Order<'_>, authorization: Option<&HeaderValue>) -> RequestBuilder {
    let mut request = request
        .timeout(order.timeout)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("idempotency-key", format!("\"{}\"", order.id));
    if let Some(trace_id) = &order.incident.trace_id {
        // A span ID of zeros is no span ID.
        let span_id = fastrand::u64(1..);
        request = request.header("traceparent", format!("00-{trace_id}-{span_id:016x}-01"));
    }
    match authorization {
        Some(value) => request.header(AUTHORIZATION, value.clone()),
        None => request,
    }
}

/// Reads the value of an `Authorization` header.
pub(in super::super) fn read_authorization(secret: Option<Spanned<SecretString>>) -> Result<Option<HeaderValue>, Fault> {
    let Some(secret) = secret else { return Ok(None) };
    let mut value: HeaderValue = secret
        .get_ref()
        .expose_secret()
        .parse()
        .map_err(|_| Fault::of(&secret, "expected the value of an `Authorization` header, such as `Bearer …`"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("target", &self.target()).finish_non_exhaustive()
    }
}
