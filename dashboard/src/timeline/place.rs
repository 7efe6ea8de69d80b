//! Where words go in a drawing, so that no two stand on one another.

/// Room that a text of 12 px takes, estimated on the wide side: the server knows no fonts.
#[must_use]
pub fn width_px(text: &str) -> f64 {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 4.2,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 5.2,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 11.4,
        'A'..='Z' => 8.8,
        c if c.is_ascii() => 7.5,
        '\u{80}'..='\u{2fff}' => 9.0,
        _ => 13.0,
    }
}

/// The longest beginning of `text` that fits into `room_px`, with `…` where it was cut; `None` if nothing readable does.
#[must_use]
pub fn fitted(text: &str, room_px: f64) -> Option<String> {
    const READABLE_CHARS: usize = 3;
    if width_px(text) <= room_px {
        return Some(text.to_owned());
    }
    let mut used = char_width('…');
    let kept: String = text
        .chars()
        .take_while(|&c| {
            used += char_width(c);
            used <= room_px
        })
        .collect();
    (kept.chars().count() >= READABLE_CHARS).then(|| format!("{}…", kept.trim_end()))
}

/// Which end of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It ends there.
    End,
}

impl Anchor {
    /// The word of SVG's `text-anchor`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

/// Rows of text over one another; each takes what does not touch its neighbours.
#[derive(Debug)]
pub struct Rows {
    left: f64,
    right: f64,
    taken: Vec<Vec<(f64, f64)>>,
    avoided: Vec<f64>,
}

/// Where a text was put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// The row, from 0.
    pub row: usize,
    /// Where its anchor stands.
    pub x: f64,
    /// Which end that is.
    pub anchor: Anchor,
}

impl Rows {
    /// At most `rows_max` rows between `left` and `right`.
    #[must_use]
    pub fn new(left: f64, right: f64, rows_max: usize) -> Self {
        Self { left, right, taken: vec![Vec::new(); rows_max], avoided: Vec::new() }
    }

    /// The same rows, in which no text runs over the lines at `avoided` if there is room elsewhere.
    #[must_use]
    pub fn avoiding(mut self, avoided: Vec<f64>) -> Self {
        self.avoided = avoided;
        self
    }

    /// Finds room for a text of `width` beside `x`: to its right, else to its left, in the first row where it fits.
    pub fn place(&mut self, x: f64, width: f64) -> Option<Placed> {
        let found = self.room(x, width, true).or_else(|| self.room(x, width, false))?;
        let (placed, from, to) = found;
        self.taken[placed.row].push((from, to));
        Some(placed)
    }

    fn room(&self, x: f64, width: f64, keep_clear: bool) -> Option<(Placed, f64, f64)> {
        const BESIDE: f64 = 7.0;
        const GAP: f64 = 8.0;
        const CLEAR: f64 = 3.0;
        let to_the_right = (x + BESIDE, x + BESIDE + width, Anchor::Start);
        let to_the_left = (x - BESIDE - width, x - BESIDE, Anchor::End);
        let sides = (0..self.taken.len()).flat_map(|row| [(row, to_the_right), (row, to_the_left)]);
        sides.into_iter().find_map(|(row, (from, to, anchor))| {
            let inside = from >= self.left && to <= self.right;
            let alone = self.taken[row].iter().all(|&(a, b)| to + GAP <= a || b + GAP <= from);
            let clear = !keep_clear || !self.avoided.iter().any(|&line| from - CLEAR < line && line < to + CLEAR);
            let x = if anchor == Anchor::Start { from } else { to };
            (inside && alone && clear).then_some((Placed { row, x, anchor }, from, to))
        })
    }

    /// How many rows hold something.
    #[must_use]
    pub fn used(&self) -> usize {
        self.taken.iter().filter(|row| !row.is_empty()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &mut Rows, x: f64, width: f64) -> Option<(usize, f64, Anchor)> {
        rows.place(x, width).map(|placed| (placed.row, placed.x, placed.anchor))
    }

    #[test]
    fn texts_side_by_side_do_not_touch() {
        let mut rows = Rows::new(0.0, 200.0, 2);
        assert_eq!(check(&mut rows, 0.0, 80.0), Some((0, 7.0, Anchor::Start)));
        assert_eq!(check(&mut rows, 100.0, 80.0), Some((0, 107.0, Anchor::Start)));
        assert_eq!(check(&mut rows, 100.0, 80.0), Some((1, 107.0, Anchor::Start)));
        assert_eq!(check(&mut rows, 100.0, 80.0), Some((1, 93.0, Anchor::End)));
        assert_eq!(check(&mut rows, 100.0, 80.0), None);
        assert_eq!(rows.used(), 2);
    }

    #[test]
    fn at_the_edge_a_text_turns_to_the_left() {
        let mut rows = Rows::new(0.0, 200.0, 1);
        assert_eq!(check(&mut rows, 190.0, 60.0), Some((0, 183.0, Anchor::End)));
        assert_eq!(check(&mut rows, 150.0, 500.0), None);
    }

    #[test]
    fn a_text_keeps_clear_of_lines_while_it_can() {
        let mut rows = Rows::new(0.0, 200.0, 1).avoiding(vec![110.0]);
        assert_eq!(check(&mut rows, 100.0, 60.0), Some((0, 93.0, Anchor::End)));
        assert_eq!(check(&mut rows, 100.0, 60.0), Some((0, 107.0, Anchor::Start)));
    }

    #[test]
    fn a_text_is_cut_to_its_room_or_left_out() {
        assert_eq!(fitted("payments", 200.0).as_deref(), Some("payments"));
        assert_eq!(fitted("payments.internal.example.com", 80.0).as_deref(), Some("payments.i…"));
        assert_eq!(fitted("payments", 12.0), None);
    }
}
