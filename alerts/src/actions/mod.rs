//! What rules do: one file per action.
//!
//! An action makes one attempt. Its error says whether a later one makes sense; counting, waiting and repeating are the
//! worker's. To add one: a file here with its settings and its `attempt`, a variant of [`Action`] and an arm in each of its
//! methods, and a page in `docs/actions/`.

mod alertmanager;
mod email;
mod errors_node;
mod outgoing;
mod retry;
mod sentry;
mod webhook;

use std::time::Duration;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::DeValue;

use crate::nearest::nearest;
use crate::notification::Notification;
use crate::rules::Rules;
use crate::settings::{self, Fault, Surroundings};
use crate::text::one_line;

pub(crate) use self::email::Smtp;
pub(crate) use self::retry::{Desk, Retry};

/// Any error, as the source of one of ours.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Longest account of an attempt that is kept, in characters.
const DETAIL_CHARS_MAX: usize = 500;

/// Why an attempt failed, and with it whether there will be another.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActionError {
    /// The other side may accept it later; `after` is its own wish, if it gave one.
    #[error("`{action}` was not delivered")]
    Retry {
        /// The kind of action.
        action: &'static str,
        /// What `Retry-After` said.
        after: Option<Duration>,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// It is not made yet: the attempt does not count.
    #[error("`{action}` waits: {why}")]
    Later {
        /// The kind of action.
        action: &'static str,
        /// Not before.
        until: Timestamp,
        /// What is waited for.
        why: String,
    },
    /// The action has a reason to leave it undone.
    #[error("`{action}` leaves it: {why}")]
    Declined {
        /// The kind of action.
        action: &'static str,
        /// The reason.
        why: String,
    },
    /// The receiver is gone for good (410): it is not asked again before the rules change.
    #[error("`{action}` is gone")]
    Gone {
        /// The kind of action.
        action: &'static str,
        /// What the other side said.
        #[source]
        source: BoxError,
    },
    /// No later attempt can succeed: bad address, revoked key, any 4xx but 408 and 429.
    #[error("`{action}` was refused")]
    GiveUp {
        /// The kind of action.
        action: &'static str,
        /// What the other side said.
        #[source]
        source: BoxError,
    },
}

impl ActionError {
    /// The whole chain in one line, for the record of the attempt. Not for logs: answers of others may name people.
    pub(crate) fn detail(&self) -> String {
        one_line(&chain(self), DETAIL_CHARS_MAX)
    }
}

/// An error with its causes, each once: some libraries repeat them in their own text.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.ends_with(&cause)) {
            (true, _) => cause,
            (false, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}

/// Which deliveries to an action go one after the other, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Those of one problem: what is told of it is told in order.
    OfProblem,
    /// Those of one stack.
    OfStack,
    /// Each for itself.
    None,
}

/// A configured action, ready to be attempted.
#[derive(Debug)]
pub(crate) enum Action {
    /// A mail.
    Email(email::Email),
    /// An event for Sentry.
    Sentry(sentry::Sentry),
    /// An HTTP request with the incident in one of several forms.
    Webhook(webhook::Webhook),
    /// An alert for Alertmanager.
    Alertmanager(alertmanager::Alertmanager),
    /// The request, run again.
    Retry(Box<Retry>),
    /// Every error of a stack, for a function or program.
    ErrorsNode(errors_node::ErrorsNode),
}

impl Action {
    /// Every kind, as `kind` in the rules file and as metric label.
    pub(crate) const KINDS: [&str; 6] = [email::KIND, sentry::KIND, webhook::KIND, alertmanager::KIND, retry::KIND, errors_node::KIND];

