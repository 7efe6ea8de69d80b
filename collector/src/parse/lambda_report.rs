//! Lambda's account of one invocation in AWS's own layout, read in place: in a function's log most lines that are evidence
//! are such.
//!
//! ```text
//! REPORT RequestId: 6f747a63-…⇥Duration: 3001.52 ms⇥Billed Duration: 3000 ms⇥Memory Size: 128 MB⇥Max Memory Used: 20 MB⇥⏎
//! XRAY TraceId: 1-6a3f1c20-3eb34191e0d1a317b3829668⇥SegmentId: 7f64…⇥Sampled: true⇥
//! ```
//!
//! AWS separates the fields by TABs. Whoever else writes such lines (its emulator, the OpenTelemetry and Datadog extensions)
//! does it with blanks and other fields: those are left to [`super::lambda_text`], as is all that is not as shown.

use domain::{Claim, Kind, Millis, Product, RequestId, Value};

use super::lambda_text;

/// How it begins.
pub const BEGIN: &str = "REPORT RequestId: ";

/// The longest that is read here; AWS's have 300 bytes with X-Ray.
const BYTES_MAX: usize = 2048;

/// What such an event says; what it does not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report<'a> {
    /// The text that it was read from: one line, or two.
    pub text: &'a str,
    /// How many lines that are.
    pub lines: u64,
    /// The invocation.
    pub request_id: &'a str,
    /// How long the handler ran.
    pub duration: Option<Millis>,
    /// What is paid for.
    pub billed_duration: Option<Millis>,
    /// How long the start of the environment took, in a first invocation.
    pub init_duration: Option<Millis>,
    /// How long its restoration took, with SnapStart.
    pub restore_duration: Option<Millis>,
    /// What of that is paid for.
    pub billed_restore_duration: Option<Millis>,
    /// Memory granted, in thousandths of a MB: as decimal as times are, since writers differ.
    pub memory_size: Option<Millis>,
    /// The most memory that was in use since the environment started, likewise.
    pub max_memory_used: Option<Millis>,
    /// `timeout` or `error`.
    pub status: Option<&'a str>,
    /// What kind of error.
    pub error_type: Option<&'a str>,
    /// X-Ray's trace, in its own form.
    pub xray_trace_id: Option<&'a str>,
    /// X-Ray's segment.
    pub xray_segment_id: Option<&'a str>,
    /// Whether X-Ray keeps it.
    pub xray_sampled: Option<bool>,
}

