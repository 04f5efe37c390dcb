//! RLE Lossless (PS3.5 annex G): byte planes, most significant first, each packed as in TIFF PackBits.
//! Any number of planes, because 32-bit samples in colour have twelve; dicom-rs stops at 16 bits.

use super::super::format::PixelFormat;
use super::super::samples::Samples;

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Samples, String> {
    let width = format.sample_bytes();
    let planes = width * format.samples_per_pixel as usize;
    let pixels = format.rows as usize * format.columns as usize;
    let word = |i: usize| -> Result<usize, String> {
        let b = bytes.get(i * 4..i * 4 + 4).ok_or("the RLE header is cut")?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
    };
    // PS3.5 G.5: at most 15 segments.
    let count = word(0)?;
    if count != planes || count > 15 {
        return Err(format!("the RLE header states {count} segments, not {planes}"));
    }
    let mut samples = Samples::zeroed(format);
    let out = samples.bytes_mut();
    let mut plane = vec![0; pixels];
    for index in 0..planes {
        let start = word(index + 1)?;
        let end = if index + 1 < planes { word(index + 2)? } else { bytes.len() };
        let segment =
            bytes.get(start..end).ok_or_else(|| format!("RLE segment {index} lies outside the frame"))?;
        unpack(segment, &mut plane)
            .map_err(|got| format!("RLE segment {index} has {got} of {pixels} bytes"))?;
        let (sample, byte) = (index / width, width - 1 - index % width);
        let stride = width * format.samples_per_pixel as usize;
        let first = sample * width + byte;
        out[first..].iter_mut().step_by(stride).zip(&plane).for_each(|(o, b)| *o = *b);
    }
    Ok(samples)
}

// PS3.5 G.3.2. Err holds how many bytes there were.
fn unpack(mut segment: &[u8], out: &mut [u8]) -> Result<(), usize> {
    let mut at = 0;
    while at < out.len() {
        let [n, rest @ ..] = segment else { return Err(at) };
        match *n {
            n @ 0..=127 => {
                let length = (usize::from(n) + 1).min(out.len() - at);
                let Some(literal) = rest.get(..length) else { return Err(at) };
                out[at..at + length].copy_from_slice(literal);
                at += length;
                segment = rest.get(usize::from(n) + 1..).unwrap_or_default();
            }
            128 => segment = rest,
            n => {
                let [value, rest @ ..] = rest else { return Err(at) };
                let length = (257 - usize::from(n)).min(out.len() - at);
                out[at..at + length].fill(*value);
                at += length;
                segment = rest;
            }
        }
    }
    Ok(())
}