    /// Reads an `[[action]]` table from which `name` and `kind` have been taken.
    pub(crate) fn read(
        kind: &Spanned<String>,
        table: Spanned<DeValue<'_>>,
        smtp: Option<&Smtp>,
        around: &Surroundings<'_>,
    ) -> Result<Self, Fault> {
        match kind.get_ref().as_str() {
            webhook::KIND => Ok(Self::Webhook(webhook::Webhook::read(settings::read(table)?, around)?)),
            sentry::KIND => Ok(Self::Sentry(sentry::Sentry::read(kind, settings::read(table)?, around)?)),
            alertmanager::KIND => Ok(Self::Alertmanager(alertmanager::Alertmanager::read(settings::read(table)?, around)?)),
            email::KIND => Ok(Self::Email(email::Email::read(&settings::read(table)?, smtp, kind, around)?)),
            errors_node::KIND => Ok(Self::ErrorsNode(errors_node::ErrorsNode::read(settings::read(table)?, around)?)),
            retry::KIND => Ok(Self::Retry(Box::new(Retry::read(settings::read(table)?, around)?))),
            other => {
                let body = webhook::is_body(other).then(|| format!(" (did you mean `{}` with `body = \"{other}\"`?)", webhook::KIND));
                let near = || nearest(other, Self::KINDS).map(|name| format!(" (did you mean `{name}`?)"));
                let hint = body.or_else(near).unwrap_or_default();
                Err(Fault::of(kind, format!("unknown action `{other}`{hint}, expected one of {}", Self::KINDS.join(", "))))
            }
        }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => webhook::KIND,
            Self::Sentry(_) => sentry::KIND,
            Self::Alertmanager(_) => alertmanager::KIND,
            Self::Email(_) => email::KIND,
            Self::Retry(_) => retry::KIND,
            Self::ErrorsNode(_) => errors_node::KIND,
        }
    }

    /// Which of its deliveries go one after the other.
    pub(crate) fn order(&self) -> Order {
        match self {
            Self::Retry(_) => Order::None,
            // Different people, who have nothing to do with one another.
            Self::Email(email) if email.is_personal() => Order::None,
            Self::ErrorsNode(_) => Order::OfStack,
            _ => Order::OfProblem,
        }
    }

    /// Whether it writes to the person whose request it was, and not to those who run the system.
    pub(crate) fn is_personal(&self) -> bool {
        matches!(self, Self::Email(email) if email.is_personal())
    }

    /// Whether those who run the system hear of it: not by a mail to the person whose request it was, nor by running it again.
    pub(crate) fn tells_on_call(&self) -> bool {
        !self.is_personal() && !matches!(self, Self::Retry(_))
    }

    /// Where it goes, without paths, keys and addresses of people.
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Webhook(webhook) => webhook.target(),
            Self::Sentry(sentry) => sentry.target(),
            Self::Alertmanager(alertmanager) => alertmanager.target(),
            Self::Email(email) => email.target(),
            Self::Retry(retry) => retry.target(),
            Self::ErrorsNode(node) => node.target(),
        }
    }

    /// Makes one attempt; the text is what the other side said.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub(crate) async fn attempt(&self, notification: &Notification, tools: &Tools) -> Result<String, ActionError> {
        match self {
            Self::Retry(retry) => retry.attempt(notification, &tools.connections.http, &tools.desk).await,
            Self::ErrorsNode(node) => node.attempt(notification, &tools.connections.http, Some(&tools.desk)).await,
            Self::Email(email) => email.attempt(notification, tools.connections.mail.as_ref(), Some(&tools.desk)).await,
            _ => self.tell(notification, &tools.connections).await,
        }
    }

    /// Makes one attempt that does nothing but tell; a retry, which would run something, is refused.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub(crate) async fn tell(&self, notification: &Notification, connections: &Connections) -> Result<String, ActionError> {
        match self {
            Self::Webhook(webhook) => webhook.attempt(notification, &connections.http).await,
            Self::Sentry(sentry) => sentry.attempt(notification, &connections.http).await,
            Self::Alertmanager(alertmanager) => alertmanager.attempt(notification, &connections.http).await,
            Self::Email(email) => email.attempt(notification, connections.mail.as_ref(), None).await,
            Self::ErrorsNode(node) => node.attempt(notification, &connections.http, None).await,
            Self::Retry(_) => {
                let source = "it would run a function, so it takes no samples".into();
                Err(ActionError::GiveUp { action: retry::KIND, source })
            }
        }
    }
}

/// Where messages go out.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    http: outgoing::Clients,
    mail: Option<email::Mailer>,
}

impl Connections {
    /// Opens nothing yet; builds what will.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(rules: &Rules, http_timeout: Duration) -> Result<Self, BoxError> {
        let mail = rules.smtp().map(email::Mailer::new).transpose()?;
        Ok(Self { http: outgoing::Clients::new(http_timeout)?, mail })
    }
}

/// What actions share: connections, and where retries are decided.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    connections: Connections,
    desk: Desk,
}

impl Tools {
    /// As [`Connections::new`].
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(rules: &Rules, http_timeout: Duration, desk: Desk) -> Result<Self, BoxError> {
        Ok(Self { connections: Connections::new(rules, http_timeout)?, desk })
    }
}
