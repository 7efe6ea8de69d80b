//! What can be wrong with a rules file.

use std::io;

use crate::settings::{Fault, Source};

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("cannot read rules file `{file}`")]
    Unreadable {
        /// Its name as given.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something in it cannot be used.
    #[error("{file}:{line}: {}{message}", .key.as_ref().map(|key| format!("`{key}`: ")).unwrap_or_default())]
    Invalid {
        /// Its name as given.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key, where the fault is one key's value.
        key: Option<String>,
        /// What was expected and what was found.
        message: String,
    },
}

impl RulesError {
    pub(super) fn new(file: &str, source: &Source<'_>, fault: Fault) -> Self {
        let (line, key) = (source.line(&fault), source.key(&fault).map(str::to_owned));
        Self::Invalid { file: file.to_owned(), line, key, message: source.message(fault) }
    }
}
