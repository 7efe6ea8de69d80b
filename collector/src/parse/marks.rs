//! Where in a text lines may stand that are somebody's, told by literal words alone: most of a log is never looked at closely.
//!
//! Each format declares its *marks*: texts of which the first line of everything that it has to say holds one. A line without
//! any is nobody's, or goes on from one that is somebody's. A mark that is found proves nothing; its line is read.
//!
//! All marks are looked for at once. Of the text every third run of five bytes is looked up in a table. Of each mark the table has
//! three runs, so that one of them is looked at wherever the mark stands: of those at every third byte the least ordinary one.
//! Aho-Corasick and packed vector searches were slower here (November 2026): both are made for fewer or rarer words.

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memchr;
use memchr::memmem::Finder;

/// The marks of one format, as lists so that formats may share some. [`COMMON_LOG`] is one. `\d` stands for any digit.
pub type Declared = &'static [&'static [&'static str]];

/// In a mark it stands for any digit.
const DIGIT: &str = r"\d";

/// What the common log format's moment cannot lack: `22/Nov/2026`.
pub const COMMON_LOG: [&str; 12] =
    ["/Jan/20", "/Feb/20", "/Mar/20", "/Apr/20", "/May/20", "/Jun/20", "/Jul/20", "/Aug/20", "/Sep/20", "/Oct/20", "/Nov/20", "/Dec/20"];

/// Longer lines are looked at closely: whoever splits lines (Docker and containerd at 16 KiB, conmon at 8) splits none that
/// is shorter, and a mark may have been split.
pub const PASSED_BYTES_MAX: usize = 4 << 10;

/// Bytes that are looked up at once.
const RUN: usize = 5;
/// Bytes from one look to the next.
const STEP: usize = 3;
/// Bytes of a run and the one before it or behind, its *core*. No mark may be shorter.
const CORE: usize = RUN + 1;
/// Looks that are taken in a row, before it is asked whether there is more text.
const LOOKS: usize = 3;
/// Bytes that are loaded for a run or a core.
const WORD: usize = size_of::<u64>();
/// Bytes that the looks of one turn touch.
const TURN: usize = (LOOKS - 1) * STEP + WORD;
/// Bits of a run's place in the table: 32 KiB, so that it stays near the processor, and has 1 % of its bits set.
const PLACE_BITS: u32 = 18;
/// The table's size.
const WORDS: usize = 1 << (PLACE_BITS - u64::BITS.ilog2());

/// Marks, ready to be looked for.
pub struct Marks {
    /// One bit for each place that a run falls on.
    table: Box<[u64; WORDS]>,
    /// The same for cores, which is asked where a run was found: words of many a log share a run with a mark.
    core_table: Box<[u64; WORDS]>,
    cores: Vec<Core>,
    /// JSON may write any letter as its number, which hides every mark.
    hidden: Finder<'static>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Core {
    bytes: u64,
    /// How far it is behind the mark's beginning.
    offset: usize,
    mark: Arc<[u8]>,
}

impl Marks {
    /// These marks, as they are and as they are written inside of JSON.
    #[expect(clippy::large_stack_arrays, reason = "they are boxed at once, and once in a process")]
    pub fn new(declared: impl IntoIterator<Item = &'static str>) -> Self {
        let marks: BTreeSet<Arc<[u8]>> = declared.into_iter().flat_map(with_digits).flat_map(|mark| spellings(&mark)).collect();
        let (mut table, mut core_table) = (Box::new([0; WORDS]), Box::new([0; WORDS]));
        let common: BTreeSet<&[u8]> = [RUN, 2].into_iter().flat_map(|bytes| COMMON.as_bytes().windows(bytes)).collect();
        let mut cores = BTreeSet::new();
        for mark in marks {
            debug_assert!(mark.len() >= CORE, "a mark that is too short to be found");
            for first in 0..STEP {
                let Some(run) = least_ordinary(&mark, first, &common) else {
                    behind_any(&mark).for_each(|run| set(&mut table, run));
                    continue;
                };
                set(&mut table, padded(&mark[run..]) << RUN_SHIFT);
                let offset = run.min(mark.len() - CORE);
                let bytes = padded(&mark[offset..]) << CORE_SHIFT;
                set(&mut core_table, bytes);
                cores.insert(Core { bytes, offset, mark: Arc::clone(&mark) });
            }
        }
        Self { table, core_table, cores: cores.into_iter().collect(), hidden: Finder::new("\\u00") }
    }

    /// Begins to look through a text.
    pub fn search<'m, 't>(&'m self, text: &'t [u8]) -> Search<'m, 't> {
        Search { marks: self, text, mark: Found::Unknown, hidden: Found::Unknown, nul: Found::Unknown }
    }

    /// Where the mark ends whose core begins at `start`, if there is one; `core` is what stands there.
    #[inline]
    fn end_of_mark(&self, text: &[u8], start: usize, core: u64) -> Option<usize> {
        has(&self.core_table, core).then(|| self.end_of_core(text, start, core)).flatten()
    }

    #[cold]
    fn end_of_core(&self, text: &[u8], start: usize, bytes: u64) -> Option<usize> {
        let same = &self.cores[self.cores.partition_point(|core| core.bytes < bytes)..];
        same.iter().take_while(|core| core.bytes == bytes).find_map(|core| {
            let begin = start.checked_sub(core.offset)?;
            text[begin..].starts_with(&core.mark).then_some(begin + core.mark.len())
        })
    }

    /// Where the first mark ends that begins at `from` or later, or is cut by it.
    fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(turn) = text[at..].first_chunk() {
            let turn: &[u8; TURN] = turn;
            for look in (0..LOOKS).map(|look| look * STEP) {
                if has(&self.table, word(turn, look) << RUN_SHIFT)
                    && let Some(end) = self.judged(text, at + look)
                {
                    return Some(end);
                }
            }
            at += LOOKS * STEP;
        }
        (at.saturating_sub(1)..text.len()).find_map(|start| self.end_of_mark(text, start, padded(&text[start..]) << CORE_SHIFT))
    }

    /// Where the mark ends of which a look has found a run: most runs that are found are of ordinary words. The core begins with
    /// it, or before it where the run is the mark's last, or behind it where the run begins before the mark.
    #[inline]
    fn judged(&self, text: &[u8], look: usize) -> Option<usize> {
        let begin = look.saturating_sub(1);
        let around = padded(&text[begin..]);
        (0..STEP).find_map(|behind| self.end_of_mark(text, begin + behind, around >> (8 * behind) << CORE_SHIFT))
    }
}

