//! JPEG 2000 (ITU-T T.800) through hayro-jpeg2000, HTJ2K (T.814) through openjp2.
//! hayro is faster and cannot corrupt memory, but knows neither HTJ2K nor changes of progression order; for those
//! there is the Rust port of the reference decoder, natively. Both see only streams whose size is that of the header,
//! because they allocate what the stream says.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::super::format::PixelFormat;
use super::super::samples::Samples;

/// What the main header says beyond the size.
#[derive(Default)]
struct Stream {
    precision: u32,
    signed: bool,
    /// Needs the reference decoder.
    special: bool,
}

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Samples, String> {
    let codestream = codestream(bytes)?;
    let stream = check(codestream, format)?;
    if stream.precision > format.bits_allocated {
        return Err(format!("{} bits per sample, {} allocated", stream.precision, format.bits_allocated));
    }
    let mut samples = if stream.special {
        with_openjp2(codestream, format)?
    } else {
        with_hayro(codestream, &stream, format)?
    };
    // The stream has a sign of its own; where it differs from the header's, the header decides.
    if stream.signed != format.signed {
        samples.extend(stream.precision);
    }
    Ok(samples)
}

fn with_hayro(codestream: &[u8], stream: &Stream, format: &PixelFormat) -> Result<Samples, String> {
    let damaged = |e| format!("the stream is damaged ({e})");
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let image = Image::new(codestream, &settings).map_err(damaged)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(damaged)?;
    // hayro leaves signed samples shifted by half their range.
    let shift = if stream.signed { 1 << (stream.precision - 1) } else { 0 };
    // T.800 annex G.1.2: what the quantisation pushed out of range is clamped.
    let largest = ((1_u64 << stream.precision) - 1) as f32;
    // Rounded by truncation, as no value is negative: `round` is a function call on the oldest x86-64.
    let value = |x: f32| (x.clamp(0.0, largest) + 0.5) as i32 - shift;
    let components: Vec<&[f32]> = decoded.components().iter().map(|c| c.samples()).collect();
    interleave(&components, format, value)
}

/// There, openjp2 freed what it had not allocated (`opj_destroy_codec`) and took the engine with it.
/// Of the other decoders in Rust, openjph-core 0.1 leaves the colour transform in, and j2k-native asks for Rust 1.96.
#[cfg(target_arch = "wasm32")]
fn with_openjp2(_: &[u8], _: &PixelFormat) -> Result<Samples, String> {
    Err("HTJ2K, changes of progression order and more than 18 bits are not decoded in browsers. Convert the file to JPEG 2000 or uncompressed".into())
}

#[cfg(not(target_arch = "wasm32"))]
fn with_openjp2(codestream: &[u8], format: &PixelFormat) -> Result<Samples, String> {
    let image = jpeg2k::Image::from_bytes(codestream).map_err(|e| format!("the stream is damaged ({e})"))?;
    let components: Vec<&[i32]> = image.components().iter().map(|c| c.data()).collect();
    interleave(&components, format, |x| x)
}

fn interleave<T: Copy>(
    components: &[&[T]],
    format: &PixelFormat,
    value: impl Fn(T) -> i32,
) -> Result<Samples, String> {
    let pixels = format.rows as usize * format.columns as usize;
    if components.len() != format.samples_per_pixel as usize || components.iter().any(|c| c.len() != pixels) {
        return Err("the components have different sizes".into());
    }
    match components {
        [one] => Ok(Samples::from_ints(format, one.iter().map(|x| value(*x)))),
        [r, g, b] => {
            let pixels = r.iter().zip(*g).zip(*b);
            Ok(Samples::from_ints(format, pixels.flat_map(|((r, g), b)| [value(*r), value(*g), value(*b)])))
        }
        _ => Err(format!("{} components", components.len())),
    }
}

/// The codestream, also where a writer left the JP2 boxes around it.
fn codestream(bytes: &[u8]) -> Result<&[u8], String> {
    let head = &bytes[..bytes.len().min(4096)];
    let at = head.windows(4).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51]);
    at.map(|at| &bytes[at..]).ok_or_else(|| "there is no codestream".into())
}

/// Main header up to the first tile: sizes as the header says, tiles and precincts not smaller than sense.
fn check(stream: &[u8], format: &PixelFormat) -> Result<Stream, String> {
    let word = |body: &[u8], at: usize| -> Result<u32, String> {
        let b = body.get(at..at + 4).ok_or("the SIZ segment is cut")?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    };
    let mut at = 2;
    let mut found = Stream::default();
    loop {
        let Some(&[0xFF, marker, l1, l0]) = stream.get(at..at + 4) else {
            return Err("the main header is damaged".into());
        };
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let body = stream.get(at + 4..at + 2 + length).ok_or("the main header is cut")?;
        match marker {
            // T.800 A.5.1
            0x51 => {
                let (width, height) = (word(body, 2)?, word(body, 6)?);
                let (left, top) = (word(body, 10)?, word(body, 14)?);
                let (tile_width, tile_height) = (word(body, 18)?, word(body, 22)?);
                let n = body.get(34..36).map_or(0, |b| u32::from(u16::from_be_bytes([b[0], b[1]])));
                let size = (width.checked_sub(left), height.checked_sub(top), n);
                if size != (Some(format.columns), Some(format.rows), format.samples_per_pixel) {
                    return Err(format!(
                        "the stream has {width} x {height} pixels of {n} samples, the header {} x {} of {}",
                        format.columns, format.rows, format.samples_per_pixel
                    ));
                }
                if left > 0xFFFF || top > 0xFFFF || tile_width == 0 || tile_height == 0 {
                    return Err(format!(
                        "an offset of {left}, {top} or tiles of {tile_width} x {tile_height}"
                    ));
                }
                let tiles = u64::from(width.div_ceil(tile_width)) * u64::from(height.div_ceil(tile_height));
                // Each tile costs some kilobytes before its first sample.
                if tiles > 1024 + u64::from(format.rows) * u64::from(format.columns) / 256 {
                    return Err(format!("{tiles} tiles"));
                }
                let components = body.get(36..36 + 3 * n as usize).unwrap_or_default().as_chunks::<3>().0;
                let Some(&[first, ..]) = components.first() else {
                    return Err("the SIZ segment is cut".into());
                };
                if components.iter().any(|c| *c != [first, 1, 1]) {
                    return Err("components of different depth or size".into());
                }
                found.precision = u32::from(first & 0x7F) + 1;
                found.signed = first & 0x80 != 0;
                // hayro computes in f32, whose 24 bits the wavelet and colour transforms would exceed.
                found.special = found.precision > 18;
            }
            // T.800 A.6.1: precinct sizes below 8 make the decoder's tables larger than the image.
            0x52 if body.first().is_some_and(|s| s & 1 == 1) => {
                let precincts = body.get(10..).unwrap_or_default();
                if precincts.iter().skip(1).any(|p| p & 15 < 3 || p >> 4 < 3) {
                    return Err("precincts smaller than 8 samples".into());
                }
            }
            // CAP (T.814 A.3) announces HTJ2K, POC (T.800 A.6.6) other progression orders.
            0x50 | 0x5F => found.special = true,
            0x90 => {
                return if found.precision > 0 {
                    Ok(found)
                } else {
                    Err("the SIZ segment is missing".into())
                };
            }
            _ => {}
        }
        at += 2 + length;
    }
}
