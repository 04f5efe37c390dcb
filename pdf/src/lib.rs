//! Pages of a report as PDF: text that can be selected and searched, rows of tables, pictures, a footer on each.
//!
//! Set with the base fonts every reader has (ISO 32000-1, 9.6.2.2), so nothing is embedded and the file stays
//! small; what Windows-1252 does not hold is written in other words or as a question mark.

mod words;

use pdf_writer::{Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

pub use pdf_writer::Content;

use words::{encoded, wrapped};

/// A4 in points, width and height.
pub const PAGE: (f32, f32) = (595.0, 842.0);
/// Points left free at each edge.
pub const MARGIN: f32 = 48.0;
/// Size of body text in points.
pub const BODY: f32 = 9.0;
/// Letters that fit on a line of body text: Helvetica is half as wide as high on average.
const LINE_LETTERS: usize = 104;
/// From one base line to the next, in sizes of the font.
const LEADING: f32 = 1.4;

/// The two fonts of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// Helvetica.
    Plain,
    /// Helvetica-Bold.
    Bold,
}

impl Font {
    const ALL: [Self; 2] = [Self::Plain, Self::Bold];

    const fn name(self) -> Name<'static> {
        match self {
            Self::Plain => Name(b"F1"),
            Self::Bold => Name(b"F2"),
        }
    }

    const fn base(self) -> Name<'static> {
        match self {
            Self::Plain => Name(b"Helvetica"),
            Self::Bold => Name(b"Helvetica-Bold"),
        }
    }
}

/// The samples of a picture, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Samples {
    /// One byte per pixel.
    Grey(Vec<u8>),
    /// Red, green and blue.
    Rgb(Vec<u8>),
}

/// A picture that pages may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// `columns * rows` pixels.
    pub samples: Samples,
}

/// A picture that was given to [`Pages`]; it may be placed more than once and is stored once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(usize);

impl Handle {
    fn name(self) -> String {
        format!("Im{}", self.0)
    }
}

/// Pages in the making; what does not fit begins the next page. Places count in points from the lower left.
pub struct Pages {
    done: Vec<Content>,
    now: Content,
    /// Base line of what was written last.
    y: f32,
    pictures: Vec<Picture>,
}

impl Default for Pages {
    fn default() -> Self {
        Self { done: Vec::new(), now: Content::new(), y: PAGE.1 - MARGIN, pictures: Vec::new() }
    }
}

impl Pages {
    /// Begins the next page where this one has less than `height` left.
    pub fn room(&mut self, height: f32) {
        if self.y - height < MARGIN + 20.0 {
            self.done.push(std::mem::replace(&mut self.now, Content::new()));
            self.y = PAGE.1 - MARGIN;
        }
    }

    /// Leaves `height` for what is drawn, on this page or the next. Returns the lower edge of what was left.
    pub fn leave(&mut self, height: f32) -> f32 {
        self.room(height);
        self.y -= height;
        self.y
    }

    /// Text at a place, in one line.
    pub fn text(&mut self, font: Font, size: f32, [x, y]: [f32; 2], text: &str) {
        self.now.begin_text().set_font(font.name(), size).next_line(x, y);
        self.now.show(Str(&encoded(text))).end_text();
    }

    /// A line of text below the last.
    pub fn line(&mut self, font: Font, size: f32, text: &str) {
        let y = self.leave(size * LEADING);
        self.text(font, size, [MARGIN, y], text);
    }

    /// A heading, never alone at the foot of a page.
    pub fn heading(&mut self, text: &str) {
        self.room(40.0);
        self.y -= 6.0;
        self.line(Font::Bold, 11.0, text);
    }

    /// Body text, broken between words.
    pub fn paragraph(&mut self, font: Font, text: &str) {
        wrapped(text, LINE_LETTERS).iter().for_each(|line| self.line(font, BODY, line));
    }

    /// One row of a table: each cell and how far from the margin it begins.
    pub fn row(&mut self, font: Font, cells: &[(f32, String)]) {
        let y = self.leave(BODY * LEADING);
        for (x, cell) in cells {
            self.text(font, BODY, [MARGIN + x, y], cell);
        }
    }

    /// Takes a picture into the file.
    pub fn add(&mut self, picture: Picture) -> Handle {
        self.pictures.push(picture);
        Handle(self.pictures.len() - 1)
    }

