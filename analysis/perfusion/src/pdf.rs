//! The summary page as PDF: maps of one slice with their colour bars, curves, volumes, checks and settings.
//!
//! What is where on the page; how a page is made is the business of the crate `pdf`. Failed checks come first.

use contract::perfusion::View;
use imaging::Volume;
use pdf::{BODY, Font, MARGIN, PAGE, Pages, Picture, Samples};
use scene::Colormap;

use crate::maps::{Map, Maps};
use crate::report::Report;

/// The colours and the range in which a map is painted: as the reader had them on the screen, else the usual ones.
#[derive(Clone, Copy)]
struct Look {
    colours: Colormap,
    range: [f32; 2],
}

impl Look {
    fn of(view: &View, map: Map) -> Self {
        let usual = contract::perfusion::Map::parse(map.name()).and_then(|map| view.range(map));
        let colours = Colormap::parse(view.colours.name()).unwrap_or(Colormap::Viridis);
        Self { colours, range: usual.unwrap_or([0.0, 1.0]).map(|end| end as f32) }
    }

    /// Of a share of the range, 0 to 1.
    fn level(self, share: f32) -> [u8; 3] {
        self.colours.colour((share.clamp(0.0, 1.0) * 255.0).round() as u8)
    }

    fn colour(self, value: f32) -> [u8; 3] {
        let [low, high] = self.range;
        self.level((value - low) / (high - low))
    }
}

/// An end of a range, with at most two digits behind the point.
fn end(value: f32) -> String {
    ((f64::from(value) * 100.0).round() / 100.0).to_string()
}

impl Report {
    /// The report as a PDF file. `identification` is printed as it is given: the caller decides what may be shown.
    /// With maps there are pictures of the slice that holds most of the mask.
    pub fn pdf(&self, identification: &[String], maps: Option<(&Maps, &Volume)>) -> Vec<u8> {
        let mut pages = Pages::default();
        pages.line(Font::Bold, 16.0, "Perfusion");
        pages.line(Font::Bold, BODY, self.research_use);
        if identification.is_empty() {
            pages.paragraph(Font::Plain, "Identification is not shown.");
        }
        identification.iter().for_each(|line| pages.paragraph(Font::Plain, line));
        let failed: Vec<_> = self.quality.iter().filter(|c| !c.passed).collect();
        for check in &failed {
            pages.paragraph(Font::Bold, &format!("QUALITY CHECK FAILED: {}", check.text()));
        }
        if let Some((maps, volume)) = maps {
            self.pictures(&mut pages, maps, volume);
        }
        self.curves(&mut pages);
        self.volumes(&mut pages);
        pages.heading("Quality");
        for check in &self.quality {
            let mark = if check.passed { "passed" } else { "FAILED" };
            pages.paragraph(
                if check.passed { Font::Plain } else { Font::Bold },
                &format!("{mark}: {}", check.text()),
            );
        }
        pages.heading("Settings");
        pages.paragraph(Font::Plain, &self.method);
        let s = &self.settings;
        pages.paragraph(
            Font::Plain,
            &format!(
                "Time: {}. Baseline: {} samples. Mask: {}. Smoothed by {} mm. Truncation {}. kH {:.4}, density {} g/ml. Artery times {:.3}. TTP counts from {:.2} s.",
                s.time_rule, s.baseline_samples, s.mask_rule, s.smoothed_mm, s.truncation, s.kh, s.density_g_per_ml, s.aif_scale, s.ttp_origin_s
            ),
        );
        let session = serde_json::to_string(&self.session).unwrap_or_default();
        // Broken after commas, as text is broken between words.
        pages.paragraph(Font::Plain, &session.replace(',', ", "));
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
        self.warnings.iter().for_each(|w| pages.paragraph(Font::Plain, &format!("- {w}")));
        let stamp = match failed.len() {
            0 => String::new(),
            failed => format!(" {failed} QUALITY CHECKS FAILED."),
        };
        let producer = format!("{} {}", self.software.name, self.software.version);
        pages.finish("Perfusion", &producer, &format!("{}{stamp}", self.research_use))
    }

    fn pictures(&self, pages: &mut Pages, maps: &Maps, volume: &Volume) {
        const WIDE: f32 = 158.0;
        let [columns, rows, slices] = volume.grid.dims().map(|n| n as usize);
        let slice_of = |v: &u32| *v as usize / (columns * rows);
        let count = |z: &usize| maps.voxels.iter().filter(|v| slice_of(v) == *z).count();
        let Some(slice) = (0..slices).max_by_key(count) else { return };
        pages.heading(&format!("Maps, slice {} of {slices}", slice + 1));
        let [dx, dy, _] = self.spacing_mm.map(|mm| mm as f32);
        let (w, h) = {
            let (a, b) = (columns as f32 * dx, rows as f32 * dy);
            (WIDE * a / a.max(b), WIDE * b / a.max(b))
        };
        let usual = View::default();
        let view = self.view.as_ref().unwrap_or(&usual);
        let bar_look = Look::of(view, Map::Cbf);
        let scale = (0..64).flat_map(|i| bar_look.level(i as f32 / 63.0)).collect();
        let bar = pages.add(Picture { columns: 64, rows: 1, samples: Samples::Rgb(scale) });
        let mut foot = 0.0;
        for (i, map) in Map::ALL.into_iter().enumerate() {
            if i % 3 == 0 {
                foot = pages.leave(h + 34.0);
            }
            let look = Look::of(view, map);
            let mut rgb = vec![0u8; columns * rows * 3];
            for (v, value) in maps.voxels.iter().zip(maps.get(map)).filter(|(v, _)| slice_of(v) == slice) {
                let at = *v as usize % (columns * rows) * 3;
                rgb[at..at + 3].copy_from_slice(&look.colour(*value));
            }
            let x = MARGIN + (i % 3) as f32 * (WIDE + 10.0);
            let picture = Picture { columns: columns as u32, rows: rows as u32, samples: Samples::Rgb(rgb) };
            let picture = pages.add(picture);
            pages.place(picture, [x, foot + 24.0], [w, h]);
            pages.place(bar, [x, foot + 14.0], [w * 0.5, 5.0]);
            let [low, high] = look.range.map(end);
            let caption = format!("{} {low} to {high} {}", map.name().to_uppercase(), map.unit());
            pages.text(Font::Plain, BODY, [x, foot + 3.0], &caption);
        }
    }

