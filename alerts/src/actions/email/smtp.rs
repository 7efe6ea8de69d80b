//! The mail server: the `[smtp]` table of the rules file, and the connections to it.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

use super::BoxError;
use crate::settings::{self, Fault, Surroundings};

/// How long the server may take to connect, and then for each answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Protection {
    /// A plain beginning that must turn into TLS before anything is said; port 587.
    #[default]
    Starttls,
    /// TLS from the first byte; port 465.
    Tls,
    /// None; port 25. For a relay on the same machine or network.
    None,
}

impl Protection {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Tls => "tls",
            Self::None => "no TLS",
        }
    }

    /// The port that is usual for it.
    fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    host: Spanned<String>,
    port: Option<u16>,
    #[serde(default)]
    tls: Protection,
    username: Option<Spanned<String>>,
    password: Option<Spanned<SecretString>>,
    password_file: Option<Spanned<String>>,
    from: Spanned<String>,
    ca_file: Option<Spanned<String>>,
}

/// A mail server.
#[derive(Clone)]
pub(crate) struct Smtp {
    host: String,
    port: u16,
    protection: Protection,
    login: Option<(String, SecretString)>,
    /// Whom mails come from unless an action says otherwise.
    pub(super) from: Mailbox,
    authority: Option<Certificate>,
}

impl Smtp {
    /// Reads and checks the `[smtp]` table.
    pub(crate) fn read(table: Spanned<DeValue<'_>>, around: &Surroundings<'_>) -> Result<Self, Fault> {
        let table: Table = settings::read(table)?;
        let host = table.host.get_ref().trim().to_owned();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c)) {
            return Err(Fault::of(&table.host, format!("expected the name of a mail server, found `{}`", host.escape_debug())));
        }
        let password = around.secret("password", table.password, table.password_file)?;
        let login = match (table.username, password) {
            (Some(name), Some(_)) if table.tls == Protection::None && !is_this_machine(&host) => {
                return Err(Fault::of(
                    &name,
                    "expected `tls = \"starttls\"` or `tls = \"tls\"` beside it: without TLS anybody on the way reads the password",
                ));
            }
            (Some(name), Some(password)) => Some((name.into_inner(), password.into_inner())),
            (Some(name), None) => return Err(Fault::of(&name, "expected `password` or `password_file` beside it")),
            (None, Some(password)) => return Err(Fault::of(&password, "expected `username` beside it")),
            (None, None) => None,
        };
        let authority = match &table.ca_file {
            None => None,
            Some(file) => {
                let pem = around.text_of(file)?;
                // Text without a certificate would be read as no certificates.
                let found = pem.contains("-----BEGIN CERTIFICATE-----").then(|| Certificate::from_pem(pem.as_bytes()).ok()).flatten();
                Some(found.ok_or_else(|| Fault::of(file, format!("expected a certificate in PEM form in `{}`", file.get_ref())))?)
            }
        };
        let from = super::mailbox(&table.from)?;
        Ok(Self { host, port: table.port.unwrap_or(table.tls.port()), protection: table.tls, login, from, authority })
    }

    fn tls(&self) -> Result<Tls, lettre::transport::smtp::Error> {
        if self.protection == Protection::None {
            return Ok(Tls::None);
        }
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(authority) = &self.authority {
            parameters = parameters.add_root_certificate(authority.clone());
        }
        let parameters = parameters.build_rustls()?;
        Ok(if self.protection == Protection::Tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
    }
}

/// `smtp.example.com:587 (starttls)`.
impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.host, self.port, self.protection.as_str())
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({self})")
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Connections to the mail server, reused while they last.
#[derive(Clone)]
pub(crate) struct Mailer {
    pub(super) transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When TLS cannot be set up, such as with an unusable certificate.
    pub(crate) fn new(smtp: &Smtp) -> Result<Self, BoxError> {
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host).port(smtp.port).tls(smtp.tls()?).timeout(Some(TIMEOUT));
        if let Some((name, password)) = &smtp.login {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build() })
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailer")
    }
}
