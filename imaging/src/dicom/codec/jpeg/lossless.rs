//! JPEG lossless, process 14 with all seven predictors (T.81 annex H), 2 to 16 bits.
//! One pass in the order of the stream, because each sample needs the one before.

use super::huffman::{Stream, Table, extend};
use super::{Frame, ScanHeader, next_restart};

/// `image` is interleaved by pixel.
pub(super) fn scan(
    frame: &Frame,
    header: &ScanHeader,
    tables: &[Option<Table>; 4],
    restart_interval: usize,
    data: &[u8],
    image: &mut [u16],
) -> Result<usize, String> {
    if frame.components.iter().any(|c| (c.h, c.v) != (1, 1)) && frame.components.len() > 1 {
        return Err("lossless JPEG with subsampling is not supported".into());
    }
    let predictor = header.spectral_start;
    let shift = header.approximation_low;
    if !(1..=7).contains(&predictor) || u32::from(shift) >= frame.precision {
        return Err(format!("predictor {predictor} with point transform {shift}"));
    }
    let (columns, stride) = (frame.columns, frame.components.len());
    // T.81 H.1.1: intervals start with a line.
    if !restart_interval.is_multiple_of(columns) {
        return Err(format!("a restart interval of {restart_interval} is no number of lines of {columns}"));
    }
    let restart_lines = restart_interval / columns;
    let chosen: Vec<(usize, &Table)> = header
        .components
        .iter()
        .map(|c| Some((c.index, tables[c.dc_table].as_ref()?)))
        .collect::<Option<_>>()
        .ok_or("a Huffman table is missing")?;
    let initial = 1_i32 << (frame.precision - u32::from(shift) - 1);
    let mut bits = Stream::new(data);
    let mut consumed = 0;
    let mut above = vec![0_i32; columns * stride];
    let mut here = vec![0_i32; columns * stride];
    let mut first_line = true;
    for (y, row) in image.chunks_exact_mut(columns * stride).enumerate() {
        if restart_lines > 0 && y > 0 && y % restart_lines == 0 {
            consumed += next_restart(&data[consumed..], &bits)?;
            bits = Stream::new(&data[consumed..]);
            first_line = true;
        }
        for x in 0..columns {
            for &(component, table) in &chosen {
                let at = x * stride + component;
                let size = u32::from(table.decode(&mut bits)?);
                // T.81 table H.2: size 16 is 32768 without extra bits.
                let difference = match size {
                    0..=15 => extend(&mut bits, size),
                    16 => 32768,
                    _ => return Err(format!("a difference of {size} bits")),
                };
                let predicted = match (x, first_line) {
                    (0, true) => initial,
                    (0, false) => above[at],
                    (_, true) => here[at - stride],
                    _ => {
                        let (a, b, c) = (here[at - stride], above[at], above[at - stride]);
                        match predictor {
                            1 => a,
                            2 => b,
                            3 => c,
                            4 => a + b - c,
                            5 => a + ((b - c) >> 1),
                            6 => b + ((a - c) >> 1),
                            _ => (a + b) >> 1,
                        }
                    }
                };
                here[at] = (predicted + difference) & 0xFFFF;
                row[at] = (here[at] << shift) as u16;
            }
        }
        if bits.overrun() {
            return Err("the stream ends before the image".into());
        }
        first_line = false;
        std::mem::swap(&mut above, &mut here);
    }
    Ok(consumed + bits.rest())
}