impl<'a> Report<'a> {
    /// Reads an event in AWS's own layout from the beginning of a text, up to the end of its last line. `None` for any other.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let mut rest = Rest { text, bytes: text.as_bytes() };
        rest.eat(BEGIN.as_bytes()).then_some(())?;
        let mut report = Self { request_id: rest.word()?, lines: 1, ..Self::default() };
        loop {
            match rest.bytes {
                [b'\t', after @ ..] => rest.bytes = after,
                [b'\n', after @ ..] if report.lines == 1 && after.starts_with(b"XRAY TraceId: ") => {
                    rest.bytes = after;
                    report.lines = 2;
                }
                [] | [b'\n', ..] => break,
                [first, ..] => report.field(*first, &mut rest)?,
            }
        }
        report.text = text.get(..text.len() - rest.bytes.len()).filter(|text| text.len() <= BYTES_MAX)?;
        Some(report)
    }

    /// Reads one field; `None` when it is none that AWS writes here, or not as AWS writes it.
    fn field(&mut self, first: u8, rest: &mut Rest<'a>) -> Option<()> {
        match first {
            b'D' if rest.eat(b"Duration: ") => set(&mut self.duration, rest.number(b" ms")?),
            b'B' if rest.eat(b"Billed Duration: ") => set(&mut self.billed_duration, rest.number(b" ms")?),
            b'M' if rest.eat(b"Memory Size: ") => set(&mut self.memory_size, rest.number(b" MB")?),
            b'M' if rest.eat(b"Max Memory Used: ") => set(&mut self.max_memory_used, rest.number(b" MB")?),
            b'I' if rest.eat(b"Init Duration: ") => set(&mut self.init_duration, rest.number(b" ms")?),
            b'R' if rest.eat(b"Restore Duration: ") => set(&mut self.restore_duration, rest.number(b" ms")?),
            b'B' if rest.eat(b"Billed Restore Duration: ") => set(&mut self.billed_restore_duration, rest.number(b" ms")?),
            b'S' if rest.eat(b"Status: ") => set(&mut self.status, rest.word()?),
            b'E' if rest.eat(b"Error Type: ") => set(&mut self.error_type, rest.word()?),
            b'X' if rest.eat(b"XRAY TraceId: ") => set(&mut self.xray_trace_id, rest.word()?),
            b'S' if rest.eat(b"SegmentId: ") => set(&mut self.xray_segment_id, rest.word()?),
            b'S' if rest.eat(b"Sampled: ") => set(&mut self.xray_sampled, rest.word()?.parse().ok()?),
            _ => None,
        }
    }

    /// The claim that is made of it.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let text = self.text.trim_end();
        let mut claim = Claim::new(Kind::InvocationReport, lambda_text::FORMAT, text);
        claim.platform = Some(Product::AWS_LAMBDA);
        claim.request_id = Some(RequestId::from(self.request_id));
        let numbers = [
            ("duration_ms", self.duration),
            ("billed_duration_ms", self.billed_duration),
            ("init_duration_ms", self.init_duration),
            ("restore_duration_ms", self.restore_duration),
            ("billed_restore_duration_ms", self.billed_restore_duration),
            ("memory_size_mb", self.memory_size),
            ("max_memory_used_mb", self.max_memory_used),
        ];
        let words = [
            ("status", self.status),
            ("error_type", self.error_type),
            ("xray_trace_id", self.xray_trace_id),
            ("xray_segment_id", self.xray_segment_id),
        ];
        let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name, Value::from(value?))));
        let words = words.into_iter().filter_map(|(name, value)| Some((name, Value::from(value?))));
        let flag = self.xray_sampled.map(|sampled| ("xray_sampled", Value::from(sampled)));
        claim.attributes = numbers.chain(words).chain(flag).map(|(name, value)| (name.to_owned(), value)).collect();
        lambda_text::judged(claim)
    }
}

/// Keeps a value; `None` where there is one already, which AWS does not write.
fn set<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

/// What is left of a text.
struct Rest<'a> {
    /// All of it.
    text: &'a str,
    /// What was not read yet.
    bytes: &'a [u8],
}

impl<'a> Rest<'a> {
    /// Whether it goes on with these words, which are passed then.
    #[inline]
    fn eat(&mut self, words: &[u8]) -> bool {
        let after = self.bytes.strip_prefix(words);
        self.bytes = after.unwrap_or(self.bytes);
        after.is_some()
    }

