//! The words that make a name sensitive, all looked for at once, since every key of every span is looked at.
//!
//! Shift-And (R. Baeza-Yates, G. Gonnet, "A new approach to text searching", 1992): one bit for each letter of each word,
//! set while what was read last ends with the word up to that letter.

/// In lower case; compared without case and without what separates words.
const WORDS: [&str; 7] = ["authorization", "cookie", "password", "passwd", "token", "secret", "apikey"];

/// What separates words; passed over.
const SEPARATORS: [u8; 4] = [b'-', b'_', b'.', b' '];
const SEPARATOR: u64 = u64::MAX;

/// For each byte the letters that it is.
static LETTERS: [u64; 256] = {
    let mut letters = [0; 256];
    let (mut word, mut bit) = (0, 0);
    while word < WORDS.len() {
        let mut at = 0;
        while at < WORDS[word].len() {
            let letter = WORDS[word].as_bytes()[at];
            letters[letter as usize] |= 1 << bit;
            letters[letter.to_ascii_uppercase() as usize] |= 1 << bit;
            (at, bit) = (at + 1, bit + 1);
        }
        word += 1;
    }
    let mut index = 0;
    while index < SEPARATORS.len() {
        letters[SEPARATORS[index] as usize] = SEPARATOR;
        index += 1;
    }
    letters
};

/// The bits of the words' first and last letters.
const ENDS: (u64, u64) = {
    let (mut first, mut last) = (0, 0);
    let (mut word, mut bit) = (0, 0);
    while word < WORDS.len() {
        first |= 1 << bit;
        bit += WORDS[word].len();
        last |= 1 << (bit - 1);
        word += 1;
    }
    (first, last)
};

/// Whether one of the words is in it.
pub fn are_in(name: &[u8]) -> bool {
    let (first, last) = ENDS;
    let (mut state, mut found) = (0, 0);
    for byte in name {
        let letters = LETTERS[usize::from(*byte)];
        if letters != SEPARATOR {
            state = (state << 1 | first) & letters;
            found |= state & last;
        }
    }
    found != 0
}