/// The word that begins there. A length that is known makes loops over words straight.
#[inline]
fn word<const BYTES: usize>(bytes: &[u8; BYTES], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// A look through a text, from its beginning to its end.
pub struct Search<'m, 't> {
    marks: &'m Marks,
    text: &'t [u8],
    mark: Found,
    hidden: Found,
    /// Text with such a byte is rejected, whoever wrote it.
    nul: Found,
}

/// How far a search has come.
#[derive(Clone, Copy)]
enum Found {
    /// Nothing was looked at.
    Unknown,
    /// The next one's last byte.
    At(usize),
    /// No more.
    Nothing,
}

impl Found {
    /// The next one at `from` or later.
    fn next(&mut self, from: usize, look: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
        match *self {
            Self::Nothing => return None,
            Self::At(at) if at >= from => return Some(at),
            Self::At(_) | Self::Unknown => {}
        }
        let found = look(from);
        *self = found.map_or(Self::Nothing, Self::At);
        found
    }
}

impl Search<'_, '_> {
    /// A place in the next line that may be somebody's, from `from` on, where a line begins. Never called with less than before.
    pub fn next(&mut self, from: usize) -> Option<usize> {
        let (marks, text) = (self.marks, self.text);
        let mark = self.mark.next(from, |from| Some(marks.next(text, from)? - 1));
        let hidden = self.hidden.next(from, |from| Some(from + marks.hidden.find(&text[from..])?));
        let nul = self.nul.next(from, |from| Some(from + memchr(0, &text[from..])?));
        mark.into_iter().chain(hidden).chain(nul).min()
    }
}

/// Where the least ordinary run of a mark begins, of those at every third byte from `first` on: one that is in no common word, and
/// has most pairs of bytes that common words lack.
fn least_ordinary(mark: &[u8], first: usize, common: &BTreeSet<&[u8]>) -> Option<usize> {
    let rare = |run: &[u8]| run.windows(2).filter(|pair| !common.contains(pair)).count();
    let begins = (first..=mark.len() - RUN).step_by(STEP);
    begins.max_by_key(|begin| Some(&mark[*begin..*begin + RUN]).map(|run| (!common.contains(run), rare(run))))
}

/// The runs that begin one byte before a mark, for one of six bytes, which has but two of its own. Only ASCII stands before such.
fn behind_any(mark: &[u8]) -> impl Iterator<Item = u64> {
    (0..=0x7f).map(|byte: u64| (padded(mark) << u8::BITS | byte) << RUN_SHIFT)
}

/// A mark with each digit that it stands for.
fn with_digits(mark: &str) -> Vec<String> {
    match mark.split_once(DIGIT) {
        None => vec![mark.to_owned()],
        Some((before, after)) => {
            let after = with_digits(after);
            (0..10).flat_map(|digit| after.iter().map(move |after| format!("{before}{digit}{after}"))).collect()
        }
    }
}

/// A mark as it is, inside of a JSON text, and inside of one in another. Some writers escape slashes, too, and rsyslog has an escape of
/// its own.
fn spellings(mark: &str) -> [Arc<[u8]>; 5] {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t");
    let once = escaped(mark);
    [mark.to_owned(), escaped(&once), once.replace('/', "\\/"), mark.replace('\t', "#011"), once].map(|mark| Arc::from(mark.into_bytes()))
}

/// The bytes of a word, with zeros for what is missing.
fn padded(bytes: &[u8]) -> u64 {
    let whole = bytes.first_chunk().copied();
    u64::from_le_bytes(whole.unwrap_or_else(|| {
        let mut word = [0; WORD];
        word[..bytes.len()].copy_from_slice(bytes);
        word
    }))
}

/// By how much a word is shifted so that a run is left of it, or a core.
const RUN_SHIFT: usize = 8 * (WORD - RUN);
const CORE_SHIFT: usize = 8 * (WORD - CORE);

/// Where the bit of a run or core is: the upper bits of a product with 2^64 divided by the golden ratio spread what texts repeat.
fn place(bytes: u64) -> (usize, u64) {
    let hash = bytes.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACE_BITS);
    ((hash / 64) as usize, hash % 64)
}

