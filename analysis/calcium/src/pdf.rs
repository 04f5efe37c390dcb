//! The report as PDF: text that can be selected and searched, tables, and key images with their lesions framed.
//!
//! Set with the base fonts every reader has, so nothing is embedded and the file stays small; what Latin-1
//! does not hold is written in other words or as a question mark.

use imaging::Volume;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::report::Report;
use crate::score::{ScoredComponent, Sums};

const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 48.0;
const BODY: f32 = 9.0;
const PLAIN: Name = Name(b"F1");
const BOLD: Name = Name(b"F2");
/// Letters that fit on a line of body text: Helvetica is half as wide as high on average.
const LINE_LETTERS: usize = 104;
/// Pixels of a key image along each side, where the slice has them.
const CROP: u32 = 192;
/// Lesions with an image of their own.
const KEY_IMAGES: usize = 4;
/// Grey from -100 to 700 HU: fat to dense calcium.
const WINDOW_HU: (f64, f64) = (-100.0, 700.0);

/// Windows-1252, as the fonts are set up.
fn encoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' | '\u{a0}'..='\u{ff}' => out.push(c as u32 as u8),
            '\u{2265}' => out.extend(b">="),
            '\u{2264}' => out.extend(b"<="),
            '\u{2013}' | '\u{2014}' => out.push(b'-'),
            _ => out.push(b'?'),
        }
    }
    out
}

/// Lines of at most so many letters, broken between words.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = lines
            .last()
            .is_none_or(|l| l.is_empty() || l.chars().count() + 1 + word.chars().count() <= letters);
        match lines.last_mut() {
            Some(line) if fits => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A picture with the frames drawn on it.
struct Picture {
    columns: u32,
    rows: u32,
    grey: Vec<u8>,
}

/// Pages in the making; a line that does not fit begins the next page.
struct Pages {
    done: Vec<Content>,
    now: Content,
    y: f32,
}

impl Pages {
    fn new() -> Self {
        Self { done: Vec::new(), now: Content::new(), y: PAGE.1 - MARGIN }
    }

    fn room(&mut self, height: f32) {
        if self.y - height < MARGIN + 20.0 {
            self.done.push(std::mem::replace(&mut self.now, Content::new()));
            self.y = PAGE.1 - MARGIN;
        }
    }

    fn text(&mut self, font: Name, size: f32, x: f32, y: f32, text: &str) {
        self.now.begin_text().set_font(font, size).next_line(x, y);
        self.now.show(Str(&encoded(text))).end_text();
    }

    fn line(&mut self, font: Name, size: f32, text: &str) {
        self.room(size * 1.4);
        self.y -= size * 1.4;
        self.text(font, size, MARGIN, self.y, text);
    }

    fn heading(&mut self, text: &str) {
        self.room(40.0);
        self.y -= 6.0;
        self.line(BOLD, 11.0, text);
    }

    fn paragraph(&mut self, text: &str) {
        wrapped(text, LINE_LETTERS).iter().for_each(|line| self.line(PLAIN, BODY, line));
    }

    /// One row of a table with its columns at these places.
    fn row(&mut self, font: Name, cells: &[(f32, String)]) {
        self.room(BODY * 1.4);
        self.y -= BODY * 1.4;
        for (x, cell) in cells {
            self.text(font, BODY, MARGIN + x, self.y, cell);
        }
    }
}

/// Where the columns of the tables begin.
const COLUMNS: [f32; 7] = [0.0, 70.0, 130.0, 205.0, 280.0, 375.0, 450.0];

fn cells<const N: usize>(texts: [String; N]) -> Vec<(f32, String)> {
    COLUMNS.into_iter().zip(texts).collect()
}

fn figures(name: String, sums: &Sums) -> Vec<(f32, String)> {
    let or_dash = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.1}"));
    cells([
        name,
        sums.lesions.to_string(),
        sums.components.to_string(),
        format!("{:.1}", sums.agatston),
        format!("{:.1}", sums.volume_mm3),
        or_dash(sums.volume_isotropic_mm3),
        or_dash(sums.mass_mg),
    ])
}

