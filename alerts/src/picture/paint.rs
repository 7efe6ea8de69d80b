//! Shapes as pixels, and pixels as PNG.

use domain::{LimitMark, MarkKind, SegmentKind};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use tiny_skia::{
    Color, FillRule, FilterQuality, Paint, Path, PathBuilder, Pattern, Pixmap, PremultipliedColorU8, SpreadMode, Stroke, StrokeDash,
    Transform,
};

use super::layout::{Drawing, Ink, Shape};

const FONT: (FontWeight, RasterHeight) = (FontWeight::Regular, RasterHeight::Size32);

/// What is drawn for a character that the font does not have.
const MISSING: char = '\u{fffd}';

/// Room that every character takes.
pub(super) const CHAR_WIDTH: f32 = char_width() as f32;

// The colours of the dashboard's light pages.
const PANEL: [u8; 3] = [0xff, 0xff, 0xff];
const EDGE: [u8; 3] = [0xe4, 0xe0, 0xd8];
const NAME: [u8; 3] = [0x1c, 0x1b, 0x19];
const SOFT: [u8; 3] = [0x67, 0x62, 0x5b];
const QUIET: [u8; 3] = [0xb9, 0xb3, 0xa8];
const WORK: [u8; 3] = [0x2f, 0x7d, 0x5b];
const WAIT: [u8; 3] = [0xc7, 0x77, 0x00];
const WAIT_FAINT: [u8; 3] = [0xf5, 0xe6, 0xcc];
const FIRED: [u8; 3] = [0xb3, 0x26, 0x1e];

const CORNER: f32 = 12.0;

#[expect(clippy::cast_possible_truncation, reason = "a dozen pixels")]
const fn char_width() -> u16 {
    get_raster_width(FONT.0, FONT.1) as u16
}

/// The picture; `None` if it is too large to be held, which no bounded drawing is.
pub(super) fn png(drawing: &Drawing) -> Option<Vec<u8>> {
    let mut canvas = Canvas { pixels: Pixmap::new(drawing.width, drawing.height)?, hatch: hatch()? };
    canvas.ground();
    drawing.shapes.iter().for_each(|shape| canvas.draw(shape));
    canvas.pixels.encode_png().ok()
}

struct Canvas {
    pixels: Pixmap,
    hatch: Pixmap,
}

/// What never answered: stripes.
fn hatch() -> Option<Pixmap> {
    const SIZE: u32 = 12;
    let mut tile = Pixmap::new(SIZE, SIZE)?;
    for (place, pixel) in (0..).zip(tile.pixels_mut()) {
        let is_stripe = (place % SIZE + place / SIZE) % SIZE < SIZE / 2;
        *pixel = opaque(if is_stripe { mixed(WAIT, PANEL, 160) } else { WAIT_FAINT });
    }
    Some(tile)
}

impl Canvas {
    fn ground(&mut self) {
        #[expect(clippy::cast_precision_loss, reason = "some hundred pixels")]
        let (width, height) = (self.pixels.width() as f32, self.pixels.height() as f32);
        let outline = rounded(1.0, 1.0, width - 2.0, height - 2.0, CORNER);
        self.fill(outline.as_ref(), PANEL);
        self.stroke(outline.as_ref(), EDGE, 2.0, &[]);
    }

    fn draw(&mut self, shape: &Shape) {
        match *shape {
            Shape::Grid { x, from, to } => self.stroke(upright(x, from, to).as_ref(), EDGE, 2.0, &[]),
            Shape::Bar { x, y, width, height, kind } => self.bar(rounded(x, y, width, height, 4.0).as_ref(), kind),
            Shape::Limit { x, from, to, mark } => {
                let (colour, width, dashes): (_, _, &[f32]) = match mark {
                    LimitMark::Fired => (FIRED, 5.0, &[]),
                    LimitMark::NotReached => (SOFT, 3.0, &[10.0, 8.0]),
                    LimitMark::Contradicted => (WAIT, 3.0, &[3.0, 7.0]),
                };
                self.stroke(upright(x, from, to).as_ref(), colour, width, dashes);
            }
            Shape::Moment { x, y, kind: MarkKind::Line } => self.fill(PathBuilder::from_circle(x, y, 5.0).as_ref(), NAME),
            Shape::Moment { x, y, kind: MarkKind::Stack } => {
                let ring = PathBuilder::from_circle(x, y, 8.0);
                self.fill(ring.as_ref(), PANEL);
                self.stroke(ring.as_ref(), NAME, 4.0, &[]);
            }
            Shape::Moment { x, y, kind: MarkKind::Fired } => {
                let diamond = diamond(x, y, 13.0);
                self.fill(diamond.as_ref(), FIRED);
                self.stroke(diamond.as_ref(), PANEL, 2.0, &[]);
            }
            Shape::Words { x, y, ref text, ink } => self.words(x, y, text, ink),
        }
    }

