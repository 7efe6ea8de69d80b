//! A mail to the person whose request overran: to the address that stands in the request's own input.
//!
//! Whoever can send a request chooses that address, so it is read narrowly, held against a list of domains and counted; and
//! what such a mail says is the user's own template, with nothing of ours around it. What is not sent is declined, with the
//! reason, and never tried again.
//!
//! ```toml
//! [action.recipient_from_event]
//! pointer = "/user/email"
//! domains = ["example.org"]
//! subject = "Your order was not placed"
//! text_file = "sorry.txt"
//! ```

mod address;
mod pointer;
mod text;

use domain::IncidentState;
use jiff::SignedDuration;
use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Booking, PersonalMail, StoreError};
use toml::Spanned;

use self::address::Refused;
use self::pointer::Pointer;
use self::text::Texts;
use super::super::{ActionError, Desk};
use super::{KIND, mailbox};
use crate::notification::Notification;
use crate::original_event::{self, Lack};
use crate::settings::{Fault, Surroundings};

/// Most domains of one list.
const DOMAINS_MAX: usize = 200;

/// Domains named by `overrun rules check`.
const DOMAINS_SHOWN: usize = 3;

/// Mails to one person within 24 hours if the action does not say, and the most that it can say.
const PER_RECIPIENT_DEFAULT: u32 = 3;
const PER_RECIPIENT_MAX: u32 = 100;

/// Mails within an hour if the action does not say, and the most that it can say.
const PER_HOUR_DEFAULT: u32 = 60;
const PER_HOUR_MAX: u32 = 10_000;

/// How long an input that is not there yet is waited for: the watchdog that sends it and the log that tells of the end come by
/// different ways.
const EVENT_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The table `recipient_from_event`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pointer: Spanned<String>,
    domains: Spanned<Vec<Spanned<String>>>,
    subject: Spanned<String>,
    text_file: Spanned<String>,
    html_file: Option<Spanned<String>>,
    per_recipient_max: Option<Spanned<u32>>,
    per_hour_max: Option<Spanned<u32>>,
    test_to: Option<Spanned<String>>,
}

/// Whom to write to, what, and how often.
#[derive(Debug)]
pub(super) struct Personal {
    pointer: Pointer,
    domains: Vec<String>,
    texts: Texts,
    per_recipient_max: u32,
    per_hour_max: u32,
    /// Who gets the sample of `overrun rules test`: never the person.
    test_to: Option<Mailbox>,
}

/// A mail that may be sent.
pub(super) struct Ready {
    pub to: Address,
    pub message: Vec<u8>,
}

impl Personal {
    /// Checks the settings.
    pub(super) fn read(table: &Table, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let expected = |what| Fault::of(&table.pointer, format!("expected {what}, found `{}`", table.pointer.get_ref().escape_debug()));
        let pointer = Pointer::read(table.pointer.get_ref()).map_err(expected)?;
        Ok(Self {
            pointer,
            domains: read_domains(&table.domains)?,
            texts: Texts::read(&table.subject, &table.text_file, table.html_file.as_ref(), around)?,
            per_recipient_max: read_cap(table.per_recipient_max.as_ref(), PER_RECIPIENT_DEFAULT, PER_RECIPIENT_MAX)?,
            per_hour_max: read_cap(table.per_hour_max.as_ref(), PER_HOUR_DEFAULT, PER_HOUR_MAX)?,
            test_to: table.test_to.as_ref().map(mailbox).transpose()?,
        })
    }

