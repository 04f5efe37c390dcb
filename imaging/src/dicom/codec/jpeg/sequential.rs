//! JPEG baseline and extended sequential DCT, 8 and 12 bits (T.81 annexes A and F).
//! Our own, because no pure-Rust decoder at hand reads 12 bits. Inverse DCT and chroma interpolation follow the
//! integer method of the Independent JPEG Group, which the decoders of DICOM toolkits share.

use super::huffman::{Stream, Table, extend};
use super::{Frame, ScanHeader, next_restart};

/// T.81 figure A.6.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Fractional bits of a decoded sample until chroma is interpolated: rounding twice would cost a level, and the
/// conversion to RGB doubles it. 12 bits and these fill a u16.
const FRACTION_BITS: u32 = 4;
const ROUND: u16 = 8;

/// One component, padded to whole MCUs.
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<u16>,
}

pub(super) struct Tables<'a> {
    pub dc: &'a [Option<Table>; 4],
    pub ac: &'a [Option<Table>; 4],
    pub quantization: &'a [[u16; 64]; 4],
}

pub(super) fn planes(frame: &Frame) -> Vec<Plane> {
    let (mcu_columns, mcu_rows) = frame.mcus();
    let plane = |h: usize, v: usize| {
        let (width, height) = (mcu_columns * h * 8, mcu_rows * v * 8);
        Plane { width, height, samples: vec![0; width * height] }
    };
    frame.components.iter().map(|c| plane(c.h, c.v)).collect()
}

pub(super) fn scan(
    frame: &Frame,
    header: &ScanHeader,
    tables: &Tables<'_>,
    restart_interval: usize,
    data: &[u8],
    planes: &mut [Plane],
) -> Result<usize, String> {
    let missing = || "a Huffman table is missing".to_owned();
    let mut bits = Stream::new(data);
    let mut consumed = 0;
    // T.81 A.2.2 and A.2.3: a scan of one component has one block per MCU and no padding to the others' size.
    let alone = header.components.len() == 1;
    let (mcu_columns, mcu_rows) = match header.components.as_slice() {
        [one] => {
            let c = &frame.components[one.index];
            let size = |n: usize, factor: usize, most: usize| (n * factor).div_ceil(most).div_ceil(8);
            (size(frame.columns, c.h, frame.h_max()), size(frame.rows, c.v, frame.v_max()))
        }
        _ => frame.mcus(),
    };
    let mut predictions = [0_i32; 4];
    for mcu in 0..mcu_columns * mcu_rows {
        if restart_interval > 0 && mcu > 0 && mcu % restart_interval == 0 {
            consumed += next_restart(&data[consumed..], &bits)?;
            bits = Stream::new(&data[consumed..]);
            predictions = [0; 4];
        }
        let (mx, my) = (mcu % mcu_columns, mcu / mcu_columns);
        for chosen in &header.components {
            let component = &frame.components[chosen.index];
            let dc = tables.dc[chosen.dc_table].as_ref().ok_or_else(missing)?;
            let ac = tables.ac[chosen.ac_table].as_ref().ok_or_else(missing)?;
            let quantization = &tables.quantization[component.quantization];
            let (h, v) = if alone { (1, 1) } else { (component.h, component.v) };
            for by in 0..v {
                for bx in 0..h {
                    let block = block(&mut bits, dc, ac, quantization, &mut predictions[chosen.index])?;
                    let plane = &mut planes[chosen.index];
                    let at = (my * v + by) * 8 * plane.width + (mx * h + bx) * 8;
                    inverse_dct(&block, frame.precision, &mut plane.samples[at..], plane.width);
                }
            }
        }
        if mx == 0 && bits.overrun() {
            return Err("the stream ends before the image".into());
        }
    }
    if bits.overrun() {
        return Err("the stream ends before the image".into());
    }
    Ok(consumed + bits.rest())
}

// T.81 F.2.2, dequantised. The clamp keeps damaged streams inside the arithmetic of the transform.
fn block(
    bits: &mut Stream<'_>,
    dc: &Table,
    ac: &Table,
    quantization: &[u16; 64],
    prediction: &mut i32,
) -> Result<[i32; 64], String> {
    const LARGEST: i32 = 1 << 20;
    let mut block = [0; 64];
    let size = u32::from(dc.decode(bits)?);
    if size > 16 {
        return Err(format!("a DC difference of {size} bits"));
    }
    *prediction = (*prediction + extend(bits, size)).clamp(-LARGEST, LARGEST);
    let dequantized =
        |value: i32, k: usize| value.saturating_mul(i32::from(quantization[k])).clamp(-LARGEST, LARGEST);
    block[0] = dequantized(*prediction, 0);
    let mut k = 1;
    while k < 64 {
        let symbol = ac.decode(bits)?;
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if run < 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        if k > 63 {
            return Err("a block has more than 64 coefficients".into());
        }
        block[usize::from(ZIGZAG[k])] = dequantized(extend(bits, size), k);
        k += 1;
    }
    Ok(block)
}