impl Report {
    /// The report as a PDF file. `identification` is printed as it is given: the caller decides what may be
    /// shown. With the volume there are key images of the lesions with the highest scores.
    pub fn pdf(&self, identification: &[String], volume: Option<&Volume>) -> Vec<u8> {
        let mut pages = Pages::new();
        pages.line(BOLD, 16.0, "Coronary calcium");
        pages.line(BOLD, BODY, self.research_use);
        if let Some(stamp) = &self.stamp {
            pages.line(BOLD, 11.0, stamp);
        }
        if identification.is_empty() {
            pages.paragraph("Identification is not shown.");
        }
        identification.iter().for_each(|line| pages.paragraph(line));
        self.write_result(&mut pages);
        self.write_tables(&mut pages);
        self.write_provenance(&mut pages);
        let pictures = volume.map(|v| self.write_pictures(&mut pages, v)).unwrap_or_default();
        self.assemble(pages, &pictures)
    }

    fn write_result(&self, pages: &mut Pages) {
        pages.heading("Result");
        let total = &self.total;
        pages.line(
            BOLD,
            12.0,
            &format!(
                "Agatston score {} ({:.2}), CAC-DRS {}",
                self.agatston_rounded, total.agatston, self.category
            ),
        );
        let mut text = format!("Classic class: {}.", self.classic.name());
        if let Some(n) = self.vessels_with_calcium {
            text += &format!(" Vessels with calcium (LM, LAD, LCX, RCA): {n}.");
        }
        if let Some(risk) = self.mesa_10_year_risk_percent {
            text +=
                &format!(" Ten-year risk of coronary heart disease (MESA 2015, ages 45 to 85): {risk:.1} %.");
        }
        pages.paragraph(&text);
        if let Some(rank) = &self.percentile {
            let at = match (rank.at_or_above, rank.below) {
                (Some(low), Some(high)) => format!("at or above percentile {low}, below {high}"),
                (Some(low), None) => format!("at or above percentile {low}"),
                (None, Some(high)) => format!("below percentile {high}"),
                (None, None) => "nowhere".to_owned(),
            };
            pages.paragraph(&format!("Among others the score is {at} ({}).", rank.source));
        }
        if let Some(s) = &self.sensitivity {
            pages.paragraph(&format!(
                "Over the accepted conventions the score is {:.1} to {:.1}{}.",
                s.agatston_min,
                s.agatston_max,
                if s.class_flips { ": THE RISK CLASS DEPENDS ON THE CONVENTION" } else { "" }
            ));
        }
    }

    fn write_tables(&self, pages: &mut Pages) {
        let head = |first: &str| {
            let names = ["lesions", "components", "Agatston", "volume mm³", "isotropic mm³", "mass mg"];
            let names = std::iter::once(first).chain(names).map(str::to_owned);
            COLUMNS.into_iter().zip(names).collect::<Vec<_>>()
        };
        pages.heading("By vessel");
        pages.row(BOLD, &head("vessel"));
        for row in &self.vessels {
            pages.row(PLAIN, &figures(row.vessel.name().to_owned(), &row.sums));
        }
        pages.row(BOLD, &figures("total".to_owned(), &self.total));
        pages.heading("By lesion");
        pages.row(BOLD, &head("lesion"));
        // A scan without an assignment has hundreds of lesions of bone; JSON and CSV hold them all.
        const MOST: usize = 60;
        // What the reader assigned comes first: it is what the score is made of.
        let (own, others): (Vec<_>, Vec<_>) = self.lesions.iter().partition(|l| l.vessel.is_some());
        for lesion in own.into_iter().chain(others).take(MOST) {
            let vessel = lesion.vessel.map_or("not assigned", |v| v.name());
            pages.row(PLAIN, &figures(format!("{} {vessel}", lesion.id), &lesion.sums));
        }
        if self.lesions.len() > MOST {
            pages.paragraph(&format!("{} more are in the JSON and CSV files.", self.lesions.len() - MOST));
        }
    }