    fn curves(&self, pages: &mut Pages) {
        const HIGH: f32 = 110.0;
        pages.heading("Artery (solid), its gamma variate (thin), vein (grey)");
        let foot = pages.leave(HIGH + 24.0);
        let (x0, y0, wide) = (MARGIN + 30.0, foot + 20.0, PAGE.0 - 2.0 * MARGIN - 40.0);
        let times = &self.aif.times_s;
        let last = times.last().copied().unwrap_or(1.0).max(1e-9);
        let top = self.vof.as_ref().map_or(0.0, |v| v.vessel.peak).max(self.aif.vessel.peak).max(1e-9);
        let drawing = pages.drawing();
        let mut curve = |values: &[f64], width: f32, grey: f32| {
            drawing.save_state().set_stroke_gray(grey).set_line_width(width);
            for (i, (t, v)) in times.iter().zip(values).enumerate() {
                let at = (x0 + wide * (t / last) as f32, y0 + HIGH * (v / top).clamp(-0.1, 1.05) as f32);
                if i == 0 {
                    drawing.move_to(at.0, at.1)
                } else {
                    drawing.line_to(at.0, at.1)
                };
            }
            drawing.stroke().restore_state();
        };
        if let Some(vof) = &self.vof {
            curve(&vof.vessel.values, 1.2, 0.6);
        }
        if let Some(fit) = &self.aif.gamma_values {
            curve(fit, 0.5, 0.0);
        }
        curve(&self.aif.vessel.values, 1.2, 0.0);
        drawing.save_state().set_line_width(0.5);
        drawing.move_to(x0, y0 + HIGH).line_to(x0, y0).line_to(x0 + wide, y0).stroke().restore_state();
        pages.text(Font::Plain, 7.0, [MARGIN, y0 + HIGH - 6.0], &format!("{top:.3}"));
        pages.text(Font::Plain, 7.0, [x0 + wide - 30.0, y0 - 9.0], &format!("{last:.1} s"));
        pages.paragraph(Font::Plain, &format!("Artery: {}.", self.aif.vessel.source));
        if let Some(vof) = &self.vof {
            pages.paragraph(Font::Plain, &format!("Vein: {}.", vof.vessel.source));
        }
    }

    fn volumes(&self, pages: &mut Pages) {
        let v = &self.volumes_ml;
        pages.heading("Volumes");
        pages.paragraph(Font::Bold, v.note);
        let tmax: Vec<String> = v.tmax.iter().map(|t| format!("{} s: {:.1} ml", t.over_s, t.ml)).collect();
        pages.paragraph(Font::Plain, &format!("Tmax above {}.", tmax.join(", ")));
        let rcbf: Vec<String> =
            v.rcbf.iter().map(|r| format!("{:.0} %: {:.1} ml", 100.0 * r.below, r.ml)).collect();
        pages.paragraph(Font::Plain, &format!("CBF below {}.", rcbf.join(", ")));
        let or_none = |r: Option<f64>| r.map_or("none".to_owned(), |r| format!("{r:.2}"));
        pages.paragraph(
            Font::Plain,
            &format!(
                "Core {:.1} ml, hypoperfused {:.1} ml, mismatch {:.1} ml, ratio {}, hypoperfusion intensity ratio {}. Reference: {:.1} ml/100 g/min, {}.",
                v.core, v.hypoperfused, v.mismatch, or_none(v.mismatch_ratio),
                or_none(v.hypoperfusion_intensity_ratio), v.reference_cbf, v.reference
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::perfusion::Colours;

    #[test]
    fn pictures_have_the_readers_range_and_colours_else_the_usual_ones() {
        let usual = Look::of(&View::default(), Map::Cbf);
        assert_eq!((usual.colours, usual.range), (Colormap::Viridis, [0.0, 100.0]));
        assert_eq!(usual.colour(50.0), Colormap::Viridis.colour(128));
        let mut view = View { colours: Colours::Asist, ..View::default() };
        view.ranges.cbf_ml_per_100g_min = Some([20.0, 62.5]);
        let own = Look::of(&view, Map::Cbf);
        assert_eq!((own.colour(62.5), own.colour(20.0)), ([255, 0, 0], [0, 0, 0]));
        assert_eq!(own.range.map(end), ["20", "62.5"]);
        assert_eq!(Look::of(&view, Map::Tmax).range, [0.0, 10.0]);
    }
}
