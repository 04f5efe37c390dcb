//! The report as PDF: text that can be selected and searched, tables, and key images with their lesions framed.
//!
//! What is where on the page; how a page is made is the business of the crate `pdf`.

use imaging::Volume;
use pdf::{BODY, Font, MARGIN, Pages, Picture, Samples};

use crate::report::Report;
use crate::score::{ScoredComponent, Sums};

/// Pixels of a key image along each side, where the slice has them.
const CROP: u32 = 192;
/// Lesions with an image of their own.
const KEY_IMAGES: usize = 4;
/// Grey from -100 to 700 HU: fat to dense calcium.
const WINDOW_HU: (f64, f64) = (-100.0, 700.0);

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
        let mut pages = Pages::default();
        pages.line(Font::Bold, 16.0, "Coronary calcium");
        pages.line(Font::Bold, BODY, self.research_use);
        if let Some(stamp) = &self.stamp {
            pages.line(Font::Bold, 11.0, stamp);
        }
        if identification.is_empty() {
            pages.paragraph(Font::Plain, "Identification is not shown.");
        }
        identification.iter().for_each(|line| pages.paragraph(Font::Plain, line));
        self.write_result(&mut pages);
        self.write_tables(&mut pages);
        self.write_provenance(&mut pages);
        if let Some(volume) = volume {
            self.write_pictures(&mut pages, volume);
        }
        let footer = format!("{} {}", self.research_use, self.stamp.as_deref().unwrap_or(""));
        pages.finish(
            "Coronary calcium",
            &format!("{} {}", self.software.name, self.software.version),
            &footer,
        )
    }

    fn write_result(&self, pages: &mut Pages) {
        pages.heading("Result");
        let total = &self.total;
        pages.line(
            Font::Bold,
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
        pages.paragraph(Font::Plain, &text);
        if let Some(rank) = &self.percentile {
            let at = match (rank.at_or_above, rank.below) {
                (Some(low), Some(high)) => format!("at or above percentile {low}, below {high}"),
                (Some(low), None) => format!("at or above percentile {low}"),
                (None, Some(high)) => format!("below percentile {high}"),
                (None, None) => "nowhere".to_owned(),
            };
            pages.paragraph(Font::Plain, &format!("Among others the score is {at} ({}).", rank.source));
        }
        if let Some(s) = &self.sensitivity {
            pages.paragraph(
                Font::Plain,
                &format!(
                    "Over the accepted conventions the score is {:.1} to {:.1}{}.",
                    s.agatston_min,
                    s.agatston_max,
                    if s.class_flips { ": THE RISK CLASS DEPENDS ON THE CONVENTION" } else { "" }
                ),
            );
        }
    }

    fn write_tables(&self, pages: &mut Pages) {
        let head = |first: &str| {
            let names = ["lesions", "components", "Agatston", "volume mm³", "isotropic mm³", "mass mg"];
            let names = std::iter::once(first).chain(names).map(str::to_owned);
            COLUMNS.into_iter().zip(names).collect::<Vec<_>>()
        };
        pages.heading("By vessel");
        pages.row(Font::Bold, &head("vessel"));
        for row in &self.vessels {
            pages.row(Font::Plain, &figures(row.vessel.name().to_owned(), &row.sums));
        }
        pages.row(Font::Bold, &figures("total".to_owned(), &self.total));
        pages.heading("By lesion");
        pages.row(Font::Bold, &head("lesion"));
        // A scan without an assignment has hundreds of lesions of bone; JSON and CSV hold them all.
        const MOST: usize = 60;
        // What the reader assigned comes first: it is what the score is made of.
        let (own, others): (Vec<_>, Vec<_>) = self.lesions.iter().partition(|l| l.vessel.is_some());
        for lesion in own.into_iter().chain(others).take(MOST) {
            let vessel = lesion.vessel.map_or("not assigned", |v| v.name());
            pages.row(Font::Plain, &figures(format!("{} {vessel}", lesion.id), &lesion.sums));
        }
        if self.lesions.len() > MOST {
            pages.paragraph(
                Font::Plain,
                &format!("{} more are in the JSON and CSV files.", self.lesions.len() - MOST),
            );
        }
    }

    fn write_provenance(&self, pages: &mut Pages) {
        pages.heading("Settings");
        let lines = self.settings.lines().into_iter().map(|(name, value)| format!("{name}: {value}"));
        pages.paragraph(Font::Plain, &(lines.collect::<Vec<_>>().join("; ") + "."));
        pages.paragraph(Font::Plain, &format!("Settings sha256 {}", self.settings_sha256));
        pages.paragraph(Font::Plain, self.method);
        let i = &self.input;
        pages.paragraph(
            Font::Plain,
            &format!(
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
            ),
        );
        if let Some(hash) = &i.voxels_sha256 {
            pages.paragraph(Font::Plain, &format!("Voxels sha256 {hash}"));
        }
        pages.paragraph(
            Font::Plain,
            &format!(
                "{} {}, computed on {} in {:.0} ms.",
                self.software.name, self.software.version, self.backend, self.timings_ms.total
            ),
        );
        pages.heading("Warnings");
        if self.warnings.is_empty() {
            pages.paragraph(Font::Plain, "None.");
        }
        self.warnings.iter().for_each(|warning| pages.paragraph(Font::Plain, &format!("- {warning}")));
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

    fn write_pictures(&self, pages: &mut Pages, volume: &Volume) {
        const SIDE: f32 = 240.0;
        let keys = self.key_components();
        if keys.is_empty() {
            return;
        }
        pages.heading("Key images");
        let mut foot = 0.0;
        for (i, c) in keys.into_iter().enumerate() {
            let (picture, [x0, y0]) = crop(volume, c);
            if i % 2 == 0 {
                foot = pages.leave(SIDE + 20.0);
            }
            let x = MARGIN + (i % 2) as f32 * (SIDE + 16.0);
            // Pixels need not be square.
            let [dx, dy, _] = self.input.spacing_mm.map(|mm| mm as f32);
            let side_mm = (picture.columns as f32 * dx).max(picture.rows as f32 * dy);
            let (px, py) = (SIDE * dx / side_mm, SIDE * dy / side_mm);
            let (w, h) = (picture.columns as f32 * px, picture.rows as f32 * py);
            let y = foot + 16.0;
            let picture = pages.add(picture);
            pages.place(picture, [x, y], [w, h]);
            let [left, top, right, bottom] = c.bounds.map(|v| v as f32);
            // A point outside of the component, so that the frame hides none of it.
            let fx = x + (left - x0 as f32) * px - 1.0;
            let fy = y + h - (bottom - y0 as f32) * py - 1.0;
            let frame = pages.drawing();
            frame.save_state().rect(x, y, w, h).clip_nonzero().end_path();
            frame.set_stroke_rgb(1.0, 0.75, 0.0).set_line_width(1.0);
            frame.rect(fx, fy, (right - left) * px + 2.0, (bottom - top) * py + 2.0);
            frame.stroke().restore_state();
            let vessel = c.vessel.map_or("not assigned", |v| v.name());
            let caption =
                format!("Lesion {} ({vessel}), slice {}, peak {:.0} HU", c.lesion, c.slice + 1, c.peak_hu);
            pages.text(Font::Plain, BODY, [x, foot + 4.0], &caption);
        }
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
    (Picture { columns: size[0], rows: size[1], samples: Samples::Grey(grey.collect()) }, start)
}
