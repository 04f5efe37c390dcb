//! JPEG 2000 and HTJ2K (ITU-T T.800, T.814) through openjp2, the Rust port of the reference decoder.
//! Its input is checked before it sees it: the size in the stream must be that of the header, because the
//! decoder allocates what the stream says.

use jpeg2k::Image;

use super::super::format::PixelFormat;
use super::super::samples::Samples;

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Samples, String> {
    check(codestream(bytes)?, format)?;
    let image = Image::from_bytes(bytes).map_err(|e| format!("the stream is damaged ({e})"))?;
    let pixels = format.rows as usize * format.columns as usize;
    let components = image.components();
    let n = format.samples_per_pixel as usize;
    if components.len() != n || components.iter().any(|c| c.data().len() != pixels) {
        return Err("the components have different sizes".into());
    }
    let precision = components[0].precision();
    if precision > format.bits_allocated {
        return Err(format!("{precision} bits per sample, {} allocated", format.bits_allocated));
    }
    let mut samples = match components {
        [one] => Samples::from_ints(format, one.data().iter().copied()),
        [r, g, b] => {
            let pixels = r.data().iter().zip(g.data()).zip(b.data());
            Samples::from_ints(format, pixels.flat_map(|((r, g), b)| [*r, *g, *b]))
        }
        _ => return Err(format!("{n} components")),
    };
    // The stream has a sign of its own; where it differs from the header's, the header decides.
    if components[0].is_signed() != format.signed {
        samples.extend(precision);
    }
    Ok(samples)
}

/// The codestream, also where a writer left the JP2 boxes around it.
fn codestream(bytes: &[u8]) -> Result<&[u8], String> {
    let head = &bytes[..bytes.len().min(4096)];
    let at = head.windows(4).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51]);
    at.map(|at| &bytes[at..]).ok_or_else(|| "there is no codestream".into())
}

/// Main header up to the first tile: sizes as the header says, tiles and precincts not smaller than sense.
fn check(stream: &[u8], format: &PixelFormat) -> Result<(), String> {
    let word = |body: &[u8], at: usize| -> Result<u32, String> {
        let b = body.get(at..at + 4).ok_or("the SIZ segment is cut")?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    };
    let mut at = 2;
    let mut sized = false;
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
                if body
                    .get(36..36 + 3 * n as usize)
                    .is_none_or(|c| c.chunks(3).any(|c| (c[1], c[2]) != (1, 1)))
                {
                    return Err("subsampled components".into());
                }
                sized = true;
            }
            // T.800 A.6.1: precinct sizes below 8 make the decoder's tables larger than the image.
            0x52 if body.first().is_some_and(|s| s & 1 == 1) => {
                let precincts = body.get(10..).unwrap_or_default();
                if precincts.iter().skip(1).any(|p| p & 15 < 3 || p >> 4 < 3) {
                    return Err("precincts smaller than 8 samples".into());
                }
            }
            0x90 => return if sized { Ok(()) } else { Err("the SIZ segment is missing".into()) },
            _ => {}
        }
        at += 2 + length;
    }
}