    fn bar(&mut self, outline: Option<&Path>, kind: SegmentKind) {
        match kind {
            SegmentKind::Work => self.fill(outline, WORK),
            SegmentKind::Init => self.fill(outline, QUIET),
            SegmentKind::Wait => self.fill(outline, mixed(WAIT, PANEL, 115)),
            SegmentKind::Fired => self.fill(outline, FIRED),
            SegmentKind::Unanswered => {
                let tile = Pattern::new(self.hatch.as_ref(), SpreadMode::Repeat, FilterQuality::Nearest, 1.0, Transform::identity());
                let paint = Paint { shader: tile, anti_alias: true, ..Paint::default() };
                if let Some(outline) = outline {
                    self.pixels.fill_path(outline, &paint, FillRule::Winding, Transform::identity(), None);
                }
                self.stroke(outline, WAIT, 2.0, &[]);
            }
        }
    }

    fn fill(&mut self, outline: Option<&Path>, colour: [u8; 3]) {
        if let Some(outline) = outline {
            self.pixels.fill_path(outline, &paint(colour), FillRule::Winding, Transform::identity(), None);
        }
    }

    fn stroke(&mut self, outline: Option<&Path>, colour: [u8; 3], width: f32, dashes: &[f32]) {
        let stroke = Stroke { width, dash: StrokeDash::new(dashes.to_vec(), 0.0), ..Stroke::default() };
        if let Some(outline) = outline {
            self.pixels.stroke_path(outline, &paint(colour), &stroke, Transform::identity(), None);
        }
    }

    /// Words on a ground of their own, so that no line goes through them.
    fn words(&mut self, x: f32, y: f32, text: &str, ink: Ink) {
        let colour = match ink {
            Ink::Name => NAME,
            Ink::Soft => SOFT,
            Ink::Fired => FIRED,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place inside of the picture")]
        let (mut left, top) = (x.max(0.0) as usize, y.max(0.0) as usize);
        for c in text.chars() {
            if let Some(glyph) = get_raster(c, FONT.0, FONT.1).or_else(|| get_raster(MISSING, FONT.0, FONT.1)) {
                for (row, line) in glyph.rows().enumerate() {
                    for (column, &strength) in line.iter().enumerate() {
                        self.set(left + column, top + row, opaque(mixed(colour, PANEL, strength)));
                    }
                }
            }
            left += usize::from(char_width());
        }
    }

    fn set(&mut self, x: usize, y: usize, pixel: PremultipliedColorU8) {
        let width = self.pixels.width() as usize;
        if x < width
            && let Some(place) = self.pixels.pixels_mut().get_mut(y * width + x)
        {
            *place = pixel;
        }
    }
}

fn paint(colour: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color(Color::from_rgba8(colour[0], colour[1], colour[2], u8::MAX));
    paint
}

/// `share` of 255 of one colour on another.
fn mixed(over: [u8; 3], under: [u8; 3], share: u8) -> [u8; 3] {
    let mix = |place: usize| {
        let sum = u32::from(over[place]) * u32::from(share) + u32::from(under[place]) * u32::from(u8::MAX - share);
        u8::try_from(sum / 255).unwrap_or(u8::MAX)
    };
    [mix(0), mix(1), mix(2)]
}

fn opaque(colour: [u8; 3]) -> PremultipliedColorU8 {
    tiny_skia::ColorU8::from_rgba(colour[0], colour[1], colour[2], u8::MAX).premultiply()
}

fn upright(x: f32, from: f32, to: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(x, from);
    path.line_to(x, to);
    path.finish()
}

fn diamond(x: f32, y: f32, size: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(x, y - size);
    path.line_to(x + size, y);
    path.line_to(x, y + size);
    path.line_to(x - size, y);
    path.close();
    path.finish()
}

/// A rectangle with round corners, as round as it has room for.
fn rounded(x: f32, y: f32, width: f32, height: f32, corner: f32) -> Option<Path> {
    let r = corner.min(width / 2.0).min(height / 2.0);
    let (right, bottom) = (x + width, y + height);
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.quad_to(right, y, right, y + r);
    path.line_to(right, bottom - r);
    path.quad_to(right, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.quad_to(x, bottom, x, bottom - r);
    path.line_to(x, y + r);
    path.quad_to(x, y, x + r, y);
    path.close();
    path.finish()
}
