//! Pixels of a screenshot, and what can be measured in them.
//!
//! Pictures are compared by number: how many levels the worst pixel is off and where, never a percentage that
//! could hide a fault.

use crate::{Error, Rect};

/// RGB, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Three bytes a pixel.
    pub rgb: Vec<[u8; 3]>,
}

/// The largest difference between two pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Levels, of the worst channel of the worst pixel.
    pub levels: u8,
    /// Where.
    pub at: (usize, usize),
    /// Pixels that differ at all.
    pub pixels: usize,
}

impl Picture {
    /// From a PNG with 8 bits a channel.
    pub fn from_png(bytes: &[u8]) -> Result<Self, Error> {
        let text = |e: png::DecodingError| Error::Png(e.to_string());
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().map_err(text)?;
        let size = reader.output_buffer_size().ok_or_else(|| Error::Png("too large".into()))?;
        let mut buffer = vec![0; size];
        let info = reader.next_frame(&mut buffer).map_err(text)?;
        let channels = match (info.color_type, info.bit_depth) {
            (png::ColorType::Rgb, png::BitDepth::Eight) => 3,
            (png::ColorType::Rgba, png::BitDepth::Eight) => 4,
            other => return Err(Error::Png(format!("{other:?} is not expected of a screenshot"))),
        };
        let rgb = buffer[..info.buffer_size()].chunks_exact(channels).map(|p| [p[0], p[1], p[2]]).collect();
        Ok(Self { width: info.width as usize, height: info.height as usize, rgb })
    }

    /// The part inside a rectangle, rounded inwards.
    pub fn crop(&self, rect: Rect) -> Self {
        let clamp = |v: f64, n: usize| (v.max(0.0) as usize).min(n);
        let (x0, y0) = (clamp(rect.x.ceil(), self.width), clamp(rect.y.ceil(), self.height));
        let x1 = clamp((rect.x + rect.width).floor(), self.width).max(x0);
        let y1 = clamp((rect.y + rect.height).floor(), self.height).max(y0);
        let rgb = (y0..y1)
            .flat_map(|y| self.rgb[y * self.width + x0..y * self.width + x1].iter().copied())
            .collect();
        Self { width: x1 - x0, height: y1 - y0, rgb }
    }

    /// Mean of the channels of a pixel; 0 outside.
    pub fn grey(&self, x: usize, y: usize) -> f64 {
        let pixel = if x < self.width { self.rgb.get(y * self.width + x) } else { None };
        pixel.map_or(0.0, |p| p.iter().map(|c| f64::from(*c)).sum::<f64>() / 3.0)
    }

    /// How the two differ; `None` if their sizes do.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        if (self.width, self.height) != (other.width, other.height) {
            return None;
        }
        let mut worst = Difference { levels: 0, at: (0, 0), pixels: 0 };
        for (i, (a, b)) in self.rgb.iter().zip(&other.rgb).enumerate() {
            let levels = (0..3).map(|c| a[c].abs_diff(b[c])).max().unwrap_or(0);
            worst.pixels += usize::from(levels > 0);
            if levels > worst.levels {
                (worst.levels, worst.at) = (levels, (i % self.width, i / self.width));
            }
        }
        Some(worst)
    }

    /// How many different greys there are: 1 or 2 for an empty panel.
    pub fn distinct(&self) -> usize {
        let mut seen = std::collections::HashSet::new();
        self.rgb.iter().for_each(|p| {
            seen.insert(*p);
        });
        seen.len()
    }

    /// Centroid of the pixels at least as bright as `threshold`, weighted by their brightness over it, in
    /// pixel coordinates whose whole numbers are the pixels' corners; `None` where there is none.
    pub fn bright_centroid(&self, inside: Rect, threshold: f64) -> Option<(f64, f64)> {
        let part = self.crop(inside);
        let (mut sum, mut sx, mut sy) = (0.0, 0.0, 0.0);
        for y in 0..part.height {
            for x in 0..part.width {
                let w = (part.grey(x, y) - threshold).max(0.0);
                sum += w;
                sx += w * (x as f64 + 0.5);
                sy += w * (y as f64 + 0.5);
            }
        }
        (sum > 0.0).then(|| (inside.x.max(0.0).ceil() + sx / sum, inside.y.max(0.0).ceil() + sy / sum))
    }

    /// First and last position along a row or column of greys where the level crosses `threshold`, by linear
    /// interpolation between pixel centres.
    pub fn crossings(greys: &[f64], threshold: f64) -> Option<(f64, f64)> {
        let cross = |i: usize| {
            let (a, b) = (greys[i], greys[i + 1]);
            i as f64 + 0.5 + (threshold - a) / (b - a)
        };
        let change = |i: &usize| (greys[*i] < threshold) != (greys[i + 1] < threshold);
        let pairs = 0..greys.len().saturating_sub(1);
        Some((cross(pairs.clone().find(change)?), cross(pairs.rev().find(change)?)))
    }

    /// PNG bytes.
    pub fn to_png(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let text = |e: png::EncodingError| Error::Png(e.to_string());
        encoder.write_header().and_then(|mut w| w.write_image_data(self.rgb.as_flattened())).map_err(text)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Picture {
        let rgb = (0..12u8).map(|i| [i * 10, i * 10, i * 10]).collect();
        Picture { width: 4, height: 3, rgb }
    }

    #[test]
    fn a_planted_difference_is_found_where_it_is() {
        let a = ramp();
        let mut b = a.clone();
        assert_eq!(a.difference(&b), Some(Difference { levels: 0, at: (0, 0), pixels: 0 }));
        b.rgb[6][2] += 7;
        b.rgb[3][0] += 1;
        assert_eq!(a.difference(&b), Some(Difference { levels: 7, at: (2, 1), pixels: 2 }));
        assert_eq!(a.difference(&a.crop(Rect { x: 0.0, y: 0.0, width: 3.0, height: 3.0 })), None);
    }

    #[test]
    fn png_and_crop_keep_pixels() {
        let a = ramp();
        assert_eq!(Picture::from_png(&a.to_png().unwrap()).unwrap(), a);
        let c = a.crop(Rect { x: 0.4, y: 1.0, width: 2.9, height: 2.0 });
        assert_eq!((c.width, c.height), (2, 2));
        assert_eq!(c.rgb[0], [50, 50, 50]);
    }

    #[test]
    fn centroids_and_crossings_are_subpixel() {
        let mut p = Picture { width: 9, height: 9, rgb: vec![[0; 3]; 81] };
        p.rgb[4 * 9 + 3] = [200; 3];
        p.rgb[4 * 9 + 4] = [100; 3];
        let all = Rect { x: 0.0, y: 0.0, width: 9.0, height: 9.0 };
        let (x, y) = p.bright_centroid(all, 0.0).unwrap();
        assert!((x - (3.5 * 200.0 + 4.5 * 100.0) / 300.0).abs() < 1e-12 && y == 4.5);
        assert_eq!(p.bright_centroid(Rect { x: 6.0, ..all }, 0.0), None);
        assert_eq!(Picture::crossings(&[0.0, 0.0, 100.0, 100.0, 50.0, 0.0], 50.0), Some((2.0, 4.5)));
        assert_eq!(Picture::crossings(&[0.0, 1.0], 50.0), None);
    }
}
