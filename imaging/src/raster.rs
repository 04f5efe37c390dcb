//! PNG and JPEG files as pictures without a place.
//!
//! Grey stays grey with all its bits, so that windowing and measuring work; everything else becomes 8-bit
//! colour. Sizes are checked against the limits before a decoder allocates.

use std::io::BufReader;

use scene::Grid;

use crate::Source;
use crate::archive::Borrowed;
use crate::catalog::{Content, Series};
use crate::item::{Cursor, Item};
use crate::ledger::{Fate, FileId, InstanceLedger};
use crate::limits::Limits;
use crate::list::Lister;
use crate::volume::{Volume, Voxels};

/// Why a picture was refused.
#[derive(Debug, thiserror::Error)]
pub enum RasterError {
    /// The source failed.
    #[error("Could not read the file: {0}. Transfer it again.")]
    Io(#[from] std::io::Error),
    /// The decoder gave up.
    #[error("The {format} file is damaged: {what}. Save it again from its source.")]
    Damaged {
        /// `PNG` or `JPEG`
        format: &'static str,
        /// What the decoder found.
        what: String,
    },
    /// A bound of [`Limits`].
    #[error(
        "The picture has {columns} x {rows} pixels ({bytes} bytes), more than the limit of {limit} bytes."
    )]
    Limit {
        /// Width.
        columns: u32,
        /// Height.
        rows: u32,
        /// Decoded size.
        bytes: u64,
        /// Allowed.
        limit: u64,
    },
    /// CMYK and other kinds for print.
    #[error("JPEG with {0} pixels is for print and not read. Save it as RGB.")]
    Unsupported(&'static str),
}

/// Which decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
        }
    }
}

/// A picture that was found.
#[derive(Clone)]
pub(crate) struct RasterFile {
    pub(crate) file: FileId,
    name: String,
    kind: Kind,
    size: [u32; 2],
    colour: bool,
}

/// By the first bytes.
pub(crate) fn kind(head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Kind::Png)
    } else if head.starts_with(&[0xff, 0xd8, 0xff]) {
        Some(Kind::Jpeg)
    } else {
        None
    }
}

type Reader<'a, S> = BufReader<Cursor<Borrowed<'a, Item<S>>>>;

fn reader<S: Source>(item: &Item<S>) -> Reader<'_, S> {
    BufReader::new(Cursor::new(Borrowed(item)))
}

fn png_info<'a, S: Source>(
    item: &'a Item<S>,
    limits: &Limits,
) -> Result<png::Reader<Reader<'a, S>>, RasterError> {
    let most = usize::try_from(limits.max_frame_bytes).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(reader(item), png::Limits { bytes: most });
    decoder.set_transformations(png::Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.read_info().map_err(|e| damaged(Kind::Png, &e))
}

fn damaged(kind: Kind, error: &dyn std::fmt::Display) -> RasterError {
    RasterError::Damaged { format: kind.name(), what: error.to_string().trim_end_matches('.').to_owned() }
}

/// Decoded bytes are bounded by the limits and by what the file can expand to.
fn check(columns: u32, rows: u32, pixel_bytes: u64, len: u64, limits: &Limits) -> Result<(), RasterError> {
    let bytes = u64::from(columns).saturating_mul(rows.into()).saturating_mul(pixel_bytes);
    let expansion = len.saturating_mul(limits.max_expansion).max(limits.expansion_free_bytes);
    let limit = limits.max_frame_bytes.min(expansion);
    if bytes > limit { Err(RasterError::Limit { columns, rows, bytes, limit }) } else { Ok(()) }
}

/// Size and kind, without decoding.
pub(crate) fn read_header<S: Source>(
    file: FileId,
    item: &Item<S>,
    kind: Kind,
    limits: &Limits,
) -> Result<RasterFile, RasterError> {
    let (columns, rows, colour) = match kind {
        Kind::Png => {
            let info = png_info(item, limits)?;
            let (color, _) = info.output_color_type();
            (info.info().width, info.info().height, color != png::ColorType::Grayscale)
        }
        Kind::Jpeg => {
            let mut decoder = jpeg_decoder::Decoder::new(reader(item));
            decoder.read_info().map_err(|e| damaged(kind, &e))?;
            let info = decoder.info().ok_or_else(|| damaged(kind, &"it has no frame"))?;
            let colour = match info.pixel_format {
                jpeg_decoder::PixelFormat::L8 | jpeg_decoder::PixelFormat::L16 => false,
                jpeg_decoder::PixelFormat::RGB24 => true,
                jpeg_decoder::PixelFormat::CMYK32 => return Err(RasterError::Unsupported("CMYK")),
            };
            (u32::from(info.width), u32::from(info.height), colour)
        }
    };
    if columns == 0 || rows == 0 {
        return Err(damaged(kind, &format!("it has {columns} x {rows} pixels")));
    }
    check(columns, rows, 4, item.len(), limits)?;
    Ok(RasterFile { file, name: item.name().to_owned(), kind, size: [columns, rows], colour })
}

