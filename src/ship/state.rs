//! How far a file has been delivered, kept in a small file of its own, so that a restart goes on from there.
//!
//! A file is recognised by device and inode, since rotation changes its name, and by its first bytes, since an inode is given
//! away again and `copytruncate` keeps it. What is kept is behind what was acknowledged, never ahead of it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// How many of a file's first bytes are compared.
pub const FINGERPRINT_BYTES_MAX: usize = 1024;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    device: u64,
    inode: u64,
    /// Bytes from the beginning of the file that have been read.
    pub offset: u64,
    /// Digest of the first `fingerprint_bytes`, in hexadecimal.
    fingerprint: String,
    fingerprint_bytes: usize,
}

impl Mark {
    /// A place in an open file whose beginning is known.
    pub fn new((device, inode): (u64, u64), offset: u64, beginning: &[u8]) -> Self {
        let fingerprint_bytes = beginning.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let fingerprint = blake3::hash(&beginning[..fingerprint_bytes]).to_hex().to_string();
        Self { device, inode, offset, fingerprint, fingerprint_bytes }
    }

    /// Whether it is a place in that file, with all that was read before it still there.
    fn is_in(&self, file: &File) -> bool {
        let Ok(metadata) = file.metadata() else { return false };
        let fits = (metadata.dev(), metadata.ino()) == (self.device, self.inode) && metadata.len() >= self.offset;
        let mut beginning = vec![0; self.fingerprint_bytes.min(FINGERPRINT_BYTES_MAX)];
        fits && file.read_exact_at(&mut beginning, 0).is_ok() && blake3::hash(&beginning).to_hex().as_str() == self.fingerprint
    }

    /// The file that it is in: the one of that name, or one beside it that had the name before.
    pub fn find(&self, path: &Path) -> Option<File> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let beside = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        std::iter::once(path.to_owned()).chain(beside).find_map(|path| {
            let metadata = std::fs::metadata(&path).ok()?;
            let may_be = metadata.is_file() && (metadata.dev(), metadata.ino()) == (self.device, self.inode);
            File::open(path).ok().filter(|file| may_be && self.is_in(file))
        })
    }
}

/// The file that keeps it.
#[derive(Clone, Debug)]
pub struct State {
    path: PathBuf,
}

impl State {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// What was kept; `None` when nothing was, or when it cannot be understood: then everything is sent again, which repeats
    /// and loses nothing.
    pub fn load(&self) -> anyhow::Result<Option<Mark>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("`{}` cannot be read", self.path.display())),
        };
        let read = serde_json::from_str(&text);
        if let Err(error) = &read {
            eprintln!("overrun: `{}` is none of ours ({error}); the file is sent from its beginning", self.path.display());
        }
        Ok(read.ok())
    }

    /// Keeps a place, in one step: there is never half of it.
    pub fn save(&self, mark: &Mark) -> anyhow::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let write = || {
            let mut file = File::create(&beside)?;
            serde_json::to_writer(&mut file, mark)?;
            file.write_all(b"\n")?;
            std::fs::rename(&beside, &self.path)
        };
        write().with_context(|| format!("`{}` cannot be written", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark_at(path: &Path, offset: u64) -> Mark {
        let metadata = std::fs::metadata(path).expect("it is there");
        let beginning = std::fs::read(path).expect("readable");
        Mark::new((metadata.dev(), metadata.ino()), offset, &beginning)
    }

    #[test]
    fn a_place_is_found_in_a_file_that_was_renamed_and_not_in_one_that_was_written_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("app.log"), folder.path().join("app.log.1"));
        std::fs::write(&path, "one\ntwo\n").expect("writable");
        let mark = mark_at(&path, 4);
        assert!(mark.find(&path).is_some());
        std::fs::rename(&path, &old).expect("renamed");
        std::fs::write(&path, "three\nfour\nfive\n").expect("writable");
        let found = mark.find(&path).expect("beside it");
        assert_eq!(found.metadata().expect("open").ino(), std::fs::metadata(&old).expect("there").ino());
        // The same inode with other words, and with fewer.
        std::fs::write(&old, "ONE\ntwo\nthree\n").expect("writable");
        assert!(mark.find(&path).is_none());
        std::fs::write(&old, "on").expect("writable");
        assert!(mark.find(&path).is_none());
    }

    #[test]
    fn what_is_kept_is_read_back_and_what_is_none_of_ours_is_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let state = State::new(path.clone());
        assert_eq!(state.load().expect("readable"), None);
        std::fs::write(folder.path().join("app.log"), "one\ntwo\n").expect("writable");
        let mark = mark_at(&folder.path().join("app.log"), 8);
        state.save(&mark).expect("writable");
        assert_eq!(state.load().expect("readable"), Some(mark));
        std::fs::write(&path, "{}").expect("writable");
        assert_eq!(state.load().expect("readable"), None);
    }
}
