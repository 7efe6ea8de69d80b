//! A mail through an SMTP server.
//!
//! RFC 5321 for the way, RFC 5322 for the message; `Auto-Submitted` is RFC 3834, `List-Id` RFC 2919. `Message-ID` is the
//! same for every attempt at one delivery, so that a mail sent twice is recognised as one.
//!
//! ```toml
//! [[action]]
//! name = "oncall"
//! kind = "email"
//! to = ["oncall@example.com"]
//! ```
//!
//! With `recipient_from_event` it goes to the person whose request overran instead: see [`personal`].

mod message;
mod personal;
mod smtp;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::{Address, AsyncTransport};
use serde::Deserialize;
use toml::Spanned;

use self::personal::{Personal, Ready};
use super::{ActionError, BoxError, Desk};
use crate::notification::Notification;
use crate::settings::{Fault, Surroundings};

pub(crate) use self::smtp::{Mailer, Smtp};

/// Its name in the rules file.
pub(super) const KIND: &str = "email";

/// Most recipients of one action; more than that is a mailing list.
const RECIPIENTS_MAX: usize = 50;

/// An `[[action]]` table of this kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    to: Option<Spanned<Vec<Spanned<String>>>>,
    from: Option<Spanned<String>>,
    recipient_from_event: Option<Spanned<personal::Table>>,
}

/// Recipients and a sender.
#[derive(Debug)]
pub(crate) struct Email {
    to: Recipients,
    from: Mailbox,
    server: String,
}

#[derive(Debug)]
enum Recipients {
    /// Who is always told: those who run the system.
    Named(Vec<Mailbox>),
    /// The person whose request it was.
    Affected(Box<Personal>),
}

/// What the server said to one recipient's transaction.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    refused: Vec<lettre::transport::smtp::Error>,
    later: Vec<lettre::transport::smtp::Error>,
}

impl Email {
    /// Checks the settings.
    pub(super) fn read(table: &Table, smtp: Option<&Smtp>, kind: &Spanned<String>, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let Some(smtp) = smtp else {
            return Err(Fault::of(kind, "expected an `[smtp]` table in this file that names the mail server, found none"));
        };
        let to = match (&table.to, &table.recipient_from_event) {
            (Some(to), None) => Recipients::Named(read_to(to)?),
            (None, Some(personal)) => Recipients::Affected(Box::new(Personal::read(personal.get_ref(), around)?)),
            (Some(to), Some(_)) => {
                return Err(Fault::of(to, "expected either `to` or `recipient_from_event`, found both: a person gets a mail of their own"));
            }
            (None, None) => return Err(Fault::of(kind, "expected `to` or `recipient_from_event`, found neither")),
        };
        let from = table.from.as_ref().map_or_else(|| Ok(smtp.from.clone()), mailbox)?;
        Ok(Self { to, from, server: smtp.to_string() })
    }

    /// How many recipients, and through which server.
    pub(super) fn target(&self) -> String {
        let to = match &self.to {
            Recipients::Named(to) if to.len() == 1 => "1 recipient".to_owned(),
            Recipients::Named(to) => format!("{} recipients", to.len()),
            Recipients::Affected(personal) => personal.target(),
        };
        format!("{to} through {}", self.server)
    }

    /// Whether it writes to the person whose request it was.
    pub(super) fn is_personal(&self) -> bool {
        matches!(self.to, Recipients::Affected(_))
    }

    /// Hands the mail to the server. Without a `desk`, a person's mail is a sample and goes to somebody else.
    pub(super) async fn attempt(
        &self,
        notification: &Notification,
        mailer: Option<&Mailer>,
        desk: Option<&Desk>,
    ) -> Result<String, ActionError> {
        let give_up = |source| ActionError::GiveUp { action: KIND, source };
        let mailer = mailer.ok_or_else(|| give_up("the rules file has no `[smtp]` table".into()))?;
        match (&self.to, desk) {
            (Recipients::Named(to), _) => {
                // To draw takes some milliseconds, in which other alerts would wait.
                let (told, from, recipients) = (notification.clone(), self.from.clone(), to.clone());
                let drawn = tokio::task::spawn_blocking(move || message::render(&told, &from, &recipients)).await;
                let message = drawn.map_err(|error| give_up(error.into()))?.map_err(give_up)?;
                let to: Vec<_> = to.iter().map(|mailbox| &mailbox.email).collect();
                self.send(&to, &message, mailer).await
            }
            (Recipients::Affected(personal), Some(desk)) => {
                let Ready { to, message } = personal.write(notification, &self.from, desk).await?;
                self.send(&[&to], &message, mailer).await
            }
            (Recipients::Affected(personal), None) => {
                let Ready { to, message } = personal.sample(notification, &self.from)?;
                self.send(&[&to], &message, mailer).await
            }
        }
    }

    /// Hands it over once per recipient, so that one whom the server does not know keeps it from no other.
    ///
    /// If the server wants to be asked again for some, all are asked again: the others get the same message twice, with
    /// the same `Message-ID`.
    async fn send(&self, to: &[&Address], message: &[u8], mailer: &Mailer) -> Result<String, ActionError> {
        let mut tally = Tally::default();
        for &recipient in to {
            let envelope = envelope(&self.from.email, recipient).map_err(|source| ActionError::GiveUp { action: KIND, source })?;
            match mailer.transport.send_raw(&envelope, message).await {
                Ok(_) => tally.accepted += 1,
                Err(error) if error.is_permanent() => {
                    let login = is_about_login(&error);
                    tally.refused.push(error);
                    if login {
                        // The same for every recipient; servers lock out who tries often.
                        break;
                    }
                }
                Err(error) => {
                    let answered = error.is_transient();
                    tally.later.push(error);
                    if !answered {
                        // No server to talk to: the next recipient would only wait for the same.
                        break;
                    }
                }
            }
        }
        tally.judge()
    }
}

