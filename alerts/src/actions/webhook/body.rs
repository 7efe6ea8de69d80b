//! What is posted: one file per body. A body says what it is made of; signing and sending are the same for all.

mod alertmanager;
mod cloudevents;
mod discord;
mod pagerduty;
mod slack;
mod teams;
mod template;

use secrecy::SecretString;
use serde::Deserialize;
use toml::Spanned;

use super::super::BoxError;
use crate::notification::Notification;
use crate::settings::{Fault, Surroundings};

/// The names of the bodies in the rules file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Name {
    #[default]
    Cloudevents,
    Alertmanager,
    Slack,
    Pagerduty,
    Discord,
    Teams,
    Template,
}

/// Keys of an `[[action]]` table that only some bodies have.
pub(super) struct Keys {
    pub routing_key: Option<Spanned<SecretString>>,
    pub template_file: Option<Spanned<String>>,
    pub content_type: Option<Spanned<String>>,
}

/// What is posted.
pub(super) enum Body {
    /// CloudEvents 1.0, structured: the incident as the API shows it.
    Cloudevents,
    /// What Alertmanager posts to its webhooks, version 4.
    Alertmanager,
    /// A message of Slack's incoming webhooks.
    Slack,
    /// An event of PagerDuty's Events API v2.
    Pagerduty(SecretString),
    /// A message of Discord's webhooks.
    Discord,
    /// An adaptive card for a workflow of Microsoft Teams.
    Teams,
    /// The user's own.
    Template(Box<template::Own>),
}

impl Body {
    /// Checks the keys that this body has, and that no other body's are there.
    pub(super) fn read(name: &Spanned<Name>, keys: Keys, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let word = *name.get_ref();
        let misplaced = |span: std::ops::Range<usize>, key: &str, wanted: &str| Fault {
            at: span,
            message: format!("`{key}` belongs to `body = \"{wanted}\"` only"),
        };
        if let Some(key) = &keys.routing_key
            && word != Name::Pagerduty
        {
            return Err(misplaced(key.span(), "routing_key", "pagerduty"));
        }
        for (key, found) in [("template_file", &keys.template_file), ("content_type", &keys.content_type)] {
            if let Some(found) = found
                && word != Name::Template
            {
                return Err(misplaced(found.span(), key, "template"));
            }
        }
        Ok(match word {
            Name::Cloudevents => Self::Cloudevents,
            Name::Alertmanager => Self::Alertmanager,
            Name::Slack => Self::Slack,
            Name::Discord => Self::Discord,
            Name::Teams => Self::Teams,
            Name::Pagerduty => Self::Pagerduty(
                keys.routing_key
                    .ok_or_else(|| {
                        Fault::of(name, "expected `routing_key` or `routing_key_file` beside it: which service of PagerDuty's?")
                    })?
                    .into_inner(),
            ),
            Name::Template => Self::Template(Box::new(template::Own::read(name, keys.template_file, keys.content_type, around)?)),
        })
    }

    /// Whether receivers of this body check who sent it by a signature of Standard Webhooks.
    pub(super) fn must_be_signed(&self) -> bool {
        matches!(self, Self::Cloudevents)
    }

    /// The media type.
    pub(super) fn content_type(&self) -> &str {
        match self {
            Self::Cloudevents => "application/cloudevents+json; charset=utf-8",
            Self::Template(own) => own.content_type(),
            _ => "application/json; charset=utf-8",
        }
    }

    /// The body: the same for every attempt at one delivery.
    ///
    /// # Errors
    /// When the user's own template cannot be filled in.
    pub(super) fn render(&self, notification: &Notification) -> Result<String, BoxError> {
        let json = match self {
            Self::Cloudevents => cloudevents::event(notification),
            Self::Alertmanager => alertmanager::message(notification),
            Self::Slack => slack::message(notification),
            Self::Pagerduty(key) => pagerduty::event(notification, key),
            Self::Discord => discord::message(notification),
            Self::Teams => teams::card(notification),
            Self::Template(own) => return own.render(notification),
        };
        Ok(json.to_string())
    }
}

/// Text in which no character of `special` is left with a meaning: each stands behind a backslash.
fn backslashed(text: &str, special: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
