//! A network between the daemon and its database that can fail without a word, as it does when a machine vanishes: nothing
//! is refused and nothing is closed, nothing just comes through any more.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Database;

/// Passes bytes on until it is told to fall silent. What was connected then stays silent for ever.
pub struct Proxy {
    port: u16,
    silent: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn before(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (silent, is_silent) = watch::channel(false);
        let server = PgConnectOptions::from_str(&database.url()).expect("a URL");
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("a listener");
                tokio::spawn(pass(client, server.clone(), is_silent.clone()));
            }
        });
        Self { port, silent, accepting }
    }

    /// The database's address on this side of the network.
    pub fn url(&self, database: &Database) -> String {
        let options = PgConnectOptions::from_str(&database.url()).expect("a URL");
        format!("postgres://{}@127.0.0.1:{}/{}", options.get_username(), self.port, options.get_database().expect("it has a name"))
    }

    pub fn fall_silent(&self) {
        self.silent.send_replace(true);
    }

    /// New connections work again.
    pub fn recover(&self) {
        self.silent.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(client: TcpStream, server: PgConnectOptions, mut silent: watch::Receiver<bool>) {
    if !*silent.borrow_and_update() {
        match server.get_socket() {
            Some(directory) => {
                let socket = UnixStream::connect(directory.join(format!(".s.PGSQL.{}", server.get_port()))).await;
                join(client, socket.expect("the server"), &mut silent).await;
            }
            None => {
                let socket = TcpStream::connect((server.get_host(), server.get_port())).await;
                join(client, socket.expect("the server"), &mut silent).await;
            }
        }
        return;
    }
    // Held open, and never looked at again.
    std::future::pending::<()>().await;
    drop(client);
}

/// Joins the two until either ends, or until silence falls.
async fn join(mut client: TcpStream, mut server: impl AsyncRead + AsyncWrite + Unpin, silent: &mut watch::Receiver<bool>) {
    let fell = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => false,
        fell = silent.wait_for(|silent| *silent) => fell.is_ok(),
    };
    if fell {
        std::future::pending::<()>().await;
    }
}
