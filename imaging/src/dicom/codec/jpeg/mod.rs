//! JPEG (ITU-T T.81): baseline, extended sequential and lossless, Huffman coded, 2 to 16 bits.
//! The process is taken from the stream, not from the transfer syntax, because the two often differ.

mod huffman;
mod lossless;
pub(in super::super) mod segments;
mod sequential;

use self::huffman::{Stream, Table};
use self::segments::{Segment, Segments};
use super::super::format::PixelFormat;
use super::super::samples::Samples;

struct Component {
    id: u8,
    h: usize,
    v: usize,
    quantization: usize,
}

struct Frame {
    precision: u32,
    rows: usize,
    columns: usize,
    components: Vec<Component>,
    lossless: bool,
}

impl Frame {
    fn h_max(&self) -> usize {
        self.components.iter().map(|c| c.h).max().unwrap_or(1)
    }
    fn v_max(&self) -> usize {
        self.components.iter().map(|c| c.v).max().unwrap_or(1)
    }
    /// MCUs in a line and in a column of an interleaved scan.
    fn mcus(&self) -> (usize, usize) {
        (self.columns.div_ceil(8 * self.h_max()), self.rows.div_ceil(8 * self.v_max()))
    }
}

struct ScanComponent {
    index: usize,
    dc_table: usize,
    ac_table: usize,
}

struct ScanHeader {
    components: Vec<ScanComponent>,
    spectral_start: u8,
    approximation_low: u8,
}

/// Whether the samples are already RGB, or YBR, or whatever the header says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    AsHeader,
    Rgb,
    Ybr,
}

/// Interleaved samples, with what the stream says about its colour.
pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<(Samples, Colour), String> {
    let mut segments = Segments::new(bytes)?;
    let mut dc: [Option<Table>; 4] = Default::default();
    let mut ac: [Option<Table>; 4] = Default::default();
    let mut quantization = [[1_u16; 64]; 4];
    let mut restart_interval = 0;
    let mut frame: Option<Frame> = None;
    let mut planes = Vec::new();
    let mut image: Vec<u16> = Vec::new();
    let mut colour = Colour::AsHeader;
    let mut done: Vec<usize> = Vec::new();
    let frame = loop {
        if let Some(complete) = frame.take_if(|f| done.len() == f.components.len()) {
            break complete;
        }
        let Segment { marker, body } = segments.next()?;
        match marker {
            0xC0 | 0xC1 | 0xC3 => {
                if frame.is_some() {
                    return Err("the stream has two frame headers".into());
                }
                let header = frame_header(body, marker == 0xC3, format)?;
                if header.lossless {
                    image = vec![0; format.samples_per_frame()];
                } else {
                    planes = sequential::planes(&header);
                }
                frame = Some(header);
            }
            0xC2 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(format!(
                    "JPEG process SOF{} (progressive, hierarchical, arithmetic)",
                    marker & 15
                ));
            }
            0xC4 => huffman_tables(body, &mut dc, &mut ac)?,
            0xDB => quantization_tables(body, &mut quantization)?,
            0xDD => {
                restart_interval =
                    body.as_chunks::<2>().0.first().map_or(0, |b| usize::from(u16::from_be_bytes(*b)));
            }
            // Adobe's marker says what was done to the colours; the last byte is the transform.
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => {
                colour = if body[11] == 0 { Colour::Rgb } else { Colour::Ybr };
            }
            0xDA => {
                let frame = frame.as_ref().ok_or("a scan comes before the frame header")?;
                let header = scan_header(body, frame)?;
                if header.components.iter().any(|c| done.contains(&c.index)) {
                    return Err("a component is coded twice".into());
                }
                done.extend(header.components.iter().map(|c| c.index));
                let data = segments.rest();
                let used = if frame.lossless {
                    lossless::scan(frame, &header, &dc, restart_interval, data, &mut image)?
                } else {
                    let tables = sequential::Tables { dc: &dc, ac: &ac, quantization: &quantization };
                    sequential::scan(frame, &header, &tables, restart_interval, data, &mut planes)?
                };
                segments.skip_to_marker(used);
            }
            0xD9 => return Err("the stream ends before the image".into()),
            _ => {}
        }
    };
    let n = frame.components.len();
    if !frame.lossless {
        image = vec![0; format.samples_per_frame()];
        for (index, plane) in planes.iter().enumerate() {
            let full = sequential::upsample(&frame, index, plane);
            image[index..].iter_mut().step_by(n).zip(full).for_each(|(o, x)| *o = x);
        }
    }
    let mut samples = Samples::from_ints(format, image.iter().map(|x| i32::from(*x)));
    if format.signed && frame.precision < format.bits_stored {
        samples.extend(frame.precision);
    }
    Ok((samples, if n == 3 { colour } else { Colour::AsHeader }))
}