    /// `the person named at `/user/email` of the request, if at example.org`.
    pub(super) fn target(&self) -> String {
        let shown = self.domains[..self.domains.len().min(DOMAINS_SHOWN)].join(", ");
        let more = self.domains.len().saturating_sub(DOMAINS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("the person named at `{}` of the request, if at {shown}{more}", self.pointer.as_str())
    }

    /// The mail to the person, booked: whoever gets it sends it.
    pub(super) async fn write(&self, notification: &Notification, from: &Mailbox, desk: &Desk) -> Result<Ready, ActionError> {
        let declined = |why: String| ActionError::Declined { action: KIND, why };
        let event = self.event(notification, desk).await?;
        let to = self.recipient(&event).map_err(declined)?;
        let message = self.texts.render(notification, &event, from, &Mailbox::new(None, to.clone()));
        let message = message.map_err(|source| ActionError::GiveUp { action: KIND, source })?;
        let mail = PersonalMail {
            delivery_id: &notification.delivery_id,
            action: &notification.action,
            incident: &notification.incident,
            recipient_digest: &address::digest(&to),
            per_recipient_max: self.per_recipient_max,
            per_hour_max: self.per_hour_max,
        };
        match desk.store.book_personal_mail(mail, desk.clock.now()).await.map_err(away)? {
            Booking::Booked => Ok(Ready { to, message }),
            Booking::SameRequest => Err(declined("the person was written to about this request already".to_owned())),
            Booking::RecipientCap => Err(declined(format!("the person was written to {} within 24 h", times(self.per_recipient_max)))),
            Booking::HourCap => Err(declined(format!("the action wrote to people {} within an hour", times(self.per_hour_max)))),
        }
    }

    /// A sample, for whoever tries the rules.
    pub(super) fn sample(&self, notification: &Notification, from: &Mailbox) -> Result<Ready, ActionError> {
        let give_up = |source| ActionError::GiveUp { action: KIND, source };
        let to = self.test_to.as_ref().ok_or_else(|| {
            give_up("expected `test_to` in the action's `recipient_from_event`: a sample is no request of a person, so somebody else has to get it".into())
        })?;
        let message = self.texts.sample(notification, from, to).map_err(give_up)?;
        Ok(Ready { to: to.email.clone(), message })
    }

    /// The input of the request, as the incident has it now; nothing if the request has finished since.
    async fn event(&self, notification: &Notification, desk: &Desk) -> Result<Json, ActionError> {
        let declined = |why| ActionError::Declined { action: KIND, why };
        let told = &notification.incident;
        let fresh = desk.store.incident(told.id.as_str()).await.map_err(away)?;
        let incident = fresh.as_ref().map_or(told, |stored| &stored.incident);
        if incident.state == IncidentState::Survived && told.state != IncidentState::Survived {
            return Err(declined("the request finished after all".to_owned()));
        }
        let event = original_event::known(incident).and_then(|event| serde_json::to_value(event).map_err(|_| Lack::Unknown));
        let wait_ends = notification.created_at.saturating_add(EVENT_WAIT).unwrap_or(notification.created_at);
        event.map_err(|lack| match lack {
            Lack::Unknown if desk.clock.now() < wait_ends => {
                ActionError::Later { action: KIND, until: wait_ends, why: "its original event may still come".to_owned() }
            }
            lack => declined(lack.to_string()),
        })
    }

    /// The person's address; else why nobody is written to.
    fn recipient(&self, event: &Json) -> Result<Address, String> {
        let place = self.pointer.as_str();
        match self.pointer.find(event) {
            None => Err(format!("its original event has nothing at `{place}`")),
            Some(Json::String(text)) if original_event::is_redacted(&text) => Err(Lack::Redacted(place.to_owned()).to_string()),
            Some(Json::String(text)) => address::read(&text, &self.domains).map_err(|refused| match refused {
                Refused::NotAnAddress => format!("its original event has no plain mail address at `{place}`"),
                Refused::DomainNotAllowed => format!("its original event has an address at `{place}` that is not of the domains allowed"),
            }),
            Some(_) => Err(format!("its original event has something other than a text at `{place}`")),
        }
    }
}

/// Nothing is sent that is not written down.
fn away(error: StoreError) -> ActionError {
    ActionError::Retry { action: KIND, after: None, source: error.into() }
}

fn read_domains(list: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, Fault> {
    let count = list.get_ref().len();
    if count == 0 || count > DOMAINS_MAX {
        return Err(Fault::of(list, format!("expected 1 to {DOMAINS_MAX} domains, found {count}")));
    }
    let read = |text: &Spanned<String>| {
        let expected = "expected a domain such as `example.org`, with other letters than a to z written as `xn--…`";
        address::domain(text.get_ref()).ok_or_else(|| Fault::of(text, format!("{expected}, found `{}`", text.get_ref().escape_debug())))
    };
    list.get_ref().iter().map(read).collect()
}

fn read_cap(cap: Option<&Spanned<u32>>, default: u32, max: u32) -> Result<u32, Fault> {
    match cap {
        None => Ok(default),
        Some(cap) if (1..=max).contains(cap.get_ref()) => Ok(*cap.get_ref()),
        Some(cap) => Err(Fault::of(cap, format!("expected 1 to {max}, found {}", cap.get_ref()))),
    }
}

fn times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

#[cfg(test)]
mod tests;