    fn write_provenance(&self, pages: &mut Pages) {
        pages.heading("Settings");
        let lines = self.settings.lines().into_iter().map(|(name, value)| format!("{name}: {value}"));
        pages.paragraph(&(lines.collect::<Vec<_>>().join("; ") + "."));
        pages.paragraph(&format!("Settings sha256 {}", self.settings_sha256));
        pages.paragraph(self.method);
        let i = &self.input;
        pages.paragraph(&format!(
            "{} of {} x {} x {} voxels, {:.4} x {:.4} x {:.4} mm, increment {:.4} mm{}{}.",
            i.modality,
            i.dims[0],
            i.dims[1],
            i.dims[2],
            i.spacing_mm[0],
            i.spacing_mm[1],
            i.spacing_mm[2],
            i.increment_mm,
            i.slice_thickness_mm.map_or(String::new(), |t| format!(", thickness {t} mm")),
            i.kvp.map_or(String::new(), |k| format!(", {k} kV")),
        ));
        if let Some(hash) = &i.voxels_sha256 {
            pages.paragraph(&format!("Voxels sha256 {hash}"));
        }
        pages.paragraph(&format!(
            "{} {}, computed on {} in {:.0} ms.",
            self.software.name, self.software.version, self.backend, self.timings_ms.total
        ));
        pages.heading("Warnings");
        if self.warnings.is_empty() {
            pages.paragraph("None.");
        }
        self.warnings.iter().for_each(|warning| pages.paragraph(&format!("- {warning}")));
    }

    /// For each of the highest lesions the slice in which it scores most.
    fn key_components(&self) -> Vec<&ScoredComponent> {
        let mut lesions: Vec<_> = self.lesions.iter().collect();
        let any = lesions.iter().any(|l| l.vessel.is_some());
        lesions.retain(|l| !any || l.vessel.is_some());
        lesions.sort_by(|a, b| b.sums.agatston.total_cmp(&a.sums.agatston));
        let component = |id: u32| {
            let of = self.components.iter().filter(|c| c.lesion == id);
            of.max_by(|a, b| a.agatston.total_cmp(&b.agatston))
        };
        lesions.iter().take(KEY_IMAGES).filter_map(|l| component(l.id)).collect()
    }

    fn write_pictures(&self, pages: &mut Pages, volume: &Volume) -> Vec<Picture> {
        const SIDE: f32 = 240.0;
        let keys = self.key_components();
        if keys.is_empty() {
            return Vec::new();
        }
        pages.heading("Key images");
        let mut pictures = Vec::new();
        for (i, c) in keys.into_iter().enumerate() {
            let (picture, [x0, y0]) = crop(volume, c);
            if i % 2 == 0 {
                pages.room(SIDE + 20.0);
                pages.y -= SIDE + 16.0;
            }
            let x = MARGIN + (i % 2) as f32 * (SIDE + 16.0);
            // Pixels need not be square.
            let [dx, dy, _] = self.input.spacing_mm.map(|mm| mm as f32);
            let side_mm = (picture.columns as f32 * dx).max(picture.rows as f32 * dy);
            let (px, py) = (SIDE * dx / side_mm, SIDE * dy / side_mm);
            let (w, h) = (picture.columns as f32 * px, picture.rows as f32 * py);
            let y = pages.y + 12.0;
            let name = format!("Im{i}");
            pages.now.save_state().transform([w, 0.0, 0.0, h, x, y]);
            pages.now.x_object(Name(name.as_bytes())).restore_state();
            let [left, top, right, bottom] = c.bounds.map(|v| v as f32);
            // A point outside of the component, so that the frame hides none of it.
            let fx = x + (left - x0 as f32) * px - 1.0;
            let fy = y + h - (bottom - y0 as f32) * py - 1.0;
            pages.now.save_state().rect(x, y, w, h).clip_nonzero().end_path();
            pages.now.set_stroke_rgb(1.0, 0.75, 0.0).set_line_width(1.0);
            pages.now.rect(fx, fy, (right - left) * px + 2.0, (bottom - top) * py + 2.0);
            pages.now.stroke().restore_state();
            let vessel = c.vessel.map_or("not assigned", |v| v.name());
            let caption =
                format!("Lesion {} ({vessel}), slice {}, peak {:.0} HU", c.lesion, c.slice + 1, c.peak_hu);
            pages.text(PLAIN, BODY, x, pages.y, &caption);
            pictures.push(picture);
        }
        pictures
    }

