//! A stream of syslog, cut where messages end.

use crate::parse::Reject;
use crate::parse::syslog::frame::{self, Next};

/// What has come in of a stream and is not stored yet.
pub struct Splitter {
    message_bytes_max: usize,
    bytes: Vec<u8>,
    /// How much of it is whole messages.
    whole: usize,
    /// The rest of a message that is too long: how much of it is still to come.
    skipping: Option<Skip>,
    rejects: Vec<Reject>,
}

enum Skip {
    /// So many bytes.
    Bytes(usize),
    /// Up to the end of the line.
    Line,
}

impl Splitter {
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, bytes: Vec::new(), whole: 0, skipping: None, rejects: Vec::new() }
    }

    /// How much of what came in is whole messages.
    pub fn whole_bytes(&self) -> usize {
        self.whole
    }

    /// Takes what came in.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if let Some(skip) = self.skipping.take() {
            let gone = match skip {
                Skip::Bytes(count) => count.min(bytes.len()),
                Skip::Line => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1),
            };
            self.skipping = match skip {
                Skip::Bytes(count) if count > gone => Some(Skip::Bytes(count - gone)),
                Skip::Line if !bytes[..gone].ends_with(b"\n") => Some(Skip::Line),
                Skip::Bytes(_) | Skip::Line => None,
            };
            bytes = &bytes[gone..];
        }
        self.bytes.extend_from_slice(bytes);
        loop {
            let rest = &self.bytes[self.whole..];
            match frame::next(rest) {
                Next::End(length) if length <= self.message_bytes_max + frame::COUNT_DIGITS_MAX + 1 => self.whole += length,
                Next::End(length) => self.reject(length, None),
                Next::More(Some(length)) if length > self.message_bytes_max + frame::COUNT_DIGITS_MAX + 1 => {
                    self.reject(rest.len(), Some(Skip::Bytes(length - rest.len())));
                }
                Next::More(None) if rest.len() > self.message_bytes_max => self.reject(rest.len(), Some(Skip::Line)),
                Next::More(_) => return,
            }
        }
    }

    /// Takes `length` bytes out that are, or begin, a message which is too long.
    fn reject(&mut self, length: usize, skipping: Option<Skip>) {
        let end = self.whole + length;
        let text = String::from_utf8_lossy(&self.bytes[self.whole..end.min(self.whole + 1024)]).into_owned();
        let reason = format!("expected a message of at most {} bytes, found more", self.message_bytes_max);
        self.rejects.push(Reject::new(reason, &text));
        self.bytes.drain(self.whole..end);
        self.skipping = skipping;
    }

    /// The whole messages, and what was too long to be one.
    pub fn take_whole(&mut self) -> (Vec<u8>, Vec<Reject>) {
        let rest = self.bytes.split_off(self.whole);
        self.whole = 0;
        (std::mem::replace(&mut self.bytes, rest), std::mem::take(&mut self.rejects))
    }

    /// Everything: at the end of a stream its last line is a message without a line end.
    pub fn take_all(&mut self) -> (Vec<u8>, Vec<Reject>) {
        self.whole = self.bytes.len();
        self.take_whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], whole: &str, rest: &str, rejects: usize) {
        let mut split = Splitter::new(16);
        for piece in pieces {
            split.feed(piece.as_bytes());
        }
        let (found, rejected) = split.take_whole();
        assert_eq!((String::from_utf8_lossy(&found).as_ref(), rejected.len()), (whole, rejects), "{pieces:?}");
        assert_eq!(String::from_utf8_lossy(&split.take_all().0), rest, "{pieces:?}");
    }

    #[test]
    fn whole_messages_are_told_from_what_is_still_coming() {
        check(&["<1>1 a\n<2>", "1 b\n<3>"], "<1>1 a\n<2>1 b\n", "<3>", 0);
        check(&["6 <1>", "1 a7 <2>1 b", "\n5 <3>"], "6 <1>1 a7 <2>1 b\n", "5 <3>", 0);
        check(&["1", "2"], "", "12", 0);
    }

    #[test]
    fn what_is_too_long_is_passed_over_however_it_comes() {
        check(&["<1>1 a\n<1>0123456789", "0123456789", "01234\n<2>1 b\n"], "<1>1 a\n<2>1 b\n", "", 1);
        check(&["100 <1>1", &"x".repeat(91), "yyyyy6 <1>1 b"], "6 <1>1 b", "", 1);
        check(&[&format!("<1>{}\n<2>1 b\n", "x".repeat(40))], "<2>1 b\n", "", 1);
    }
}
