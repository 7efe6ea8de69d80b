//! Reading the rules file and the files it names.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::rules::{Rules, RulesError};

/// Largest file read, in bytes: rules, secrets and certificates are small.
const FILE_BYTES_MAX: u64 = 1 << 20;

impl Rules {
    /// Reads a rules file.
    ///
    /// # Errors
    /// When it cannot be read, and as [`Rules::parse`].
    pub fn load(path: &Path) -> Result<Self, RulesError> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|source| RulesError::Unreadable { file: file.clone(), source })?;
        Self::parse(&text, &file)
    }
}

/// The text of a small file.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("expected at most {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}
