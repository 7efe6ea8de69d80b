//! As much of an SMTP server (RFC 5321) as it takes to accept a mail or not.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The table of a rules file that names such a server.
pub(crate) fn smtp(port: u16) -> String {
    format!("[smtp]\nhost = '127.0.0.1'\ntls = 'none'\nport = {port}\nfrom = 'Shop <help@example.com>'\n")
}

/// One mail as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, with `\n` as line end.
    pub text: String,
}

/// The server. It lives as long as the test's runtime.
#[derive(Clone)]
pub(crate) struct MailServer {
    mails: Arc<Mutex<Vec<Mail>>>,
    /// Where it listens.
    pub port: u16,
}

impl MailServer {
    /// Begins to listen. `answer` gives the reply to `RCPT TO` for an address, such as `250 ok`.
    pub(crate) async fn start(answer: fn(&str) -> &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let server = Self { mails: Arc::default(), port: listener.local_addr().expect("bound").port() };
        let mails = Arc::clone(&server.mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&mails), answer));
            }
        });
        server
    }

    /// What came so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().expect("not poisoned").clone()
    }
}

async fn talk(stream: TcpStream, mails: Arc<Mutex<Vec<Mail>>>, answer: fn(&str) -> &'static str) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 fake\r\n").await?;
    let (mut from, mut to) = (String::new(), Vec::new());
    while let Some(line) = lines.next_line().await? {
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let verb: String = line.chars().take(4).collect();
        let reply = match verb.to_ascii_uppercase().as_str() {
            "MAIL" => {
                (from, to) = (address(), Vec::new());
                "250 ok"
            }
            "RCPT" => {
                let reply = answer(&address());
                if reply.starts_with('2') {
                    to.push(address());
                }
                reply
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                }
                mails.lock().expect("not poisoned").push(Mail { from: from.clone(), to: to.clone(), text });
                "250 ok"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
