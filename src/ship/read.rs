//! Where lines come from: a pipe, which is passed on as it comes, or a file, which may be rotated while it is followed.

use std::fs::{File, Metadata};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::hold::{Line, Sender};
use super::rotated::Rotated;
use super::state::{FINGERPRINT_BYTES_MAX, Mark, State};

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
    let mut send = |line, _| lines.hold_or_drop(line);
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

/// A file from its beginning, or from where `state` says, and, if it is followed, what is appended to it until `stop`, also after
/// it was replaced or cut.
pub fn file(path: &Path, follow: bool, state: Option<&State>, lines: &Sender, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut source = match state.map(State::load).transpose()?.flatten() {
        Some(mark) => Source::resume(path, &mark)?,
        None => Source::open(path)?,
    };
    // A file that was replaced is read to its end before it is left.
    let (mut left, mut rotated) = (false, Rotated::default());
    while !lines.is_closed() {
        if source.read(state.is_some(), lines)? > 0 {
            continue;
        }
        // What had the name in an earlier run is not all there is.
        let is_over = stop.is_cancelled() || !follow && (state.is_none() || !source.is_old()?);
        if is_over {
            // Half a line at the end of a file that goes on is read by the next run, which knows where it begins.
            if state.is_none() || !follow {
                source.end(state.is_some(), lines);
            }
            break;
        }
        match source.became()? {
            Became::Longer => std::thread::sleep(LOOK_EVERY),
            Became::Another if !left => left = true,
            Became::Another => {
                source.end(state.is_some(), lines);
                match rotated.next(path, &source.metadata()?) {
                    Some(file) => (source, left) = (Source::new(path, file), false),
                    // Its name is being given to another one.
                    None => std::thread::sleep(LOOK_EVERY),
                }
            }
            Became::Shorter => {
                eprintln!("overrun: `{}` was cut; it is read from its beginning", path.display());
                source.end(state.is_some(), lines);
                source.rewind()?;
            }
        }
    }
    Ok(())
}

/// Holds a line, waiting until there is room for it: a file can wait.
fn hold(mut line: Line, lines: &Sender) {
    while let Err(refused) = lines.hold(line) {
        if lines.is_closed() {
            return;
        }
        line = refused;
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A file that is read.
struct Source {
    path: PathBuf,
    input: BufReader<File>,
    cut: Cut,
    /// Its first bytes, by which it is recognised after a restart.
    beginning: Vec<u8>,
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
        let file = File::open(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        Ok(Self::new(path, file))
    }

    /// A file that has that name, or had it.
    fn new(path: &Path, file: File) -> Self {
        Self { path: path.to_owned(), input: BufReader::new(file), cut: Cut::default(), beginning: Vec::new() }
    }

    /// Goes on where an earlier run was, in the file that had the name then.
    fn resume(path: &Path, mark: &Mark) -> anyhow::Result<Self> {
        let Some(file) = mark.find(path) else {
            eprintln!("overrun: what was read of `{}` before is gone or was replaced; it is read from its beginning", path.display());
            return Self::open(path);
        };
        let mut source = Self::new(path, file);
        source.input.seek(SeekFrom::Start(mark.offset)).with_context(|| source.unreadable())?;
        source.cut.offset = mark.offset;
        Ok(source)
    }

    fn rewind(&mut self) -> anyhow::Result<()> {
        self.input.rewind().with_context(|| self.unreadable())?;
        (self.cut, self.beginning) = (Cut::default(), Vec::new());
        Ok(())
    }

    /// Reads what there is; returns how much that was.
    fn read(&mut self, marked: bool, lines: &Sender) -> anyhow::Result<usize> {
        let unreadable = self.unreadable();
        let chunk = self.input.fill_buf().with_context(|| unreadable.clone())?.to_vec();
        self.input.consume(chunk.len());
        if marked && self.beginning.len() < FINGERPRINT_BYTES_MAX && !chunk.is_empty() {
            self.beginning = vec![0; FINGERPRINT_BYTES_MAX];
            let length = self.input.get_ref().read_at(&mut self.beginning, 0).context(unreadable)?;
            self.beginning.truncate(length);
        }
        let place = self.place(marked)?;
        let (cut, beginning) = (&mut self.cut, &self.beginning);
        cut.take(&chunk, &mut |bytes, offset| hold(Line { bytes, mark: place.map(|place| Mark::new(place, offset, beginning)) }, lines));
        Ok(chunk.len())
    }

    /// What has no line end is a line all the same when nothing more can come.
    fn end(&mut self, marked: bool, lines: &Sender) {
        let place = self.place(marked).ok().flatten();
        let (cut, beginning) = (&mut self.cut, &self.beginning);
        cut.end(&mut |bytes, offset| hold(Line { bytes, mark: place.map(|place| Mark::new(place, offset, beginning)) }, lines));
    }

    /// Device and inode, if they are wanted.
    fn place(&self, marked: bool) -> anyhow::Result<Option<(u64, u64)>> {
        if !marked {
            return Ok(None);
        }
        let metadata = self.metadata()?;
        Ok(Some((metadata.dev(), metadata.ino())))
    }

    fn metadata(&self) -> anyhow::Result<Metadata> {
        self.input.get_ref().metadata().with_context(|| self.unreadable())
    }

    /// Whether another file has its name by now.
    fn is_old(&mut self) -> anyhow::Result<bool> {
        Ok(matches!(self.became()?, Became::Another))
    }

    fn became(&mut self) -> anyhow::Result<Became> {
        let position = self.input.stream_position().with_context(|| self.unreadable())?;
        let own = self.metadata()?;
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

/// Bytes in pieces as they come, cut into lines, each with the offset of its end.
#[derive(Default)]
struct Cut {
    line: Vec<u8>,
    offset: u64,
}

impl Cut {
    fn take(&mut self, bytes: &[u8], send: &mut impl FnMut(Vec<u8>, u64)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            self.offset += part.len() as u64;
            if part.ends_with(b"\n") || self.line.len() >= LINE_BYTES_MAX {
                send(std::mem::take(&mut self.line), self.offset);
            }
        }
    }

    /// What has no line end is a line all the same when nothing more can come.
    fn end(&mut self, send: &mut impl FnMut(Vec<u8>, u64)) {
        if !self.line.is_empty() {
            send(std::mem::take(&mut self.line), self.offset);
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
            cut.take(piece.as_bytes(), &mut |line, offset| lines.push((String::from_utf8(line).expect("text"), offset)));
        }
        cut.end(&mut |line, offset| lines.push((String::from_utf8(line).expect("text"), offset)));
        assert_eq!(lines, [("a\n", 2), ("bc\n", 5), ("\n", 6), ("d", 7)].map(|(line, end)| (line.to_owned(), end)));
        let mut lengths = Vec::new();
        for _ in 0..3 {
            cut.take(&vec![b'x'; LINE_BYTES_MAX / 2 + 1], &mut |line, _| lengths.push(line.len()));
        }
        assert_eq!(lengths, [LINE_BYTES_MAX + 2]);
    }
}