    /// Shows a picture with its lower left corner at `x`, `y`.
    pub fn place(&mut self, picture: Handle, [x, y]: [f32; 2], [width, height]: [f32; 2]) {
        self.now.save_state().transform([width, 0.0, 0.0, height, x, y]);
        self.now.x_object(Name(picture.name().as_bytes())).restore_state();
    }

    /// For lines and frames on the page at hand.
    pub fn drawing(&mut self) -> &mut Content {
        &mut self.now
    }

    /// The file. `footer` is printed on every page, because a page may be printed alone; the page's number follows.
    pub fn finish(mut self, title: &str, producer: &str, footer: &str) -> Vec<u8> {
        self.done.push(self.now);
        let count = self.done.len();
        let mut next = 0;
        let mut id = || {
            next += 1;
            Ref::new(next)
        };
        let (catalog, tree, info) = (id(), id(), id());
        let fonts = Font::ALL.map(|font| (font, id()));
        let page_ids: Vec<(Ref, Ref)> = (0..count).map(|_| (id(), id())).collect();
        let picture_ids: Vec<Ref> = self.pictures.iter().map(|_| id()).collect();
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
        let mut about = pdf.document_info(info);
        about.title(TextStr(title));
        about.producer(TextStr(producer));
        about.finish();
        pdf.pages(tree).kids(page_ids.iter().map(|p| p.0)).count(count as i32);
        for (font, id) in fonts {
            pdf.type1_font(id).base_font(font.base()).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        for (number, (mut content, (page_id, content_id))) in self.done.into_iter().zip(page_ids).enumerate()
        {
            let footer = format!("{footer} Page {} of {count}", number + 1);
            content.begin_text().set_font(Font::Plain.name(), 8.0).next_line(MARGIN, 30.0);
            content.show(Str(&encoded(&footer))).end_text();
            let mut page = pdf.page(page_id);
            page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(content_id);
            let mut resources = page.resources();
            let mut named = resources.fonts();
            for (font, id) in fonts {
                named.pair(font.name(), id);
            }
            named.finish();
            let mut objects = resources.x_objects();
            for (i, id) in picture_ids.iter().enumerate() {
                objects.pair(Name(Handle(i).name().as_bytes()), *id);
            }
            objects.finish();
            resources.finish();
            page.finish();
            pdf.stream(content_id, &content.finish());
        }
        for (picture, id) in self.pictures.iter().zip(picture_ids) {
            let (Samples::Grey(samples) | Samples::Rgb(samples)) = &picture.samples;
            let bytes = miniz_oxide::deflate::compress_to_vec_zlib(samples, 6);
            let mut image = pdf.image_xobject(id, &bytes);
            image.filter(Filter::FlateDecode);
            image.width(picture.columns as i32).height(picture.rows as i32);
            match picture.samples {
                Samples::Grey(_) => image.color_space().device_gray(),
                Samples::Rgb(_) => image.color_space().device_rgb(),
            };
            image.bits_per_component(8);
        }
        pdf.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pdf: &[u8], what: &[u8]) -> usize {
        pdf.windows(what.len()).filter(|w| *w == what).count()
    }

    #[test]
    fn what_does_not_fit_begins_the_next_page_and_a_picture_is_stored_once() {
        let mut pages = Pages::default();
        let dot = pages.add(Picture { columns: 1, rows: 1, samples: Samples::Rgb(vec![1, 2, 3]) });
        pages.place(dot, [0.0; 2], [9.0; 2]);
        pages.place(dot, [9.0; 2], [9.0; 2]);
        let fits = ((PAGE.1 - 2.0 * MARGIN - 20.0) / (BODY * LEADING)) as usize;
        (0..=fits).for_each(|_| pages.paragraph(Font::Plain, "word"));
        let pdf = pages.finish("title", "producer", "footer");
        assert_eq!(count(&pdf, b"/Type /Page\n"), 2);
        assert_eq!(count(&pdf, b"/Subtype /Image"), 1);
    }

    #[test]
    fn a_page_that_is_full_to_the_last_line_is_one_page() {
        let mut pages = Pages::default();
        let fits = ((PAGE.1 - 2.0 * MARGIN - 20.0) / (BODY * LEADING)) as usize;
        (0..fits).for_each(|_| pages.paragraph(Font::Plain, "word"));
        assert_eq!(count(&pages.finish("title", "producer", "footer"), b"/Type /Page\n"), 1);
    }
}