/// The accurate integer transform (Loeffler, Ligtenberg, Moschytz 1989): two passes of 1-D transforms with 13
/// fractional bits in the constants, six kept between the passes and `FRACTION_BITS` in the result.
fn inverse_dct(block: &[i32; 64], precision: u32, out: &mut [u16], stride: usize) {
    const CONST_BITS: u32 = 13;
    const PASS1_BITS: u32 = 6;
    let level = 1_i64 << (precision - 1 + FRACTION_BITS);
    let largest = ((1_i64 << precision) - 1) << FRACTION_BITS;
    if block[1..].iter().all(|c| *c == 0) {
        // Only DC, which is eight times the value: what both passes give then.
        let value = (i64::from(block[0]) << FRACTION_BITS >> 3) + level;
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(value.clamp(0, largest) as u16);
        }
        return;
    }
    let mut work = [0_i64; 64];
    for x in 0..8 {
        let column: [i64; 8] = std::array::from_fn(|y| i64::from(block[y * 8 + x]));
        for (y, value) in transform_8(column).into_iter().enumerate() {
            work[y * 8 + x] = round_shift(value, CONST_BITS - PASS1_BITS);
        }
    }
    for (y, row) in out.chunks_mut(stride).take(8).enumerate() {
        let line: [i64; 8] = std::array::from_fn(|x| work[y * 8 + x]);
        for (out, value) in row.iter_mut().zip(transform_8(line)) {
            let value = round_shift(value, CONST_BITS + PASS1_BITS + 3 - FRACTION_BITS);
            *out = (value + level).clamp(0, largest) as u16;
        }
    }
}

fn round_shift(value: i64, by: u32) -> i64 {
    (value + (1 << (by - 1))) >> by
}

#[inline]
fn transform_8(c: [i64; 8]) -> [i64; 8] {
    // Constants times 2^13.
    const C0_298: i64 = 2446;
    const C0_390: i64 = 3196;
    const C0_541: i64 = 4433;
    const C0_765: i64 = 6270;
    const C0_899: i64 = 7373;
    const C1_175: i64 = 9633;
    const C1_501: i64 = 12299;
    const C1_847: i64 = 15137;
    const C1_961: i64 = 16069;
    const C2_053: i64 = 16819;
    const C2_562: i64 = 20995;
    const C3_072: i64 = 25172;
    // Even part.
    let z1 = (c[2] + c[6]) * C0_541;
    let (t2, t3) = (z1 - c[6] * C1_847, z1 + c[2] * C0_765);
    let (t0, t1) = ((c[0] + c[4]) << 13, (c[0] - c[4]) << 13);
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];
    // Odd part.
    let (z1, z2, z3, z4) = (c[7] + c[1], c[5] + c[3], c[7] + c[3], c[5] + c[1]);
    let z5 = (z3 + z4) * C1_175;
    let (z1, z2) = (-z1 * C0_899, -z2 * C2_562);
    let (z3, z4) = (z5 - z3 * C1_961, z5 - z4 * C0_390);
    let odd =
        [c[1] * C1_501 + z1 + z4, c[3] * C3_072 + z2 + z3, c[5] * C2_053 + z2 + z4, c[7] * C0_298 + z1 + z3];
    [
        even[0] + odd[0],
        even[1] + odd[1],
        even[2] + odd[2],
        even[3] + odd[3],
        even[3] - odd[3],
        even[2] - odd[2],
        even[1] - odd[1],
        even[0] - odd[0],
    ]
}

/// A component at full size. Factors of two are interpolated with a triangle filter, others repeated.
pub(super) fn upsample(frame: &Frame, index: usize, plane: &Plane) -> Vec<u16> {
    let component = &frame.components[index];
    let (h_max, v_max) = (frame.h_max(), frame.v_max());
    let (fx, fy) = (h_max / component.h, v_max / component.v);
    let (rows, columns) = (frame.rows, frame.columns);
    let whole = h_max % component.h == 0 && v_max % component.v == 0;
    // What the component really has; the rest of the plane is padding and must not leak into the edge.
    let width = (columns * component.h).div_ceil(h_max).clamp(1, plane.width);
    let height = (rows * component.v).div_ceil(v_max).clamp(1, plane.height);
    let line = |y: usize| &plane.samples[y.min(height - 1) * plane.width..][..width];
    let mut full = vec![0; rows * columns];
    for (y, out) in full.chunks_exact_mut(columns).enumerate() {
        match (fx, fy) {
            (1, 1) if whole => out.copy_from_slice(&line(y)[..columns]),
            (2, 1) if whole && width > 2 => {
                let near: Vec<u32> = line(y).iter().map(|x| u32::from(*x)).collect();
                double_width(&near, out);
            }
            (2, 2) if whole && width > 2 => {
                let other = if y % 2 == 0 { (y / 2).saturating_sub(1) } else { y / 2 + 1 };
                let lines = line(y / 2).iter().zip(line(other));
                let near: Vec<u32> = lines.map(|(n, o)| triangle(u32::from(*n), u32::from(*o))).collect();
                double_width(&near, out);
            }
            _ => {
                let y = y * component.v / v_max;
                out.iter_mut()
                    .enumerate()
                    .for_each(|(x, o)| *o = line(y)[(x * component.h / h_max).min(width - 1)]);
            }
        }
    }
    full.iter_mut().for_each(|x| *x = (*x + ROUND) >> FRACTION_BITS);
    full
}

fn double_width(near: &[u32], out: &mut [u16]) {
    let last = near.len() - 1;
    for (x, out) in out.iter_mut().enumerate() {
        let at = (x / 2).min(last);
        let neighbour = if x % 2 == 0 { at.saturating_sub(1) } else { (at + 1).min(last) };
        *out = triangle(near[at], near[neighbour]) as u16;
    }
}

/// Three quarters of the nearer sample and one of the other, rounded half up.
fn triangle(near: u32, other: u32) -> u32 {
    (3 * near + other + 2) / 4
}
