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

    /// Bright spots, from left to right: connected pixels over `threshold`, each with its centroid weighted by
    /// the brightness over it. Whole coordinates are pixel corners.
    pub fn spots(&self, threshold: f64) -> Vec<(f64, f64)> {
        let over = |i: usize| self.grey(i % self.width, i / self.width) - threshold;
        let mut visited = vec![false; self.rgb.len()];
        let mut spots = Vec::new();
        for start in 0..self.rgb.len() {
            if visited[start] || over(start) <= 0.0 {
                continue;
            }
            visited[start] = true;
            let (mut stack, mut sum, mut sx, mut sy) = (vec![start], 0.0, 0.0, 0.0);
            while let Some(i) = stack.pop() {
                let (x, y, w) = (i % self.width, i / self.width, over(i));
                sum += w;
                sx += w * (x as f64 + 0.5);
                sy += w * (y as f64 + 0.5);
                let near = [
                    (x > 0, i.wrapping_sub(1)),
                    (x + 1 < self.width, i + 1),
                    (y > 0, i.wrapping_sub(self.width)),
                    (y + 1 < self.height, i + self.width),
                ];
                for (_, j) in near.into_iter().filter(|(inside, _)| *inside) {
                    if !visited[j] && over(j) > 0.0 {
                        visited[j] = true;
                        stack.push(j);
                    }
                }
            }
            spots.push((sx / sum, sy / sum));
        }
        spots.sort_by(|a, b| a.0.total_cmp(&b.0));
        spots
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
    fn spots_are_found_to_a_part_of_a_pixel() {
        let mut p = Picture { width: 9, height: 9, rgb: vec![[0; 3]; 81] };
        p.rgb[4 * 9 + 3] = [210; 3];
        p.rgb[4 * 9 + 4] = [110; 3];
        p.rgb[8 * 9 + 8] = [255; 3];
        let spots = p.spots(10.0);
        assert_eq!(spots.len(), 2, "{spots:?}");
        assert!((spots[0].0 - (3.5 * 200.0 + 4.5 * 100.0) / 300.0).abs() < 1e-12 && spots[0].1 == 4.5);
        assert_eq!(spots[1], (8.5, 8.5));
        assert!(p.spots(255.0).is_empty());
    }
}
