//! Rows in the format of `copy … from stdin (format binary)`.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4>, read 2026-11-23: a header, then per row the
//! number of columns and per column its length and bytes (length −1 for null), then −1. All numbers big-endian.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0" flags extension_length | 2  5 "hello" -1 | … | -1
//! ```

mod arrays;

use std::collections::HashSet;

use domain::Key;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::PgConnection;

use crate::columns::{self, Query};

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// 2000-01-01 in seconds since 1970: Postgres counts from there.
const POSTGRES_EPOCH_SECONDS: i64 = 946_684_800;

/// How much is handed to the connection at once, which copies it into a buffer of its own and keeps that.
const CHUNK_BYTES: usize = 128 * 1024;

/// The most that goes as `insert`, in bytes of rows: where `copy` begins to be quicker.
const INSERT_BYTES_MAX: usize = 64 * 1024;

/// How rows of one table are written.
pub(crate) struct Table {
    /// `copy … from stdin (format binary)`.
    pub(crate) copy: &'static str,
    /// `insert … select … from unnest($1, …)`, one array per column.
    pub(crate) insert: &'static str,
    /// The types of its columns, in order.
    pub(crate) columns: &'static [Column],
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// `text`.
    Text,
    /// `timestamptz`.
    Time,
    /// `boolean`.
    Flag,
    /// `json`.
    Json,
}

/// Rows being written. Every row must have its columns in the order and number of the statement they are for.
#[derive(Default)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
}

impl Rows {
    /// Where the next row will begin.
    pub(crate) fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Begins a row.
    pub(crate) fn row(&mut self, table: &Table) {
        let columns = i16::try_from(table.columns.len()).expect("our tables have few columns");
        self.bytes.extend_from_slice(&columns.to_be_bytes());
    }

    /// Takes the row that begins at `start` back if it is among those seen.
    pub(crate) fn keep_if_new(&mut self, start: usize, seen: &mut HashSet<Vec<u8>>) {
        if seen.contains(&self.bytes[start..]) {
            self.bytes.truncate(start);
        } else {
            seen.insert(self.bytes[start..].to_vec());
        }
    }

    /// A `text` column without an index.
    pub(crate) fn text(&mut self, text: &str) {
        self.value(columns::without_nul(text).as_bytes());
    }

    /// A `text` column with an index.
    pub(crate) fn indexed(&mut self, text: &str) {
        self.value(columns::indexed(text).as_bytes());
    }

    /// A key, as `text` with an index.
    pub(crate) fn key(&mut self, key: &Key) {
        let start = self.open();
        columns::write_display(&mut self.bytes, key);
        self.close(start);
        let written = &self.bytes[start..];
        if written.len() > columns::INDEXED_BYTES_MAX || memchr::memchr(0, written).is_some() {
            self.bytes.truncate(start - size_of::<i32>());
            self.value(columns::key_text(key).as_bytes());
        }
    }

    /// A `boolean` column.
    pub(crate) fn flag(&mut self, flag: bool) {
        self.value(&[u8::from(flag)]);
    }

    /// A `timestamptz` column.
    pub(crate) fn time(&mut self, at: Timestamp) {
        let at = columns::storable(at).as_microsecond();
        self.value(&(at - POSTGRES_EPOCH_SECONDS * 1_000_000).to_be_bytes());
    }

    /// A `json` column.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        let start = self.open();
        columns::write_json(&mut self.bytes, value);
        self.close(start);
    }

    /// A `text` column holding the name under which a unit variant is serialised.
    pub(crate) fn name(&mut self, variant: &impl Serialize) {
        let start = self.open();
        columns::write_json(&mut self.bytes, variant);
        // Without the quotes: these names need no escapes.
        let end = self.bytes.len() - 1;
        self.bytes.copy_within(start + 1..end, start);
        self.bytes.truncate(end - 1);
        self.close(start);
    }

    /// A column of any type that may be null.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    fn value(&mut self, value: &[u8]) {
        let start = self.open();
        self.bytes.extend_from_slice(value);
        self.close(start);
    }

    /// Leaves room for the length of a value that begins at the returned position.
    fn open(&mut self) -> usize {
        self.bytes.extend_from_slice(&[0; size_of::<i32>()]);
        self.bytes.len()
    }

    fn close(&mut self, start: usize) {
        let length = i32::try_from(self.bytes.len() - start).expect("one claim is far below 2 GiB: bodies are bounded");
        self.bytes[start - size_of::<i32>()..start].copy_from_slice(&length.to_be_bytes());
    }

    /// Sends the given stretches of rows by `copy` and returns how many rows arrived. Sends nothing if they are empty.
    pub(crate) async fn copy(&self, connection: &mut PgConnection, table: &Table, stretches: &[(usize, usize)]) -> sqlx::Result<u64> {
        if stretches.iter().all(|(from, to)| from == to) {
            return Ok(0);
        }
        let mut copy = connection.copy_in_raw(table.copy).await?;
        copy.send(HEADER).await?;
        for (from, to) in stretches {
            for chunk in self.bytes[*from..*to].chunks(CHUNK_BYTES) {
                copy.send(chunk).await?;
            }
        }
        copy.send(TRAILER).await?;
        copy.finish().await
    }

    /// Whether they go as arrays and not by `copy`.
    pub(crate) fn are_few(&self) -> bool {
        self.bytes.len() <= INSERT_BYTES_MAX
    }

    /// Binds all rows as arrays, one for each column.
    pub(crate) fn bind<'q>(&self, query: Query<'q>, table: &Table) -> Query<'q> {
        arrays::columns(table, std::iter::once(&*self.bytes)).into_iter().fold(query, Query::bind)
    }

    /// Sends the given stretches of rows the way that is quicker for so many, and returns how many rows arrived.
    ///
    /// Few rows go as arrays of an `insert`: that is one exchange with the server, `copy` is two. Over TCP it also avoids
    /// waiting 40 ms for a delayed acknowledgement, since sqlx 0.9.0 does not switch Nagle's algorithm off
    /// (<https://github.com/transact-rs/sqlx/issues/4335>, read 2026-11-23).
    pub(crate) async fn send(
        &self,
        connection: &mut PgConnection,
        table: &'static Table,
        stretches: &[(usize, usize)],
    ) -> sqlx::Result<u64> {
        let bytes: usize = stretches.iter().map(|(from, to)| to - from).sum();
        match bytes {
            0 => Ok(0),
            1..=INSERT_BYTES_MAX => {
                let columns = arrays::columns(table, stretches.iter().map(|(from, to)| &self.bytes[*from..*to]));
                let query = columns.into_iter().fold(sqlx::query(table.insert), sqlx::query::Query::bind);
                Ok(query.execute(connection).await?.rows_affected())
            }
            _ => self.copy(connection, table, stretches).await,
        }
    }
}