    fn assemble(&self, mut pages: Pages, pictures: &[Picture]) -> Vec<u8> {
        pages.done.push(pages.now);
        let count = pages.done.len();
        let mut next = 0;
        let mut id = || {
            next += 1;
            Ref::new(next)
        };
        let (catalog, tree, info, plain, bold) = (id(), id(), id(), id(), id());
        let page_ids: Vec<(Ref, Ref)> = (0..count).map(|_| (id(), id())).collect();
        let picture_ids: Vec<Ref> = pictures.iter().map(|_| id()).collect();
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
        let mut about = pdf.document_info(info);
        about.title(TextStr("Coronary calcium"));
        about.producer(TextStr(&format!("{} {}", self.software.name, self.software.version)));
        about.finish();
        pdf.pages(tree).kids(page_ids.iter().map(|p| p.0)).count(count as i32);
        for (font, base) in [(plain, Name(b"Helvetica")), (bold, Name(b"Helvetica-Bold"))] {
            pdf.type1_font(font).base_font(base).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        for (number, (mut content, (page_id, content_id))) in pages.done.into_iter().zip(page_ids).enumerate()
        {
            // On every page: a page may be printed alone.
            let stamp = self.stamp.as_deref().unwrap_or("");
            let footer = format!("{} {stamp} Page {} of {count}", self.research_use, number + 1);
            content.begin_text().set_font(PLAIN, 8.0).next_line(MARGIN, 30.0);
            content.show(Str(&encoded(&footer))).end_text();
            let mut page = pdf.page(page_id);
            page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(content_id);
            let mut resources = page.resources();
            resources.fonts().pair(PLAIN, plain).pair(BOLD, bold);
            let mut objects = resources.x_objects();
            for (i, picture) in picture_ids.iter().enumerate() {
                objects.pair(Name(format!("Im{i}").as_bytes()), *picture);
            }
            objects.finish();
            resources.finish();
            page.finish();
            pdf.stream(content_id, &content.finish());
        }
        for (picture, id) in pictures.iter().zip(picture_ids) {
            let bytes = miniz_oxide::deflate::compress_to_vec_zlib(&picture.grey, 6);
            let mut image = pdf.image_xobject(id, &bytes);
            image.filter(Filter::FlateDecode);
            image.width(picture.columns as i32).height(picture.rows as i32);
            image.color_space().device_gray();
            image.bits_per_component(8);
        }
        pdf.finish()
    }
}

/// The surroundings of a component as grey levels, and the first column and row of the cut.
fn crop(volume: &Volume, c: &ScoredComponent) -> (Picture, [u32; 2]) {
    let dims = volume.grid.dims();
    let size = [dims[0].min(CROP), dims[1].min(CROP)];
    let start = [0, 1].map(|i| {
        let first = (c.centroid[i] - f64::from(size[i]) / 2.0).max(0.0) as u32;
        first.min(dims[i] - size[i])
    });
    let (low, high) = WINDOW_HU;
    let grey = (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| [x, y])).map(|[x, y]| {
        let hu = volume.value([start[0] + x, start[1] + y, c.slice], 0).unwrap_or(low);
        (255.0 * ((hu - low) / (high - low)).clamp(0.0, 1.0)) as u8
    });
    (Picture { columns: size[0], rows: size[1], grey: grey.collect() }, start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_letters_encoded() {
        let lines = wrapped("one two three four", 9);
        assert_eq!(lines, ["one two", "three", "four"]);
        assert_eq!(wrapped("", 9), [""]);
        assert_eq!(encoded("5 mm³ ≥ é 東"), b"5 mm\xb3 >= \xe9 ?");
    }
}
