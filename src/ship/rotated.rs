//! Which file comes after one that was rotated away: it may have been rotated away by now as well, while the collector or the
//! shipper itself was away, or because the writer is fast.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// A file, whatever its name.
type Identity = (u64, u64);

/// Files that had one name, one after the other.
#[derive(Default)]
pub struct Rotated {
    /// Those that were read and have one moment of last writing, which is that of the last one.
    read: Vec<Identity>,
    written_at: Option<SystemTime>,
}

impl Rotated {
    /// The file that was written after the one that is left: one beside `path` that had the name in between, or the one that has it
    /// now. `None` when there is none at the moment.
    pub fn next(&mut self, path: &Path, left: &Metadata) -> Option<File> {
        let written_at = left.modified().ok();
        if self.written_at != written_at {
            (self.read, self.written_at) = (Vec::new(), written_at);
        }
        if !self.read.contains(&identity(left)) {
            self.read.push(identity(left));
        }
        let between = beside(path).into_iter().filter(|(_, other)| self.is_later(other)).min_by_key(|(_, other)| other.modified().ok());
        between.map(|(file, _)| file).or_else(|| File::open(path).ok())
    }

    /// Clocks of files are coarse: of two that were written in one tick, either may be the later one.
    fn is_later(&self, other: &Metadata) -> bool {
        let written_at = other.modified().ok();
        written_at > self.written_at || written_at == self.written_at && !self.read.contains(&identity(other))
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Files beside that one whose names say that they had its name, opened before anything is asked of them: they may be renamed
/// meanwhile.
fn beside(path: &Path) -> Vec<(File, Metadata)> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let had_name = entries.filter(|entry| entry.file_name().to_str().is_some_and(|other| had_name(other, name)));
    let files = had_name.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.is_file()));
    let opened = files.filter_map(|entry| File::open(entry.path()).ok());
    opened.filter_map(|file| file.metadata().ok().map(|metadata| (file, metadata))).collect()
}

/// Whether `name` became this by rotation: a number or a date came after it, or before its extension. What was compressed is
/// nothing that can be read on.
fn had_name(other: &str, name: &str) -> bool {
    let is_count_or_date = |added: &str| {
        added.starts_with(['.', '-', '_'])
            && added.contains(|char: char| char.is_ascii_digit())
            && added.chars().all(|char| char.is_ascii_digit() || matches!(char, '.' | '-' | '_' | ':' | '+' | 'T' | 'Z'))
    };
    let inside = || {
        let (stem, extension) = name.rsplit_once('.')?;
        other.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')
    };
    other.strip_prefix(name).is_some_and(is_count_or_date) || inside().is_some_and(is_count_or_date)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Duration;

    use super::*;

    fn write(path: &Path, text: &str, second: u64) {
        std::fs::write(path, text).expect("writable");
        let file = File::options().append(true).open(path).expect("writable");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).expect("a time");
    }

    #[test]
    fn names_after_a_rotation_are_told_from_other_names() {
        for other in ["app.log.1", "app.log-20261127", "app.log.2026-11-27_03", "app-2026-11-27T03:00:00.log", "app.1.log", "app_12.log"] {
            assert!(had_name(other, "app.log"), "{other}");
        }
        for other in
            ["app.log", "app.log.gz", "app.log.1.gz", "app.log.err", "app2.log", "app-web.log", "other.log.1", "app.log.", "app..log"]
        {
            assert!(!had_name(other, "app.log"), "{other}");
        }
        assert!(had_name("log.1", "log") && !had_name("log1", "log"));
    }

    #[test]
    fn files_are_read_in_the_order_in_which_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.log");
        let named = |suffix: &str| folder.path().join(format!("app.log{suffix}"));
        // Older than all that is read; left; two that were written at one moment; one that went on; and others.
        let all = [(".5", 9), (".4", 10), (".3", 20), (".2", 20), (".1", 30), ("", 40), (".err", 25), (".6.gz", 26)];
        for (suffix, second) in all {
            write(&named(suffix), suffix, second);
        }
        let mut rotated = Rotated::default();
        let mut left = std::fs::metadata(named(".4")).expect("there");
        let mut order = Vec::new();
        while order.last().is_none_or(|last: &String| !last.is_empty()) {
            let mut file = rotated.next(&path, &left).expect("there");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("readable");
            left = file.metadata().expect("there");
            order.push(text);
        }
        order[..2].sort_unstable();
        assert_eq!(order, [".2", ".3", ".1", ""]);
    }
}
