//! What the person reads: subject, text and perhaps HTML, all of them the user's own templates.
//!
//! What the templates are given came from outside, so each value is one line of bounded length, without anything that acts
//! instead of being seen: nobody can write a paragraph of their own into somebody else's mail.

use lettre::Message;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use minijinja::AutoEscape;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde_json::Value as Json;
use toml::Spanned;

use super::super::super::BoxError;
use super::super::message::AutoSubmitted;
use crate::incident_data;
use crate::notification::Notification;
use crate::own_template::{self, OwnTemplate};
use crate::settings::{Fault, Surroundings};
use crate::text::one_line;

/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 240;

/// Longest text and longest HTML, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Longest value that a template is given, in characters.
const VALUE_CHARS_MAX: usize = 300;

/// What stands before the subject of a sample.
const SAMPLE: &str = "[Test] ";

/// The templates.
#[derive(Debug)]
pub(super) struct Texts {
    subject: OwnTemplate,
    text: OwnTemplate,
    html: Option<OwnTemplate>,
}

impl Texts {
    /// Reads the templates.
    pub(super) fn read(
        subject: &Spanned<String>,
        text_file: &Spanned<String>,
        html_file: Option<&Spanned<String>>,
        around: &Surroundings<'_>,
    ) -> Result<Self, Fault> {
        let file = |file: &Spanned<String>, escape| {
            let wrong = |why| Fault::of(file, format!("expected a template, found in `{}`: {why}", file.get_ref()));
            OwnTemplate::read(around.text_of(file)?, escape).map_err(wrong)
        };
        let wrong = |why| Fault::of(subject, format!("expected a template, found: {why}"));
        if subject.get_ref().trim().is_empty() {
            return Err(Fault::of(subject, "expected a subject, found none"));
        }
        Ok(Self {
            subject: OwnTemplate::read(subject.get_ref().clone(), AutoEscape::None).map_err(wrong)?,
            text: file(text_file, AutoEscape::None)?,
            html: html_file.map(|html| file(html, AutoEscape::Html)).transpose()?,
        })
    }

    /// The bytes of the mail: the same for every attempt at one delivery.
    pub(super) fn render(&self, notification: &Notification, event: &Json, from: &Mailbox, to: &Mailbox) -> Result<Vec<u8>, BoxError> {
        self.mail("", notification, event, from, to)
    }

    /// The same with nothing known of a request.
    pub(super) fn sample(&self, notification: &Notification, from: &Mailbox, to: &Mailbox) -> Result<Vec<u8>, BoxError> {
        self.mail(SAMPLE, notification, &Json::Null, from, to)
    }

    fn mail(&self, before: &str, notification: &Notification, event: &Json, from: &Mailbox, to: &Mailbox) -> Result<Vec<u8>, BoxError> {
        let told = own_template::context(notification, cleaned(&incident_data::data(notification)));
        let values = context! { event => Value::from(Serde(cleaned(event))), ..told };
        let subject = self.subject.fill(values.clone(), BODY_BYTES_MAX)?;
        let subject = one_line(&format!("{before}{subject}"), SUBJECT_CHARS_MAX);
        let id = &notification.delivery_id;
        let builder = Message::builder()
            .from(from.clone())
            .to(to.clone())
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .date(notification.created_at.into())
            .subject(subject)
            .header(AutoSubmitted);
        let text = SinglePart::plain(self.text.fill(values.clone(), BODY_BYTES_MAX)?);
        let message = match &self.html {
            None => builder.singlepart(text)?,
            Some(html) => {
                let html = SinglePart::html(html.fill(values, BODY_BYTES_MAX)?);
                builder.multipart(MultiPart::alternative().boundary(format!("part-{id}")).singlepart(text).singlepart(html))?
            }
        };
        Ok(message.formatted())
    }
}

/// Values as lines of text.
fn cleaned(value: &Json) -> Json {
    match value {
        Json::String(text) => one_line(text, VALUE_CHARS_MAX).into(),
        Json::Array(items) => items.iter().map(cleaned).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (one_line(name, VALUE_CHARS_MAX), cleaned(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}
