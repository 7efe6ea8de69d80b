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
    rows_max: usize,
    rows: Vec<Vec<(f64, f64)>>,
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
        Self { left, right, rows_max, rows: Vec::new() }
    }

    /// Finds room for a text of `width` beside `x`: to its right, else to its left, in the first row where it fits.
    pub fn place(&mut self, x: f64, width: f64) -> Option<Placed> {
        const GAP: f64 = 8.0;
        let to_the_right = (x, x + width, Anchor::Start);
        let to_the_left = (x - width, x, Anchor::End);
        for row in 0..self.rows_max {
            if row == self.rows.len() {
                self.rows.push(Vec::new());
            }
            for (from, to, anchor) in [to_the_right, to_the_left] {
                let inside = from >= self.left && to <= self.right;
                if inside && self.rows[row].iter().all(|&(a, b)| to + GAP <= a || b + GAP <= from) {
                    self.rows[row].push((from, to));
                    return Some(Placed { row, x, anchor });
                }
            }
        }
        None
    }

    /// How many rows hold something.
    #[must_use]
    pub fn used(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_empty()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_side_by_side_do_not_touch() {
        let mut rows = Rows::new(0.0, 200.0, 2);
        assert_eq!(rows.place(0.0, 90.0), Some(Placed { row: 0, x: 0.0, anchor: Anchor::Start }));
        assert_eq!(rows.place(100.0, 90.0), Some(Placed { row: 0, x: 100.0, anchor: Anchor::Start }));
        assert_eq!(rows.place(100.0, 90.0), Some(Placed { row: 1, x: 100.0, anchor: Anchor::Start }));
        assert_eq!(rows.place(100.0, 90.0), None);
        assert_eq!(rows.used(), 2);
    }

    #[test]
    fn at_the_edge_a_text_turns_to_the_left() {
        let mut rows = Rows::new(0.0, 200.0, 1);
        assert_eq!(rows.place(190.0, 60.0), Some(Placed { row: 0, x: 190.0, anchor: Anchor::End }));
        assert_eq!(rows.place(150.0, 500.0), None);
    }

    #[test]
    fn a_text_is_cut_to_its_room_or_left_out() {
        assert_eq!(fitted("payments", 200.0).as_deref(), Some("payments"));
        assert_eq!(fitted("payments.internal.example.com", 80.0).as_deref(), Some("payments.i…"));
        assert_eq!(fitted("payments", 12.0), None);
    }
}