fn set(table: &mut [u64; WORDS], bytes: u64) {
    let (word, bit) = place(bytes);
    table[word] |= 1 << bit;
}

fn has(table: &[u64; WORDS], bytes: u64) -> bool {
    let (word, bit) = place(bytes);
    table[word] >> bit & 1 == 1
}

/// Words that logs are full of, whoever writes them.
const COMMON: &str = " request Request RequestId requests response headers orders order error: Error: errors Exception: Traceback workers worker: \
    process processed pid signal: status: timeout: timed out after a while time version connection connected session Session message Message \
    payment deployment completed Completed function Function execution: Executing Executed started Starting stopped shutdown: Shutting down failed \
    Failed with from action transaction: information application resource context: Context content text event record records received Received \
    Sending queue service server client memory limit exceeded exited killed terminated canceled Cancel upstream 2026 2025 2027 \" HTTP/1.1\" 200 \
    https level INFO: WARN WARNING: DEBUG: ERROR: CRITICAL FATAL TRACE SIGTERM: SIGKILL REPORT: debug duration: Duration seconds module database \
    query invocation: initialized subscription\" endpoint Endpoint request_id RequestID category tracepoint Status: connect reset Completed 200 ";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARKS: [&str; 7] = ["REPORT id", "abcdef", "bcdefgh", "begin ", "/Nov/20", "\tINFO\tx", r"\d:\d PM"];

    fn found(text: &str) -> Vec<usize> {
        let marks = Marks::new(MARKS);
        let mut search = marks.search(text.as_bytes());
        let begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let next = begins.filter_map(|begin| search.next(begin));
        let mut lines: Vec<usize> = next.map(|at| text[..at].matches('\n').count()).collect();
        lines.dedup();
        lines
    }

    #[test]
    fn marks_are_found_wherever_they_stand() {
        for before in 0..40 {
            let text = format!("{}REPORT id{}", "x".repeat(before), "y".repeat(before % 7));
            assert_eq!(found(&text), [0], "{text}");
        }
        assert!(found("").is_empty() && found("REPORT i").is_empty() && found("no mark at all in this, however long it is").is_empty());
    }

    #[test]
    fn each_line_has_its_own() {
        assert_eq!(found("a REPORT id\nnothing at all here\nabcdef\n begun \nbegin here\nbegin"), [0, 2, 4]);
    }

    #[test]
    fn marks_are_found_inside_of_json() {
        for text in [r#"{"m":"x\tINFO\tx"}"#, r#"{"m":"{\"m\":\"x\\tINFO\\tx\"}"}"#, r#"{"at":"22\/Nov\/2026"}"#, r#"{"m":"\u0041bcdefg"}"#]
        {
            assert_eq!(found(text), [0], "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mark_is_found_if_and_only_if_it_is_there(lines in proptest::collection::vec("([a-h]{0,9}|REPORT id|begin |[0-2a]:[0-2] PM|[a-iREPORTdbegin/Nov20 ]{0,24}){0,3}", 1..12)) {
            let text = lines.join("\n");
            let marks: Vec<String> = MARKS.into_iter().flat_map(with_digits).collect();
            let has_mark = |(_, line): &(usize, &String)| marks.iter().any(|mark| line.contains(mark));
            let expected: Vec<usize> = lines.iter().enumerate().filter(has_mark).map(|(number, _)| number).collect();
            prop_assert_eq!(found(&text), expected);
        }
    }
}
