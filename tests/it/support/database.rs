//! A database per test on the server that `DATABASE_URL` names.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// An empty database, dropped with this value.
pub struct Database {
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("overrun_it_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(&format!("create database {name}")).await;
        Self { name }
    }

    /// What the daemon is given as `DATABASE_URL`.
    pub fn url(&self) -> String {
        let server = server_url();
        let (address, query) = server.split_once('?').map_or((server.as_str(), String::new()), |(at, query)| (at, format!("?{query}")));
        let server = address.rsplit_once('/').filter(|(before, _)| !before.ends_with('/')).map_or(address, |(server, _)| server);
        format!("{server}/{}{query}", self.name)
    }

    /// A connection of the test's own.
    pub async fn pool(&self) -> PgPool {
        let options = PgConnectOptions::from_str(&self.url()).expect("a URL");
        PgPoolOptions::new().max_connections(2).connect_with(options).await.expect("the database is there")
    }

    /// Refuses all connections and ends those there are.
    pub async fn take_away(&self) {
        execute(&format!("alter database {} with allow_connections false", self.name)).await;
        execute(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'", self.name)).await;
    }

    /// Lets connections in again.
    pub async fn give_back(&self) {
        execute(&format!("alter database {} with allow_connections true", self.name)).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("drop database if exists {} with (force)", self.name);
        // A runtime cannot be entered from within another one, but another thread can have its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(&drop));
        });
        let dropped = dropped.join().is_ok();
        assert!(dropped || std::thread::panicking(), "`{}` could not be dropped", self.name);
    }
}

fn server_url() -> String {
    std::env::var("DATABASE_URL").expect("DATABASE_URL is not set: run `make test`, or `scripts/with-postgres cargo test --test it`")
}

/// Runs a statement on the server's own database. Names in it are ours.
async fn execute(statement: &str) {
    let mut connection = PgConnection::connect(&server_url()).await.expect("the server that DATABASE_URL names");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    connection.close().await.expect("an orderly end");
}