impl Tally {
    fn judge(mut self) -> Result<String, ActionError> {
        if let Some(error) = self.later.pop() {
            return Err(ActionError::Retry { action: KIND, after: None, source: error.into() });
        }
        match (self.accepted, self.refused.pop()) {
            (0, Some(error)) => Err(ActionError::GiveUp { action: KIND, source: error.into() }),
            (accepted, None) => Ok(format!("accepted for {accepted}")),
            (accepted, Some(error)) => {
                let refused = self.refused.len() + 1;
                Ok(format!("accepted for {accepted}, refused for {refused}: {}", super::chain(&error)))
            }
        }
    }
}

/// Whether the server refused us and not a recipient: the codes of RFC 4954.
fn is_about_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|status| [530, 534, 535, 538].contains(&u16::from(status)))
}

fn envelope(from: &Address, to: &Address) -> Result<Envelope, BoxError> {
    Ok(Envelope::new(Some(from.clone()), vec![to.clone()])?)
}

fn read_to(to: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<Mailbox>, Fault> {
    let count = to.get_ref().len();
    if count == 0 || count > RECIPIENTS_MAX {
        return Err(Fault::of(to, format!("expected 1 to {RECIPIENTS_MAX} addresses, found {count}")));
    }
    to.get_ref().iter().map(mailbox).collect()
}

/// Reads `someone@example.com` or `Someone <someone@example.com>`.
fn mailbox(text: &Spanned<String>) -> Result<Mailbox, Fault> {
    let wrong = |_| Fault::of(text, format!("expected a mail address, found `{}`", text.get_ref().escape_debug()));
    if text.get_ref().contains(char::is_control) {
        return Err(wrong(lettre::address::AddressError::InvalidUser));
    }
    text.get_ref().parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;
    use crate::testing;
    use crate::testing::mail_server::{self, MailServer};

    /// Knows everybody but two.
    fn rcpt(address: &str) -> &'static str {
        match address {
            "later@example.com" => "451 4.7.1 greylisted, come again",
            "nobody@example.com" => "550 5.1.1 no such user",
            _ => "250 ok",
        }
    }

    async fn send(to: &str) -> (MailServer, Result<String, ActionError>) {
        testing::install_tls();
        let server = MailServer::start(rcpt).await;
        let rules = format!("[[action]]\nname = 'mail'\nkind = 'email'\nto = {to}\n{}", mail_server::smtp(server.port));
        let rules = Rules::parse(&rules, "rules.toml").expect("valid");
        let tools = testing::tools(&rules, std::time::Duration::from_secs(1));
        let result = rules.action("mail").expect("defined").attempt(&testing::notification(), &tools).await;
        (server, result)
    }

    #[tokio::test]
    async fn everybody_gets_the_same_mail() {
        let (server, result) = send("['a@example.com', 'B <b@example.com>']").await;
        assert_eq!(result.expect("accepted"), "accepted for 2");
        let mails = server.mails();
        let to: Vec<_> = mails.iter().map(|mail| mail.to.join(" ")).collect();
        assert_eq!(to, ["a@example.com", "b@example.com"]);
        assert!(mails.iter().all(|mail| mail.from == "help@example.com" && mail.text == mails[0].text));
        assert!(mails[0].text.contains("Subject: checkout: gunicorn's worker timeout (30 s) fired\n"), "{}", mails[0].text);
    }

    #[tokio::test]
    async fn a_server_that_wants_to_be_asked_again_is() {
        let (server, result) = send("['a@example.com', 'later@example.com', 'c@example.com']").await;
        let error = result.expect_err("later");
        assert!(matches!(error, ActionError::Retry { after: None, .. }));
        insta::assert_snapshot!(error.detail(), @"`email` was not delivered: transient error (451): 4.7.1 greylisted, come again");
        assert_eq!(server.mails().len(), 2, "the others have it");
    }

    #[tokio::test]
    async fn one_unknown_recipient_keeps_it_from_no_other() {
        let (server, result) = send("['nobody@example.com', 'a@example.com']").await;
        insta::assert_snapshot!(result.expect("accepted"), @"accepted for 1, refused for 1: permanent error (550): 5.1.1 no such user");
        assert_eq!(server.mails().len(), 1);
        let (server, result) = send("['nobody@example.com']").await;
        let error = result.expect_err("refused");
        assert!(matches!(error, ActionError::GiveUp { .. }));
        insta::assert_snapshot!(error.detail(), @"`email` was refused: permanent error (550): 5.1.1 no such user");
        assert_eq!(server.mails().len(), 0);
    }

    #[tokio::test]
    async fn no_server_is_no_reason_to_give_up() {
        testing::install_tls();
        let rules = "[[action]]\nname = 'mail'\nkind = 'email'\nto = ['a@example.com']\n[smtp]\nhost = '127.0.0.1'\nport = 1\nfrom = 'o@example.com'";
        let rules = Rules::parse(rules, "rules.toml").expect("valid");
        let tools = testing::tools(&rules, std::time::Duration::from_secs(1));
        let result = rules.action("mail").expect("defined").attempt(&testing::notification(), &tools).await;
        assert!(matches!(result, Err(ActionError::Retry { .. })), "{result:?}");
    }
}
