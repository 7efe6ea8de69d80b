//! Where one message of a stream ends: octet counting (`LEN SP message`) or a line end, told message by message (RFC 6587).

/// A length has at most this many digits; what has more is no length.
pub const COUNT_DIGITS_MAX: usize = 7;

/// One message of a stream, without its framing.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole message.
    Message(&'a [u8]),
    /// Something that cannot be one.
    Broken {
        /// What was expected.
        reason: &'static str,
        /// What was found.
        bytes: &'a [u8],
    },
}

/// How far a stream can be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The first message ends there, in bytes from the beginning of the stream.
    End(usize),
    /// More has to come. `Some`: this many bytes in all, as the sender says.
    More(Option<usize>),
}

/// Where the first message of `stream` ends, its framing included.
#[must_use]
pub fn next(stream: &[u8]) -> Next {
    match count(stream) {
        Count::Is { at, bytes } => {
            let end = at + bytes;
            if end <= stream.len() { Next::End(end) } else { Next::More(Some(end)) }
        }
        Count::Unknown => Next::More(None),
        Count::None => memchr::memchr(b'\n', stream).map_or(Next::More(None), |end| Next::End(end + 1)),
    }
}

enum Count {
    /// The message is `bytes` long and begins at `at`.
    Is {
        at: usize,
        bytes: usize,
    },
    /// It may be a length, but it is not all there.
    Unknown,
    None,
}

/// A length is told from a line that begins with a number by the priority that follows it.
fn count(stream: &[u8]) -> Count {
    let digits = stream.iter().take(COUNT_DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > COUNT_DIGITS_MAX || stream[0] == b'0' {
        return Count::None;
    }
    match stream.get(digits..) {
        Some([] | [b' ']) | None => Count::Unknown,
        Some([b' ', b'<', ..]) => {
            let bytes = stream[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            Count::Is { at: digits + 1, bytes }
        }
        Some(_) => Count::None,
    }
}

/// Every message of a stream that has ended.
pub(super) fn all(stream: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (frame, end) = match (count(rest), next(rest)) {
            (Count::Is { at, .. }, Next::End(end)) => (Frame::Message(&rest[at..end]), end),
            (Count::Is { .. }, Next::More(_)) => {
                let reason = "expected as many bytes as the length in front says, found fewer";
                (Frame::Broken { reason, bytes: rest }, rest.len())
            }
            (_, Next::End(end)) => (Frame::Message(&rest[..end]), end),
            (_, Next::More(_)) => (Frame::Message(rest), rest.len()),
        };
        rest = &rest[end..];
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bytes_and_a_number_before_anything_but_a_priority_is_none() {
        let stream = "12 <1>1 a\nb ✓<2>1 c\n404 not found\n12 <3>1 d";
        let found: Vec<_> = all(stream.as_bytes())
            .map(|frame| match frame {
                Frame::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Frame::Broken { bytes, .. } => format!("broken: {}", String::from_utf8_lossy(bytes)),
            })
            .collect();
        assert_eq!(found, ["<1>1 a\nb ✓", "<2>1 c\n", "404 not found\n", "broken: 12 <3>1 d"]);
    }

    #[test]
    fn a_stream_that_goes_on_says_how_much_is_missing() {
        assert_eq!(next(b"1"), Next::More(None));
        assert_eq!(next(b"12 "), Next::More(None));
        assert_eq!(next(b"12 <3>1 a"), Next::More(Some(15)));
        assert_eq!(next(b"9 <3>1 abcd<"), Next::End(11));
        assert_eq!(next(b"<3>1 abcd"), Next::More(None));
        assert_eq!(next(b"<3>1 abcd\n<"), Next::End(10));
        assert_eq!(next(b"12345678 <3>"), Next::More(None));
    }
}