    /// One word of printable ASCII that fills its field; the emulator's `?` for what it does not know is none.
    #[inline]
    fn word(&mut self) -> Option<&'a str> {
        let begin = self.text.len() - self.bytes.len();
        let length = memchr::memchr2(b'\t', b'\n', self.bytes).unwrap_or(self.bytes.len());
        let (word, after) = self.bytes.split_at(length);
        // All are looked at, which is faster than one after the other up to the first.
        let is_word = word.iter().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
        self.bytes = after;
        (is_word && !matches!(word, b"" | b"?")).then(|| self.text.get(begin..begin + length)).flatten()
    }

    /// A decimal number with its unit that fills its field, in thousandths.
    #[inline]
    fn number(&mut self, unit: &[u8]) -> Option<Millis> {
        let (whole, digits) = self.digits();
        let (fraction, places) = if self.eat(b".") { self.digits() } else { (0, 0) };
        // Another number of digits is left to whoever expects it.
        let scale = *[1000, 100, 10, 1].get(places)?;
        let is_number = (1..=12).contains(&digits) && self.eat(unit) && matches!(self.bytes, [] | [b'\t' | b'\n', ..]);
        is_number.then(|| Millis::from_us(whole * 1000 + fraction * scale))
    }

    /// The digits that follow as a number, which is wrong when they are more than fit, and how many they are.
    #[inline]
    fn digits(&mut self) -> (i64, usize) {
        let (mut number, begin) = (0_i64, self.bytes.len());
        while let [digit @ b'0'..=b'9', after @ ..] = self.bytes {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.bytes = after;
        }
        (number, begin - self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_report_is_read_in_place() {
        let line = "REPORT RequestId: r1\tDuration: 3001.52 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\tInit Duration: 99.1 ms\tStatus: timeout\t";
        let text = format!("{line}\nSTART RequestId: r2");
        let report = Report::read(&text).expect("AWS's layout");
        assert_eq!((report.request_id, report.duration, report.status), ("r1", Some(Millis::from_us(3_001_520)), Some("timeout")));
        assert_eq!((report.memory_size, report.restore_duration, report.text), (Millis::parse_ms("128"), None, line));
    }

    #[test]
    fn the_line_of_x_ray_belongs_to_it() {
        let text = "REPORT RequestId: r1\tDuration: 3 ms\t\nXRAY TraceId: 1-6a3f\tSegmentId: 7f64\tSampled: true\t\nREPORT RequestId: r2";
        let report = Report::read(text).expect("AWS's layout");
        assert_eq!((report.xray_trace_id, report.xray_sampled, report.lines), (Some("1-6a3f"), Some(true), 2));
        assert_eq!(report.text.lines().count(), 2);
    }

    #[test]
    fn other_layouts_are_left_to_others() {
        for text in [
            "REPORT RequestId: r1 Duration: 3.00 ms",
            "REPORT RequestId: r1\tRuntime Duration: 3.00 ms",
            "REPORT RequestId: r1\tDuration: 3.00 s",
            "REPORT RequestId: r1\tDuration: 3.00 ms\tDuration: 4.00 ms",
            "REPORT RequestId: r1\tDuration: 3.00000 ms",
            "REPORT RequestId: r1\tDuration: 1234567890123 ms",
            "REPORT RequestId: \tDuration: 3.00 ms",
            "REPORT RequestId: é\tDuration: 3.00 ms",
            "REPORT RequestId: r1\tDuration: 3.00 ms\t\r\n",
            "REPORT RequestId: r1\tDuration: 3.00 ms\tTask timed out after 3.00 seconds",
            "report",
            "",
        ] {
            assert_eq!(Report::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_claim_is_that_of_the_reader_of_any_layout(
            duration in "[0-9]{1,6}(\\.[0-9]{0,3})?", memory in 64..10240_u32, used in 0..10240_u32,
            fields in proptest::sample::subsequence(vec![
                "Init Duration: 12.1 ms", "Restore Duration: 3 ms", "Billed Restore Duration: 4 ms", "Status: timeout", "Status: error",
                "Error Type: Runtime.ExitError", "Error Type: Runtime.OutOfMemory",
            ], 0..3),
            xray in proptest::bool::ANY,
        ) {
            let xray = if xray { "\nXRAY TraceId: 1-6a3f1c20-3eb34191e0d1a317b3829668\tSegmentId: 7f64\tSampled: true\t" } else { "" };
            let head = format!("REPORT RequestId: r1\tDuration: {duration} ms\tMemory Size: {memory} MB\tMax Memory Used: {used} MB\t");
            let text = format!("{head}{}\t{xray}", fields.join("\t"));
            if let Some(report) = Report::read(&text) {
                prop_assert_eq!(report.claim(), lambda_text::any_layout(&text).expect("a report"));
            }
        }
    }
}
