//! The mail itself: headers, text and HTML.

use askama::Template;
use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::BoxError;
use crate::notification::Notification;
use crate::view::View;

#[derive(Template)]
#[template(path = "incident/subject.txt")]
struct Subject<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "incident/body.txt")]
struct Text<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "incident/body.html")]
struct Html<'a> {
    view: &'a View,
}

/// The bytes of the mail: the same for every attempt at one delivery.
pub(super) fn render(notification: &Notification, from: &Mailbox, to: &[Mailbox]) -> Result<Vec<u8>, BoxError> {
    let view = View::of(notification);
    let (id, domain) = (&notification.delivery_id, from.email.domain());
    let mut builder = Message::builder()
        .from(from.clone())
        .message_id(Some(format!("<{id}@{domain}>")))
        .references(thread(notification.incident.problem.as_str(), domain))
        .date(notification.created_at.into())
        .subject(Subject { view: &view }.render()?)
        .header(AutoSubmitted)
        .header(ListId(list_id(notification.incident.stack.as_str(), domain)));
    for recipient in to {
        builder = builder.to(recipient.clone());
    }
    let body = MultiPart::alternative()
        .boundary(format!("overrun-{id}"))
        .singlepart(SinglePart::plain(Text { view: &view }.render()?))
        .singlepart(SinglePart::html(Html { view: &view }.render()?));
    Ok(builder.multipart(body)?.formatted())
}

/// What all mails about one problem refer to, so that they are one thread: a message that was never sent, since any of them
/// may be the first that somebody gets.
fn thread(problem: &str, domain: &str) -> String {
    format!("<problem.{problem}@{domain}>")
}

/// `default <default.overrun.example.com>`: one list per stack.
fn list_id(stack: &str, domain: &str) -> String {
    let label: String = stack.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(63).collect();
    let label = label.trim_matches('-');
    let label = if label.is_empty() { "stack" } else { label };
    format!("{label} <{label}.overrun.{domain}>")
}

/// Says that no person wrote this, so that no holiday notice answers it.
#[derive(Clone)]
pub(super) struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What people filter by.
#[derive(Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests;
