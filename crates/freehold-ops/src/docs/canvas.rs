//! A small canvas that becomes SVG: boxes, cylinders, words and arrows, in the colours of the reader's page.
//!
//! Laid out by hand: the diagrams have rows and columns, and a layout engine would put them elsewhere with every version.

use std::fmt::Write;

/// Height of a line of text, in pixels.
pub(super) const LINE: f32 = 18.0;
/// Space inside a box, in pixels.
pub(super) const PAD: f32 = 12.0;
/// Width of a letter: the font has one width for all, and this is the widest that common ones have at 12 pixels.
const LETTER: f32 = 7.3;
/// Half the height of the ellipse that closes a cylinder.
const LID: f32 = 7.0;

const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}\
.b{font-weight:600}.q{fill:#59636e}\
.box,.lid{fill:#f6f8fa;stroke:#59636e;stroke-width:1}\
.mutable{fill:#fff8e6;stroke:#9a6700}.fixed{fill:#eaf5ff;stroke:#0969da}.derived{fill:#f0f6f0;stroke:#1a7f37;stroke-dasharray:4 3}\
.around{fill:none;stroke:#8c959f;stroke-dasharray:2 3}\
.line{fill:none;stroke:#59636e;stroke-width:1.2}.tip{fill:#59636e}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9198a1}.box,.lid{fill:#161b22;stroke:#9198a1}\
.mutable{fill:#2b2210;stroke:#d29922}.fixed{fill:#0d2238;stroke:#4493f8}.derived{fill:#102418;stroke:#3fb950}\
.around{stroke:#656c76}.line{stroke:#9198a1}.tip{fill:#9198a1}}";

/// How a box or a word looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Mutable,
    Fixed,
    Derived,
    Around,
}

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "box",
            Self::Mutable => "box mutable",
            Self::Fixed => "box fixed",
            Self::Derived => "box derived",
            Self::Around => "around",
        }
    }
}

/// A place and its extent, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Area {
    pub(super) fn right(self) -> f32 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f32 {
        self.y + self.height
    }

    pub(super) fn middle(self) -> f32 {
        self.y + self.height / 2.0
    }
}

/// How wide a text is.
pub(super) fn width(text: &str) -> f32 {
    let letters = text.chars().count() as f32;
    letters * LETTER
}

/// How wide a box around these lines is.
pub(super) fn box_width<'a>(lines: impl IntoIterator<Item = &'a str>) -> f32 {
    lines.into_iter().map(width).fold(0.0, f32::max) + 2.0 * PAD
}

/// The height of a box of so many lines.
pub(super) fn box_height(lines: usize) -> f32 {
    let lines = lines as f32;
    lines * LINE + PAD
}

/// A drawing.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
    width: f32,
    height: f32,
}

impl Canvas {
    /// The drawing as a file, with a title for those who do not see it.
    pub(super) fn finish(self, title: &str) -> String {
        let (width, height) = (self.width + PAD, self.height + PAD);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
             role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n{}</svg>\n",
            escaped(title),
            self.body
        )
    }

    /// A box with lines of text, the first one bold.
    pub(super) fn card(&mut self, at: Area, look: Look, lines: &[String]) {
        self.frame(at, look);
        self.lines(at.x + PAD, at.y + PAD - 2.0, lines);
    }

    /// A box without text.
    pub(super) fn frame(&mut self, at: Area, look: Look) {
        self.reach(at);
        let _ = writeln!(
            self.body,
            "<rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\"/>",
            look.class(),
            at.x,
            at.y,
            at.width,
            at.height
        );
    }

    /// A database: a cylinder with lines of text, the first one bold.
    pub(super) fn cylinder(&mut self, at: Area, lines: &[String]) {
        self.reach(at);
        let (left, right, rx) = (at.x, at.right(), at.width / 2.0);
        let (top, bottom) = (at.y + LID, at.bottom() - LID);
        let _ = writeln!(
            self.body,
            "<path class=\"box\" d=\"M{left:.1} {top:.1}V{bottom:.1}A{rx:.1} {LID:.1} 0 0 0 {right:.1} {bottom:.1}V{top:.1}\"/>\n\
             <ellipse class=\"lid\" cx=\"{:.1}\" cy=\"{top:.1}\" rx=\"{rx:.1}\" ry=\"{LID:.1}\"/>",
            left + rx
        );
        self.lines(at.x + PAD, at.y + 2.0 * LID + PAD / 2.0, lines);
    }

    fn lines(&mut self, x: f32, top: f32, lines: &[String]) {
        let mut y = top + 9.0;
        for (index, line) in lines.iter().enumerate() {
            let class = if index == 0 { " class=\"b\"" } else { "" };
            let _ = writeln!(
                self.body,
                "<text{class} x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                escaped(line)
            );
            y += LINE;
        }
    }

    /// A quiet word, which begins at `x`.
    pub(super) fn word(&mut self, x: f32, y: f32, text: &str) {
        self.reach(Area {
            x,
            y,
            width: width(text),
            height: 0.0,
        });
        let _ = writeln!(
            self.body,
            "<text class=\"q\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(text)
        );
    }

    /// An arrow that leaves and arrives level.
    pub(super) fn arrow(&mut self, from: (f32, f32), to: (f32, f32)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let (end, bend) = (x2 - 6.0, (x2 - x1) / 2.0);
        let _ = writeln!(
            self.body,
            "<path class=\"line\" d=\"M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {end:.1} {y2:.1}\"/>\n\
             <path class=\"tip\" d=\"M{x2:.1} {y2:.1}l-7 -3.5v7z\"/>",
            x1 + bend,
            end - bend
        );
    }

    /// An arrow straight down.
    pub(super) fn arrow_down(&mut self, x: f32, from: f32, to: f32) {
        let _ = writeln!(
            self.body,
            "<path class=\"line\" d=\"M{x:.1} {from:.1}V{:.1}\"/>\n<path class=\"tip\" d=\"M{x:.1} {to:.1}l-3.5 -7h7z\"/>",
            to - 6.0
        );
    }

    fn reach(&mut self, at: Area) {
        self.width = self.width.max(at.right());
        self.height = self.height.max(at.bottom());
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
