//! Alerts pushed to Alertmanager, API v2.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>, read 2026-11-27; tried against 0.25. An alert is its
//! labels, so that all incidents of one problem are one alert; it ends by itself some time after the last of them, since each
//! message says when, and at once when the request survived. With several Alertmanagers each is told, as its documentation asks.

pub(super) mod labels;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::{ActionError, outgoing};
use crate::notification::Notification;
use crate::settings::{self, Fault, Surroundings};

/// Its name in the rules file.
pub(super) const KIND: &str = "alertmanager";

/// How long an alert stays after its last incident when the action does not say.
const OPEN_FOR: SignedDuration = SignedDuration::from_mins(30);
const OPEN_FOR_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Most Alertmanagers of one action.
const URLS_MAX: usize = 10;

/// An `[[action]]` table of this kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    urls: Spanned<Vec<Spanned<SecretString>>>,
    open_for: Option<Spanned<String>>,
    bearer_token: Option<Spanned<SecretString>>,
    bearer_token_file: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// One or several Alertmanagers.
pub(crate) struct Alertmanager {
    urls: Vec<Url>,
    open_for: SignedDuration,
    bearer_token: Option<SecretString>,
    allow_private: bool,
}

impl Alertmanager {
    /// Checks the settings.
    pub(super) fn read(table: Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        if table.urls.get_ref().is_empty() || table.urls.get_ref().len() > URLS_MAX {
            return Err(Fault::of(&table.urls, format!("expected 1 to {URLS_MAX} addresses, found {}", table.urls.get_ref().len())));
        }
        let urls = table.urls.get_ref().iter().map(|url| api(outgoing::read_url(url, table.allow_private)?, url));
        let open_for = match &table.open_for {
            None => OPEN_FOR,
            Some(text) => match settings::duration(text)? {
                found if found.is_positive() && found <= OPEN_FOR_MAX => found,
                _ => {
                    return Err(Fault::of(
                        text,
                        format!("expected more than 0 s and at most {OPEN_FOR_MAX:#}, found \"{}\"", text.get_ref()),
                    ));
                }
            },
        };
        let bearer_token = around.secret("bearer_token", table.bearer_token, table.bearer_token_file)?.map(Spanned::into_inner);
        Ok(Self { urls: urls.collect::<Result<_, _>>()?, open_for, bearer_token, allow_private: table.allow_private })
    }

    /// Schemes and hosts.
    pub(super) fn target(&self) -> String {
        self.urls.iter().map(outgoing::origin).collect::<Vec<_>>().join(", ")
    }

    /// Tells every Alertmanager once; the first that did not take it decides. Telling the others again changes nothing.
    pub(super) async fn attempt(&self, notification: &Notification, clients: &outgoing::Clients) -> Result<String, ActionError> {
        let body = json!([self.alert(notification)]).to_string();
        let mut answers = Vec::new();
        for url in &self.urls {
            let mut request = clients.for_private(self.allow_private).post(url.clone()).header(CONTENT_TYPE, "application/json");
            if let Some(token) = &self.bearer_token {
                request = request.bearer_auth(token.expose_secret());
            }
            let answer = match request.body(body.clone()).send().await {
                Ok(response) => outgoing::judge(KIND, response, notification.attempted_at).await,
                Err(error) => Err(outgoing::unanswered(KIND, error)),
            };
            answers.push(answer);
        }
        let taken = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(taken.join(", "))
    }

    fn alert(&self, notification: &Notification) -> Value {
        let ends_at = if notification.is_over() {
            notification.attempted_at
        } else {
            notification.created_at.saturating_add(self.open_for).unwrap_or(Timestamp::MAX)
        };
        json!({
            "labels": labels::of(notification),
            "annotations": labels::annotations(notification),
            "startsAt": labels::starts_at(notification).to_string(),
            "endsAt": ends_at.to_string(),
            "generatorURL": notification.link,
        })
    }
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alertmanager").field("target", &self.target()).field("open_for", &self.open_for).finish_non_exhaustive()
    }
}

/// Where alerts go below the address that people know.
fn api(mut url: Url, at: &Spanned<SecretString>) -> Result<Url, Fault> {
    url.path_segments_mut()
        .map_err(|()| Fault::of(at, "expected a URL that can have a path"))?
        .pop_if_empty()
        .extend(["api", "v2", "alerts"]);
    Ok(url)
}

#[cfg(test)]
mod tests;
