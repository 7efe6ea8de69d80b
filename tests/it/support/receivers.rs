//! Who is told: a webhook receiver and a mail server, and the rules that name them.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Certificates, Peer, closed_port};

/// A secret between the daemon and the receiver.
const SECRET: &str = "whsec_b3ZlcnJ1bi1zdG9yeS1zZWNyZXQtMzItYnl0ZXMhIQ==";

/// A webhook and a mailbox, each at an address that stays while nobody listens there.
pub struct Receivers {
    webhook_port: u16,
    mail_port: u16,
    certificates: Option<Certificates>,
    dir: TempDir,
}

impl Receivers {
    /// The mail server wants STARTTLS and a login.
    pub fn with_tls() -> Self {
        Self::new(Some(Certificates::create()))
    }

    /// The mail server takes what comes.
    pub fn plain() -> Self {
        Self::new(None)
    }

    fn new(certificates: Option<Certificates>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { webhook_port: closed_port(), mail_port: closed_port(), certificates, dir }
    }

    /// Rules that tell both of everything.
    pub fn rules(&self) -> PathBuf {
        let smtp = self.certificates.as_ref().map_or_else(
            || "host = '127.0.0.1'\ntls = 'none'".to_owned(),
            |made| {
                let authority = made.authority();
                format!(
                    "host = 'localhost'\ntls = 'starttls'\nusername = 'overrun'\npassword = 's3cret'\nca_file = '{}'",
                    authority.display()
                )
            },
        );
        let rules = format!(
            "[[rule]]\nname = 'everything that overran'\nactions = ['inbox', 'oncall']\n\
             [[action]]\nname = 'inbox'\nkind = 'webhook'\nurl = 'http://127.0.0.1:{}/hook'\nsecret = '{SECRET}'\nallow_private = true\n\
             [[action]]\nname = 'oncall'\nkind = 'email'\nto = ['On call <oncall@example.com>']\n\
             [smtp]\nport = {}\nfrom = 'Overrun <overrun@example.com>'\n{smtp}\n",
            self.webhook_port, self.mail_port
        );
        let file = self.dir.path().join("rules.toml");
        std::fs::write(&file, rules).expect("written");
        file
    }

    /// A rule `r` of these lines that tells the webhook, `inbox`.
    pub fn webhook_rules(&self, lines: &str) -> PathBuf {
        let rules = format!(
            "[[rule]]\nname = 'r'\nactions = ['inbox']\n{lines}\n\
             [[action]]\nname = 'inbox'\nkind = 'webhook'\nurl = 'http://127.0.0.1:{}/hook'\nsecret = '{SECRET}'\nallow_private = true\n",
            self.webhook_port
        );
        let file = self.dir.path().join("rules.toml");
        std::fs::write(&file, rules).expect("written");
        file
    }

    /// A rule `r` that writes to whoever the body of the request names, in the words of `text`.
    pub fn personal_rules(&self, text: &str) -> PathBuf {
        let rules = format!(
            "[[rule]]\nname = 'r'\nactions = ['sorry']\n\
             [[action]]\nname = 'sorry'\nkind = 'email'\nfrom = 'Shop <help@shop.example>'\n\
             [action.recipient_from_event]\npointer = '/body/email'\ndomains = ['customers.example']\ntest_to = 'ops@shop.example'\n\
             subject = 'Your order {{{{ event.order }}}}'\ntext_file = 'sorry.txt'\n\
             [smtp]\nport = {}\nhost = '127.0.0.1'\ntls = 'none'\nfrom = 'Overrun <overrun@example.com>'\n",
            self.mail_port
        );
        std::fs::write(self.dir.path().join("sorry.txt"), text).expect("written");
        let file = self.dir.path().join("rules.toml");
        std::fs::write(&file, rules).expect("written");
        file
    }

    /// Opens the webhook. `answers` are those to the first requests; later ones are accepted.
    pub async fn open_webhook(&self, answers: &Value) -> Peer {
        let settings = json!({ "port": self.webhook_port, "secret": SECRET, "answers": answers });
        listening(Peer::python("webhook_receiver.py", &settings)).await
    }

    /// Opens the webhook as a user of Node.js would. It accepts what it can read.
    pub async fn open_webhook_in_node(&self) -> Peer {
        listening(Peer::node("webhook_receiver.mjs", &json!({ "port": self.webhook_port, "secret": SECRET }))).await
    }

    /// Opens the mailbox.
    pub async fn open_mailbox(&self) -> Peer {
        let mut settings = json!({ "port": self.mail_port, "username": "overrun", "password": "s3cret" });
        if let Some(certificates) = &self.certificates {
            let (certificate, key) = certificates.server();
            (settings["certificate"], settings["key"]) = (json!(certificate), json!(key));
        }
        listening(Peer::python("mail_server.py", &settings)).await
    }
}

async fn listening(mut peer: Peer) -> Peer {
    assert_eq!(peer.next().await, json!({ "listening": true }));
    peer
}