fn frame_header(body: &[u8], lossless: bool, format: &PixelFormat) -> Result<Frame, String> {
    let [precision, r1, r0, c1, c0, n, specs @ ..] = body else {
        return Err("the frame header is cut".into());
    };
    let rows = usize::from(u16::from_be_bytes([*r1, *r0]));
    let columns = usize::from(u16::from_be_bytes([*c1, *c0]));
    let stated = (rows, columns, u32::from(*n));
    if stated != (format.rows as usize, format.columns as usize, format.samples_per_pixel) {
        return Err(format!(
            "the stream has {columns} x {rows} pixels of {n} samples, the header {} x {} of {}",
            format.columns, format.rows, format.samples_per_pixel
        ));
    }
    let precision = u32::from(*precision);
    let possible = if lossless { (2..=16).contains(&precision) } else { matches!(precision, 8 | 12) };
    if !possible || precision > format.bits_allocated {
        return Err(format!("{precision} bits per sample, {} allocated", format.bits_allocated));
    }
    let mut components = Vec::new();
    for [id, factors, quantization] in specs.as_chunks::<3>().0.iter().take(usize::from(*n)) {
        let (h, v) = (usize::from(factors >> 4), usize::from(factors & 15));
        if !(1..=4).contains(&h) || !(1..=4).contains(&v) || *quantization > 3 {
            return Err(format!("sampling factors {h} and {v}"));
        }
        components.push(Component { id: *id, h, v, quantization: usize::from(*quantization) });
    }
    if components.len() != usize::from(*n) {
        return Err("the frame header is cut".into());
    }
    if let [one] = components.as_mut_slice() {
        // T.81 A.2.2: a single component is never subsampled, whatever its factors say.
        (one.h, one.v) = (1, 1);
    }
    Ok(Frame { precision, rows, columns, components, lossless })
}

fn scan_header(body: &[u8], frame: &Frame) -> Result<ScanHeader, String> {
    let [n, rest @ ..] = body else { return Err("the scan header is cut".into()) };
    let n = usize::from(*n);
    let (Some(chosen), Some(&[spectral_start, _, approximation])) =
        (rest.get(..2 * n), rest.get(2 * n..2 * n + 3))
    else {
        return Err("the scan header is cut".into());
    };
    let mut components: Vec<ScanComponent> = Vec::new();
    for [id, tables] in chosen.as_chunks::<2>().0 {
        let index =
            frame.components.iter().position(|c| c.id == *id).ok_or("a scan names an unknown component")?;
        if components.iter().any(|c| c.index == index) {
            return Err("a component is coded twice".into());
        }
        let (dc_table, ac_table) = (usize::from(tables >> 4), usize::from(tables & 15));
        if dc_table > 3 || ac_table > 3 {
            return Err("a scan names an unknown table".into());
        }
        components.push(ScanComponent { index, dc_table, ac_table });
    }
    if components.is_empty() {
        return Err("a scan has no component".into());
    }
    Ok(ScanHeader { components, spectral_start, approximation_low: approximation & 15 })
}

fn huffman_tables(
    mut body: &[u8],
    dc: &mut [Option<Table>; 4],
    ac: &mut [Option<Table>; 4],
) -> Result<(), String> {
    while let [class_and_id, rest @ ..] = body {
        let (table, used) = Table::parse(rest)?;
        let id = usize::from(class_and_id & 15);
        let tables = if class_and_id >> 4 == 0 { &mut *dc } else { &mut *ac };
        *tables.get_mut(id).ok_or("a Huffman table has an impossible number")? = Some(table);
        body = &rest[used..];
    }
    Ok(())
}

fn quantization_tables(mut body: &[u8], tables: &mut [[u16; 64]; 4]) -> Result<(), String> {
    while let [precision_and_id, rest @ ..] = body {
        let wide = precision_and_id >> 4 != 0;
        let table = tables
            .get_mut(usize::from(precision_and_id & 15))
            .ok_or("a quantization table has an impossible number")?;
        let size = if wide { 128 } else { 64 };
        let values = rest.get(..size).ok_or("a quantization table is cut")?;
        for (i, out) in table.iter_mut().enumerate() {
            *out = if wide {
                u16::from_be_bytes([values[2 * i], values[2 * i + 1]])
            } else {
                u16::from(values[i])
            };
        }
        body = &rest[size..];
    }
    Ok(())
}

/// How many bytes from `data` to behind the next restart marker (T.81 F.2.2.5).
fn next_restart(data: &[u8], bits: &Stream<'_>) -> Result<usize, String> {
    let start = bits.rest().min(data.len());
    let found = data[start..].windows(2).position(|w| w[0] == 0xFF && (0xD0..=0xD7).contains(&w[1]));
    match found {
        Some(at) if !bits.overrun() => Ok(start + at + 2),
        _ => Err("a restart marker is missing".into()),
    }
}
