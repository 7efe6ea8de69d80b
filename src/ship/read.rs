//! Where lines come from: a pipe, which is passed on as it comes, or a file, which may be rotated while it is followed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::hold::Sender;

/// A line that is longer goes on in pieces. The collector takes none over 256 KiB, and says so.
const LINE_BYTES_MAX: usize = 512 * 1024;
/// How often a followed file is looked at, and how often room is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Standard input, passed on as it comes, also what has no line end yet.
pub fn pipe(quiet: bool, lines: &Sender) -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    let mut cut = Cut::default();
    // Whoever reads from us must not wait, so what there is no room for is dropped and counted.
    let mut send = |line| lines.hold_or_drop(line);
    loop {
        let length = match input.fill_buf() {
            Ok(chunk) => {
                if !quiet {
                    // A reader that has gone away is no reason to stop shipping.
                    let _ = output.write_all(chunk).and_then(|()| output.flush());
                }
                cut.take(chunk, &mut send);
                chunk.len()
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("standard input cannot be read"),
        };
        if length == 0 {
            cut.end(&mut send);
            return Ok(());
        }
        input.consume(length);
    }
}

/// A file from its beginning and, if it is followed, what is appended to it until `stop`, also after it was replaced or cut.
pub fn file(path: &Path, follow: bool, lines: &Sender, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut source = Source::open(path)?;
    let mut cut = Cut::default();
    // A file can wait.
    let mut send = |mut line| {
        while let Err(refused) = lines.hold(line) {
            if lines.is_closed() {
                return;
            }
            line = refused;
            std::thread::sleep(LOOK_EVERY);
        }
    };
    // A file that was replaced is read to its end before it is left.
    let mut left = false;
    while !lines.is_closed() {
        if source.read(&mut cut, &mut send)? > 0 {
            continue;
        }
        if !follow || stop.is_cancelled() {
            cut.end(&mut send);
            break;
        }
        match source.became()? {
            Became::Longer => std::thread::sleep(LOOK_EVERY),
            Became::Another if !left => left = true,
            Became::Another => {
                cut.end(&mut send);
                source = Source::open(path)?;
                left = false;
            }
            Became::Shorter => {
                eprintln!("overrun: `{}` was cut; it is read from its beginning", path.display());
                cut.end(&mut send);
                source.input.rewind().with_context(|| source.unreadable())?;
            }
        }
    }
    Ok(())
}

/// A file that is read.
struct Source {
    path: PathBuf,
    input: BufReader<File>,
}

/// What happened to a file since its end was reached.
enum Became {
    /// It may have grown.
    Longer,
    /// It was cut, as `copytruncate` does.
    Shorter,
    /// Another file has its name.
    Another,
}

impl Source {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let input = File::open(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        Ok(Self { path: path.to_owned(), input: BufReader::new(input) })
    }

    /// Reads what there is; returns how much that was.
    fn read(&mut self, cut: &mut Cut, send: &mut impl FnMut(Vec<u8>)) -> anyhow::Result<usize> {
        let unreadable = self.unreadable();
        let chunk = self.input.fill_buf().context(unreadable)?;
        cut.take(chunk, send);
        let length = chunk.len();
        self.input.consume(length);
        Ok(length)
    }

    fn became(&mut self) -> anyhow::Result<Became> {
        let position = self.input.stream_position().with_context(|| self.unreadable())?;
        let own = self.input.get_ref().metadata().with_context(|| self.unreadable())?;
        // While it is being replaced there may be none of that name.
        let Ok(named) = std::fs::metadata(&self.path) else { return Ok(Became::Longer) };
        let is_same = (own.dev(), own.ino()) == (named.dev(), named.ino());
        Ok(match (is_same, own.len() < position) {
            (false, _) => Became::Another,
            (true, true) => Became::Shorter,
            (true, false) => Became::Longer,
        })
    }

    fn unreadable(&self) -> String {
        format!("`{}` cannot be read", self.path.display())
    }
}

/// Bytes in pieces as they come, cut into lines.
#[derive(Default)]
struct Cut {
    line: Vec<u8>,
}

impl Cut {
    fn take(&mut self, bytes: &[u8], send: &mut impl FnMut(Vec<u8>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() >= LINE_BYTES_MAX {
                send(std::mem::take(&mut self.line));
            }
        }
    }

    /// What has no line end is a line all the same when nothing more can come.
    fn end(&mut self, send: &mut impl FnMut(Vec<u8>)) {
        if !self.line.is_empty() {
            send(std::mem::take(&mut self.line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_endless_ones_cut() {
        let (mut cut, mut lines) = (Cut::default(), Vec::new());
        for piece in ["a\nb", "c\n", "", "\nd"] {
            cut.take(piece.as_bytes(), &mut |line| lines.push(String::from_utf8(line).expect("text")));
        }
        cut.end(&mut |line| lines.push(String::from_utf8(line).expect("text")));
        assert_eq!(lines, ["a\n", "bc\n", "\n", "d"]);
        let mut lengths = Vec::new();
        for _ in 0..3 {
            cut.take(&vec![b'x'; LINE_BYTES_MAX / 2 + 1], &mut |line| lengths.push(line.len()));
        }
        assert_eq!(lengths, [LINE_BYTES_MAX + 2]);
    }
}
