//! The summary page as PDF: maps of one slice with their colour bars, curves, volumes, checks and settings.
//!
//! Set with the base fonts every reader has, so nothing is embedded and the file stays small; what Latin-1 does
//! not hold is written in other words or as a question mark. Failed checks come first.

use imaging::Volume;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::maps::{Map, Maps};
use crate::report::Report;

const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 48.0;
const BODY: f32 = 9.0;
const PLAIN: Name = Name(b"F1");
const BOLD: Name = Name(b"F2");
/// Letters that fit on a line of body text: Helvetica is half as wide as high on average.
const LETTERS: usize = 104;
/// Ranges of the maps, as the page has them: ml/100 g/min, ml/100 g, s, s, s.
const RANGES: [(f32, f32); 5] = [(0.0, 100.0), (0.0, 10.0), (0.0, 10.0), (0.0, 10.0), (0.0, 10.0)];
/// Viridis (van der Walt and Smith 2015) at nine even places.
const VIRIDIS: [[f32; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

fn colour(share: f32) -> [u8; 3] {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
    let low = (at as usize).min(VIRIDIS.len() - 2);
    let t = at - low as f32;
    std::array::from_fn(|i| (VIRIDIS[low][i] + (VIRIDIS[low + 1][i] - VIRIDIS[low][i]) * t).round() as u8)
}

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

struct Pages {
    done: Vec<Content>,
    now: Content,
    y: f32,
}

impl Pages {
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

    fn paragraph(&mut self, font: Name, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LETTERS {
                self.line(font, BODY, &std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(font, BODY, &line);
    }
}

struct Picture {
    columns: u32,
    rows: u32,
    rgb: Vec<u8>,
}

impl Report {
    /// The report as a PDF file. `identification` is printed as it is given: the caller decides what may be shown.
    /// With maps there are pictures of the slice that holds most of the mask.
    pub fn pdf(&self, identification: &[String], maps: Option<(&Maps, &Volume)>) -> Vec<u8> {
        let mut pages = Pages { done: Vec::new(), now: Content::new(), y: PAGE.1 - MARGIN };
        pages.line(BOLD, 16.0, "Perfusion");
        pages.line(BOLD, BODY, self.research_use);
        if identification.is_empty() {
            pages.paragraph(PLAIN, "Identification is not shown.");
        }
        identification.iter().for_each(|line| pages.paragraph(PLAIN, line));
        let failed: Vec<_> = self.quality.iter().filter(|c| !c.passed).collect();
        for check in &failed {
            pages.paragraph(BOLD, &format!("QUALITY CHECK FAILED: {}", check.text()));
        }
        let pictures = maps.map(|(maps, volume)| self.pictures(&mut pages, maps, volume)).unwrap_or_default();
        self.curves(&mut pages);
        self.volumes(&mut pages);
        pages.heading("Quality");
        for check in &self.quality {
            let mark = if check.passed { "passed" } else { "FAILED" };
            pages.paragraph(if check.passed { PLAIN } else { BOLD }, &format!("{mark}: {}", check.text()));
        }
        pages.heading("Settings");
        pages.paragraph(PLAIN, &self.method);
        let s = &self.settings;
        pages.paragraph(
            PLAIN,
            &format!(
                "Time: {}. Baseline: {} samples. Mask: {}. Truncation {}. kH {:.4}, density {} g/ml. Artery times {:.3}. TTP counts from {:.2} s.",
                s.time_rule, s.baseline_samples, s.mask_rule, s.truncation, s.kh, s.density_g_per_ml, s.aif_scale, s.ttp_origin_s
            ),
        );
        let session = serde_json::to_string(&self.session).unwrap_or_default();
        // Broken after commas, as text is broken between words.
        pages.paragraph(PLAIN, &session.replace(',', ", "));
        pages.paragraph(
            PLAIN,
            &format!(
                "{} {}, computed on {} in {:.0} ms.",
                self.software.name, self.software.version, self.backend, self.timings_ms.total
            ),
        );
        pages.heading("Warnings");
        if self.warnings.is_empty() {
            pages.paragraph(PLAIN, "None.");
        }
        self.warnings.iter().for_each(|w| pages.paragraph(PLAIN, &format!("- {w}")));
        self.assemble(pages, &pictures, failed.len())
    }

    fn pictures(&self, pages: &mut Pages, maps: &Maps, volume: &Volume) -> Vec<Picture> {
        const WIDE: f32 = 158.0;
        let [columns, rows, slices] = volume.grid.dims().map(|n| n as usize);
        let slice_of = |v: &u32| *v as usize / (columns * rows);
        let count = |z: &usize| maps.voxels.iter().filter(|v| slice_of(v) == *z).count();
        let Some(slice) = (0..slices).max_by_key(count) else { return Vec::new() };
        pages.heading(&format!("Maps, slice {} of {slices}", slice + 1));
        let [dx, dy, _] = self.spacing_mm.map(|mm| mm as f32);
        let (w, h) = {
            let (a, b) = (columns as f32 * dx, rows as f32 * dy);
            (WIDE * a / a.max(b), WIDE * b / a.max(b))
        };
        let mut pictures = Vec::new();
        for (i, map) in Map::ALL.into_iter().enumerate() {
            if i % 3 == 0 {
                pages.room(h + 34.0);
                pages.y -= h + 34.0;
            }
            let (low, high) = RANGES[i];
            let mut rgb = vec![0u8; columns * rows * 3];
            for (v, value) in maps.voxels.iter().zip(maps.get(map)).filter(|(v, _)| slice_of(v) == slice) {
                let at = *v as usize % (columns * rows) * 3;
                rgb[at..at + 3].copy_from_slice(&colour((value - low) / (high - low)));
            }
            let x = MARGIN + (i % 3) as f32 * (WIDE + 10.0);
            let y = pages.y + 24.0;
            for (name, [w, h, x, y]) in
                [(format!("Im{i}"), [w, h, x, y]), ("Bar".to_owned(), [w * 0.5, 5.0, x, pages.y + 14.0])]
            {
                pages.now.save_state().transform([w, 0.0, 0.0, h, x, y]);
                pages.now.x_object(Name(name.as_bytes())).restore_state();
            }
            let caption = format!("{} {low:.0} to {high:.0} {}", map.name().to_uppercase(), map.unit());
            pages.text(PLAIN, BODY, x, pages.y + 3.0, &caption);
            pictures.push(Picture { columns: columns as u32, rows: rows as u32, rgb });
        }
        pictures
    }

    fn curves(&self, pages: &mut Pages) {
        const HIGH: f32 = 110.0;
        pages.heading("Artery (solid), its gamma variate (thin), vein (grey)");
        pages.room(HIGH + 24.0);
        pages.y -= HIGH + 16.0;
        let (x0, y0, wide) = (MARGIN + 30.0, pages.y + 12.0, PAGE.0 - 2.0 * MARGIN - 40.0);
        let times = &self.aif.times_s;
        let last = times.last().copied().unwrap_or(1.0).max(1e-9);
        let top = self.vof.as_ref().map_or(0.0, |v| v.vessel.peak).max(self.aif.vessel.peak).max(1e-9);
        let mut curve = |values: &[f64], width: f32, grey: f32| {
            pages.now.save_state().set_stroke_gray(grey).set_line_width(width);
            for (i, (t, v)) in times.iter().zip(values).enumerate() {
                let at = (x0 + wide * (t / last) as f32, y0 + HIGH * (v / top).clamp(-0.1, 1.05) as f32);
                if i == 0 {
                    pages.now.move_to(at.0, at.1)
                } else {
                    pages.now.line_to(at.0, at.1)
                };
            }
            pages.now.stroke().restore_state();
        };
        if let Some(vof) = &self.vof {
            curve(&vof.vessel.values, 1.2, 0.6);
        }
        if let Some(fit) = &self.aif.gamma_values {
            curve(fit, 0.5, 0.0);
        }
        curve(&self.aif.vessel.values, 1.2, 0.0);
        pages.now.save_state().set_line_width(0.5);
        pages.now.move_to(x0, y0 + HIGH).line_to(x0, y0).line_to(x0 + wide, y0).stroke().restore_state();
        pages.text(PLAIN, 7.0, MARGIN, y0 + HIGH - 6.0, &format!("{top:.3}"));
        pages.text(PLAIN, 7.0, x0 + wide - 30.0, y0 - 9.0, &format!("{last:.1} s"));
        pages.paragraph(PLAIN, &format!("Artery: {}.", self.aif.vessel.source));
        if let Some(vof) = &self.vof {
            pages.paragraph(PLAIN, &format!("Vein: {}.", vof.vessel.source));
        }
    }

    fn volumes(&self, pages: &mut Pages) {
        let v = &self.volumes_ml;
        pages.heading("Volumes");
        pages.paragraph(BOLD, v.note);
        let tmax: Vec<String> = v.tmax.iter().map(|t| format!("{} s: {:.1} ml", t.over_s, t.ml)).collect();
        pages.paragraph(PLAIN, &format!("Tmax above {}.", tmax.join(", ")));
        let rcbf: Vec<String> =
            v.rcbf.iter().map(|r| format!("{:.0} %: {:.1} ml", 100.0 * r.below, r.ml)).collect();
        pages.paragraph(PLAIN, &format!("CBF below {}.", rcbf.join(", ")));
        let or_none = |r: Option<f64>| r.map_or("none".to_owned(), |r| format!("{r:.2}"));
        pages.paragraph(
            PLAIN,
            &format!(
                "Core {:.1} ml, hypoperfused {:.1} ml, mismatch {:.1} ml, ratio {}, hypoperfusion intensity ratio {}. Reference: {:.1} ml/100 g/min, {}.",
                v.core, v.hypoperfused, v.mismatch, or_none(v.mismatch_ratio),
                or_none(v.hypoperfusion_intensity_ratio), v.reference_cbf, v.reference
            ),
        );
    }

    fn assemble(&self, mut pages: Pages, pictures: &[Picture], failed: usize) -> Vec<u8> {
        pages.done.push(pages.now);
        let count = pages.done.len();
        let mut next = 0;
        let mut id = || {
            next += 1;
            Ref::new(next)
        };
        let (catalog, tree, info, plain, bold, bar) = (id(), id(), id(), id(), id(), id());
        let page_ids: Vec<(Ref, Ref)> = (0..count).map(|_| (id(), id())).collect();
        let picture_ids: Vec<Ref> = pictures.iter().map(|_| id()).collect();
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
        let mut about = pdf.document_info(info);
        about.title(TextStr("Perfusion"));
        about.producer(TextStr(&format!("{} {}", self.software.name, self.software.version)));
        about.finish();
        pdf.pages(tree).kids(page_ids.iter().map(|p| p.0)).count(count as i32);
        for (font, base) in [(plain, Name(b"Helvetica")), (bold, Name(b"Helvetica-Bold"))] {
            pdf.type1_font(font).base_font(base).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        for (number, (mut content, (page_id, content_id))) in pages.done.into_iter().zip(page_ids).enumerate()
        {
            // On every page: a page may be printed alone.
            let stamp = if failed > 0 { format!(" {failed} QUALITY CHECKS FAILED.") } else { String::new() };
            let footer = format!("{}{stamp} Page {} of {count}", self.research_use, number + 1);
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
            if !pictures.is_empty() {
                objects.pair(Name(b"Bar"), bar);
            }
            objects.finish();
            resources.finish();
            page.finish();
            pdf.stream(content_id, &content.finish());
        }
        let scale: Vec<u8> = (0..64).flat_map(|i| colour(i as f32 / 63.0)).collect();
        let scale = Picture { columns: 64, rows: 1, rgb: scale };
        let all = pictures.iter().zip(picture_ids).chain((!pictures.is_empty()).then_some((&scale, bar)));
        for (picture, id) in all {
            let bytes = miniz_oxide::deflate::compress_to_vec_zlib(&picture.rgb, 6);
            let mut image = pdf.image_xobject(id, &bytes);
            image.filter(Filter::FlateDecode);
            image.width(picture.columns as i32).height(picture.rows as i32);
            image.color_space().device_rgb();
            image.bits_per_component(8);
        }
        pdf.finish()
    }
}
