//! How a silence is asked for, the same on pages and in the API: what it matches, how long, why, who.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::Deserialize;
use store::{NewSilence, SILENCES_MAX};

use crate::App;
use crate::error::Failure;
use crate::query::BadParameter;

/// The longest silence: what nobody wants to be told of for longer is no alert.
const LASTS_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);

/// Longest reason and name, in bytes.
const COMMENT_BYTES_MAX: usize = 1_000;
const NAME_BYTES_MAX: usize = 100;

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// Fields of the incident and their values.
    pub matchers: BTreeMap<String, String>,
    /// A CEL condition.
    pub condition: Option<String>,
    /// Why.
    pub comment: String,
    /// Who.
    pub created_by: Option<String>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
    /// How long it lasts: `4h`.
    pub lasts: Option<String>,
    /// Whether it ends when the problem that it matches is resolved.
    pub until_resolved: bool,
}

impl Asked {
    /// Checks it and begins the silence; returns its ID.
    ///
    /// # Errors
    ///
    /// What cannot be understood, by name; or that there are too many.
    pub async fn begin(self, app: &App, somebody: &str) -> Result<i64, Failure> {
        let now = app.clock.now();
        let ends_at = self.end(now)?;
        if self.comment.len() > COMMENT_BYTES_MAX {
            return Err(BadParameter::new("comment", format!("at most {COMMENT_BYTES_MAX} bytes"), &self.comment).into());
        }
        let created_by = self.created_by.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| somebody.to_owned());
        if created_by.len() > NAME_BYTES_MAX {
            return Err(BadParameter::new("created_by", format!("at most {NAME_BYTES_MAX} bytes"), &created_by).into());
        }
        let (named, condition) = (&self.matchers, self.condition.as_deref());
        (app.check_silence)(named, condition).map_err(|why| {
            let (name, found) = if condition.is_some() { ("condition", condition.unwrap_or_default()) } else { ("matchers", "") };
            BadParameter::new(name, why.strip_prefix("expected ").unwrap_or(&why), found)
        })?;
        let matchers = self.matchers.into_iter().map(|(name, value)| (name.trim_start_matches("incident.").to_owned(), value)).collect();
        let new = NewSilence { matchers, condition: self.condition, comment: self.comment, created_by, ends_at };
        let id = app.store.add_silence(&new, now).await?;
        id.ok_or_else(|| BadParameter::new("matchers", format!("at most {SILENCES_MAX} silences at a time"), "as many").into())
    }

    /// When it ends; `None`: when its problem is resolved.
    fn end(&self, now: Timestamp) -> Result<Option<Timestamp>, BadParameter> {
        const WANTED: &str = "one of `lasts` (such as 4h), `ends_at` (RFC 3339), or `until_resolved` with a matcher of `problem`";
        let longest = now.saturating_add(LASTS_MAX).unwrap_or(Timestamp::MAX);
        let end = match (&self.lasts, self.ends_at, self.until_resolved) {
            (Some(text), None, false) => {
                let lasts = text.parse().ok().and_then(|span: Span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
                let lasts =
                    lasts.filter(SignedDuration::is_positive).ok_or_else(|| BadParameter::new("lasts", "a duration such as 4h", text))?;
                now.saturating_add(lasts).unwrap_or(Timestamp::MAX)
            }
            (None, Some(at), false) => at,
            (None, None, true) if self.matchers.contains_key("problem") => return Ok(None),
            _ => return Err(BadParameter::new("ends_at", WANTED, "none or several")),
        };
        if end <= now || end > longest {
            return Err(BadParameter::new("ends_at", "an end within a year from now", &end.to_string()));
        }
        Ok(Some(end))
    }
}