/// Lists a picture in the catalog and settles its fate.
pub(crate) fn list(found: &RasterFile, ledger: &mut InstanceLedger, lister: &mut Lister) {
    let [columns, rows] = found.size;
    let base = found.name.rsplit('/').next().unwrap_or(&found.name).to_owned();
    let study = lister.plain_study();
    lister.series.push(Series {
        study,
        uid: String::new(),
        modality: found.kind.name().into(),
        description: base.clone(),
        number: None,
        stack: (1, 1),
        instances: 1,
        dims: [columns, rows, 1],
        time_points: 1,
        times_s: Vec::new(),
        time_rule: None,
        grid: Grid::picture(columns, rows, 1).ok(),
        frame_of_reference_uid: String::new(),
        transfer_syntax: found.kind.name().into(),
        transfer_syntax_uid: String::new(),
        unit: String::new(),
        colour: found.colour,
        monochrome1: false,
        windows: Vec::new(),
        lossy: (found.kind == Kind::Jpeg).then(|| "lossy (JPEG)".into()),
        corner_left: vec![base],
        corner_right: Vec::new(),
        acquisition: Default::default(),
        warnings: vec!["No pixel spacing: lengths are in pixels.".into()],
        displayable: true,
        content: Content::Raster { file: found.file },
    });
    ledger.settle(found.file, Fate::Used);
}

/// Decodes a picture.
pub(crate) fn read<S: Source>(item: &Item<S>, limits: &Limits) -> Result<Volume, RasterError> {
    let mut head = [0; 8];
    let n = item.read_at(0, &mut head)?;
    let found = kind(&head[..n]).ok_or_else(|| damaged(Kind::Png, &"it has changed"))?;
    let (voxels, columns, rows) = match found {
        Kind::Png => read_png(item, limits)?,
        Kind::Jpeg => read_jpeg(item, limits)?,
    };
    let grid = Grid::picture(columns, rows, 1).map_err(|e| damaged(found, &e))?;
    if voxels.len() != grid.voxel_count() {
        return Err(damaged(found, &format!("{} of {} pixels came out", voxels.len(), grid.voxel_count())));
    }
    Ok(Volume::new(voxels, grid))
}

fn read_png<S: Source>(item: &Item<S>, limits: &Limits) -> Result<(Voxels, u32, u32), RasterError> {
    let mut reader = png_info(item, limits)?;
    let (columns, rows) = (reader.info().width, reader.info().height);
    let size = reader.output_buffer_size().ok_or(RasterError::Limit {
        columns,
        rows,
        bytes: u64::MAX,
        limit: limits.max_frame_bytes,
    })?;
    let pixels = u64::from(columns).saturating_mul(rows.into()).max(1);
    check(columns, rows, (size as u64).div_ceil(pixels), item.len(), limits)?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(|e| damaged(Kind::Png, &e))?;
    bytes.truncate(info.buffer_size());
    let wide = info.bit_depth == png::BitDepth::Sixteen;
    let words = || bytes.as_chunks::<2>().0.iter().map(|b| u16::from_be_bytes(*b));
    // 16-bit colour keeps its high byte; colour is looked at, not measured.
    let high = |b: &[u8]| -> Vec<u8> { b.iter().step_by(if wide { 2 } else { 1 }).copied().collect() };
    // Transparency over black, as the background of the viewer is.
    let over = |v: u8, alpha: u8| (u16::from(v) * u16::from(alpha) / 255) as u8;
    let voxels = match info.color_type {
        png::ColorType::Grayscale if wide => Voxels::U16(words().collect()),
        png::ColorType::Grayscale => Voxels::I16(bytes.iter().map(|b| i16::from(*b)).collect()),
        png::ColorType::GrayscaleAlpha => Voxels::Rgba8(
            high(&bytes).as_chunks::<2>().0.iter().map(|[g, a]| [over(*g, *a); 3]).map(opaque).collect(),
        ),
        png::ColorType::Rgb => {
            Voxels::Rgba8(high(&bytes).as_chunks::<3>().0.iter().map(|rgb| opaque(*rgb)).collect())
        }
        png::ColorType::Rgba => Voxels::Rgba8(
            high(&bytes)
                .as_chunks::<4>()
                .0
                .iter()
                .map(|[r, g, b, a]| opaque([over(*r, *a), over(*g, *a), over(*b, *a)]))
                .collect(),
        ),
        // EXPAND turns palettes into RGB.
        png::ColorType::Indexed => return Err(damaged(Kind::Png, &"its palette is missing")),
    };
    Ok((voxels, columns, rows))
}

fn opaque([r, g, b]: [u8; 3]) -> [u8; 4] {
    [r, g, b, 255]
}

fn read_jpeg<S: Source>(item: &Item<S>, limits: &Limits) -> Result<(Voxels, u32, u32), RasterError> {
    let mut decoder = jpeg_decoder::Decoder::new(reader(item));
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_frame_bytes).unwrap_or(usize::MAX));
    decoder.read_info().map_err(|e| damaged(Kind::Jpeg, &e))?;
    let info = decoder.info().ok_or_else(|| damaged(Kind::Jpeg, &"it has no frame"))?;
    let (columns, rows) = (u32::from(info.width), u32::from(info.height));
    check(columns, rows, 4, item.len(), limits)?;
    let bytes = decoder.decode().map_err(|e| damaged(Kind::Jpeg, &e))?;
    let voxels = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => Voxels::I16(bytes.iter().map(|b| i16::from(*b)).collect()),
        jpeg_decoder::PixelFormat::L16 => {
            Voxels::U16(bytes.as_chunks::<2>().0.iter().map(|b| u16::from_ne_bytes(*b)).collect())
        }
        jpeg_decoder::PixelFormat::RGB24 => {
            Voxels::Rgba8(bytes.as_chunks::<3>().0.iter().map(|rgb| opaque(*rgb)).collect())
        }
        jpeg_decoder::PixelFormat::CMYK32 => return Err(RasterError::Unsupported("CMYK")),
    };
    Ok((voxels, columns, rows))
}
