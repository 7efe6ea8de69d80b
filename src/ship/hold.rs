//! Lines between reader and sender: so many bytes of them and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::state::Mark;

/// A line, and the place in its file that is reached with it, if that is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub bytes: Vec<u8>,
    pub mark: Option<Mark>,
}

/// Lines held while the collector is away.
const LINES_MAX: usize = 65_536;
/// Bytes held while the collector is away.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Both ends.
pub fn channel() -> (Sender, Receiver) {
    let (lines, received) = mpsc::channel(LINES_MAX);
    let count = Arc::<Count>::default();
    (Sender { lines, count: Arc::clone(&count) }, Receiver { lines: received, count })
}

#[derive(Default)]
struct Count {
    /// Bytes held now.
    bytes: AtomicUsize,
    /// Lines there was no room for, since they were asked for last.
    dropped: AtomicU64,
}

/// The reader's end.
pub struct Sender {
    lines: mpsc::Sender<Line>,
    count: Arc<Count>,
}

/// The sender's end.
pub struct Receiver {
    lines: mpsc::Receiver<Line>,
    count: Arc<Count>,
}

impl Sender {
    /// Holds a line, or drops and counts it.
    pub fn hold_or_drop(&self, bytes: Vec<u8>) {
        if self.hold(Line { bytes, mark: None }).is_err() {
            self.count.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Holds a line, or gives it back when there is no room for it now.
    pub fn hold(&self, line: Line) -> Result<(), Line> {
        let length = line.bytes.len();
        let before = self.count.bytes.fetch_add(length, Ordering::AcqRel);
        // A single line always has room, however long.
        let refused = if before > 0 && before + length > BYTES_MAX { Some(line) } else { refused(self.lines.try_send(line)) };
        refused.map_or(Ok(()), |line| {
            self.count.bytes.fetch_sub(length, Ordering::AcqRel);
            Err(line)
        })
    }

    /// Whether nobody takes lines any more.
    pub fn is_closed(&self) -> bool {
        self.lines.is_closed()
    }
}

fn refused(sent: Result<(), mpsc::error::TrySendError<Line>>) -> Option<Line> {
    sent.err().map(mpsc::error::TrySendError::into_inner)
}

impl Receiver {
    /// The next line; `None` when no more come.
    pub async fn next(&mut self) -> Option<Line> {
        let line = self.lines.recv().await?;
        self.count.bytes.fetch_sub(line.bytes.len(), Ordering::AcqRel);
        Some(line)
    }

    /// How many lines were dropped since this was asked last.
    pub fn dropped(&self) -> u64 {
        self.count.dropped.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_taken_makes_room() {
        let (sender, mut receiver) = channel();
        let line = || Line { bytes: vec![b'x'; BYTES_MAX / 2], mark: None };
        let more = || Line { bytes: b"more".to_vec(), mark: None };
        assert!(sender.hold(line()).is_ok() && sender.hold(line()).is_ok());
        assert_eq!(sender.hold(more()), Err(more()));
        sender.hold_or_drop(b"more".to_vec());
        assert_eq!((receiver.dropped(), receiver.dropped()), (1, 0));
        assert_eq!(receiver.next().await.map(|line| line.bytes.len()), Some(BYTES_MAX / 2));
        assert!(sender.hold(more()).is_ok());
        drop(receiver);
        assert!(sender.is_closed() && sender.hold(more()).is_err());
    }
}
