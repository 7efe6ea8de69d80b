//! The mail itself: headers, text, HTML, and the picture in it.

use askama::Template;
use lettre::Message;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};

use super::BoxError;
use crate::notification::Notification;
use crate::picture::Picture;
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
    picture: Option<&'a Picture>,
}

#[derive(Template)]
#[template(path = "incident/body.html")]
struct Html<'a> {
    view: &'a View,
    picture: Option<&'a Picture>,
    /// Under what the picture stands in the same mail.
    picture_id: &'a str,
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
    let picture = Picture::of(&notification.incident.timeline);
    let picture_id = format!("timeline.{id}@{domain}");
    let text = SinglePart::plain(Text { view: &view, picture: picture.as_ref() }.render()?);
    let html = SinglePart::html(Html { view: &view, picture: picture.as_ref(), picture_id: &picture_id }.render()?);
    let body = MultiPart::alternative().boundary(format!("overrun-{id}")).singlepart(text);
    let body = match picture {
        None => body.singlepart(html),
        Some(Picture { png, .. }) => {
            let png = Attachment::new_inline_with_name(picture_id, "timeline.png".to_owned()).body(png, ContentType::parse("image/png")?);
            body.multipart(MultiPart::related().boundary(format!("overrun-picture-{id}")).singlepart(html).singlepart(png))
        }
    };
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
