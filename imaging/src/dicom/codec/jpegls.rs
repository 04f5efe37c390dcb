//! JPEG-LS, lossless and near-lossless (ITU-T T.87), 2 to 16 bits, all three interleave modes.
//! Our own decoder: the pure-Rust crate at hand reads one component only, and hospitals send colour.

use super::super::format::PixelFormat;
use super::super::samples::Samples;
use super::bits::Bits;
use super::jpeg::segments::{Segment, Segments};

type Stream<'a> = Bits<'a, true>;

/// T.87 table A.1, the order of run-length codes.
const J: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Samples, String> {
    let components = format.samples_per_pixel as usize;
    let (rows, columns) = (format.rows as usize, format.columns as usize);
    let mut precision = 0;
    let mut preset = [0_i32; 5];
    let mut segments = Segments::new(bytes)?;
    // As decoded: for one component the image itself, for three their interleaving by pixel.
    let mut image: Vec<u16> = Vec::new();
    let mut scans_left = components;
    while scans_left > 0 {
        let Segment { marker, body } = segments.next()?;
        match marker {
            0xF7 => {
                let [bits, r1, r0, c1, c0, n, ..] = body else {
                    return Err("the frame header is cut".into());
                };
                let stated = (u16::from_be_bytes([*r1, *r0]), u16::from_be_bytes([*c1, *c0]), *n);
                if (usize::from(stated.0), usize::from(stated.1), usize::from(*n))
                    != (rows, columns, components)
                {
                    return Err(format!(
                        "the stream has {} x {} pixels of {n} samples, the header {columns} x {rows} of {components}",
                        stated.1, stated.0
                    ));
                }
                if !(2..=16).contains(bits) || u32::from(*bits) > format.bits_allocated {
                    return Err(format!(
                        "{bits} bits per sample do not fit {} allocated",
                        format.bits_allocated
                    ));
                }
                precision = u32::from(*bits);
                image = vec![0; rows * columns * components];
            }
            // T.87 C.2.4.1: preset parameters.
            0xF8 => match body {
                [1, rest @ ..] if rest.len() >= 10 => {
                    for (value, b) in preset.iter_mut().zip(rest.as_chunks::<2>().0) {
                        *value = i32::from(u16::from_be_bytes(*b));
                    }
                }
                [id, ..] => {
                    return Err(format!("LSE segment {id} (mapping tables, large sizes) is not supported"));
                }
                [] => return Err("an LSE segment is empty".into()),
            },
            0xDD if body.iter().any(|b| *b != 0) => return Err("restart intervals are not supported".into()),
            // HP's colour transform; id 0 is none.
            0xE8 if body.starts_with(b"mrfx") && body.get(4).is_some_and(|id| *id != 0) => {
                return Err("the HP colour transform is not supported".into());
            }
            0xDA => {
                if precision == 0 {
                    return Err("a scan comes before the frame header".into());
                }
                let n = usize::from(*body.first().ok_or("the scan header is empty")?);
                let Some(&[near, interleave, transform]) = body.get(1 + 2 * n..4 + 2 * n) else {
                    return Err("the scan header is cut".into());
                };
                if transform & 0x0F != 0 {
                    return Err("the point transform is not supported".into());
                }
                let parameters = Parameters::new(precision, i32::from(near), preset)?;
                let mut scan = Scan::new(parameters, Bits::new(segments.rest()));
                let first = components - scans_left;
                match (interleave, n) {
                    (0, 1) => scan.lines(&mut image, columns, components, first, 1)?,
                    (1, n) if n == components && scans_left == n => {
                        scan.lines(&mut image, columns, n, 0, n)?
                    }
                    (2, n) if n == components && scans_left == n => scan.pixels(&mut image, columns, n)?,
                    _ => return Err(format!("{n} components with interleave mode {interleave} in a scan")),
                }
                scans_left -= n;
                let used = scan.bits.rest();
                segments.skip_to_marker(used);
            }
            0xD9 => return Err(format!("the stream ends with {scans_left} components missing")),
            _ => {}
        }
    }
    let mut samples = Samples::from_ints(format, image.iter().map(|x| i32::from(*x)));
    // JPEG-LS knows no sign: the precision of the stream tells where it is.
    if format.signed {
        samples.extend(precision);
    }
    Ok(samples)
}

struct Parameters {
    maxval: i32,
    near: i32,
    /// Quantised gradients from -maxval to maxval (T.87 A.3.3).
    quantized: Vec<i8>,
    reset: i32,
    range: i32,
    qbpp: u32,
    limit: u32,
}

impl Parameters {
    // T.87 A.2.1 and C.2.4.1.1.
    fn new(precision: u32, near: i32, preset: [i32; 5]) -> Result<Self, String> {
        let full = (1 << precision) - 1;
        let maxval = if preset[0] == 0 { full } else { preset[0] };
        if maxval > full || near > maxval / 2 {
            return Err(format!("MAXVAL {maxval} and NEAR {near} are impossible for {precision} bits"));
        }
        let bound = |t: i32, low: i32| if t > maxval || t < low { low } else { t };
        let (t1, t2, t3) = if maxval >= 128 {
            let factor = (maxval.min(4095) + 128) / 256;
            (factor + 2 + 3 * near, factor * 4 + 3 + 5 * near, factor * 17 + 4 + 7 * near)
        } else {
            let factor = 256 / (maxval + 1);
            ((3 / factor + 3 * near).max(2), (7 / factor + 5 * near).max(3), (21 / factor + 7 * near).max(4))
        };
        let stated = |preset: i32, default: i32| if preset == 0 { default } else { preset };
        let t1 = stated(preset[1], bound(t1, near + 1));
        let t2 = stated(preset[2], bound(t2, t1));
        let t3 = stated(preset[3], bound(t3, t2));
        let reset = stated(preset[4], 64);
        if !(near < t1 && t1 <= t2 && t2 <= t3) || reset < 3 {
            return Err(format!("thresholds {t1}, {t2}, {t3} and RESET {reset} are out of order"));
        }
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let ceil_log2 = |n: i32| 32 - (n - 1).leading_zeros();
        let bpp = ceil_log2(maxval + 1).max(2);
        let quantized = (-maxval..=maxval)
            .map(|d| {
                let level = match d.abs() {
                    d if d <= near => 0,
                    d if d < t1 => 1,
                    d if d < t2 => 2,
                    d if d < t3 => 3,
                    _ => 4,
                };
                level * d.signum() as i8
            })
            .collect();
        Ok(Self {
            maxval,
            near,
            quantized,
            reset,
            range,
            qbpp: ceil_log2(range),
            limit: 2 * (bpp + bpp.max(8)),
        })
    }
}

#[derive(Clone, Copy)]
struct Context {
    a: i32,
    b: i32,
    c: i32,
    n: i32,
}

#[derive(Clone, Copy)]
struct RunContext {
    a: i32,
    n: i32,
    negative: i32,
}

struct Scan<'a> {
    p: Parameters,
    bits: Stream<'a>,
    /// 365, and the rest of a power of two so that an index needs no check.
    contexts: Box<[Context; 512]>,
    run_contexts: [RunContext; 2],
}

impl<'a> Scan<'a> {
    fn new(p: Parameters, bits: Stream<'a>) -> Self {
        let a = ((p.range + 32) / 64).max(2);
        Self {
            p,
            bits,
            contexts: Box::new([Context { a, b: 0, c: 0, n: 1 }; 512]),
            run_contexts: [RunContext { a, n: 1, negative: 0 }; 2],
        }
    }

    /// Line by line, `lines` components in turn; component `first` onwards of `stride` in the image.
    fn lines(
        &mut self,
        image: &mut [u16],
        columns: usize,
        stride: usize,
        first: usize,
        lines: usize,
    ) -> Result<(), String> {
        // One sample of margin on either side: T.87 A.2.1 defines what stands there.
        let mut above = vec![vec![0_i32; columns + 2]; lines];
        let mut here = above.clone();
        let mut run_index = vec![0; lines];
        for row in image.chunks_exact_mut(columns * stride) {
            for component in 0..lines {
                let (above, here) = (&mut above[component], &mut here[component]);
                above[columns + 1] = above[columns];
                here[0] = above[1];
                if self.p.near == 0 {
                    self.line::<true>(above, here, &mut run_index[component])?;
                } else {
                    self.line::<false>(above, here, &mut run_index[component])?;
                }
                row[first + component..]
                    .iter_mut()
                    .step_by(stride)
                    .zip(&here[1..=columns])
                    .for_each(|(o, x)| *o = *x as u16);
                std::mem::swap(above, here);
            }
        }
        Ok(())
    }

    fn line<const LOSSLESS: bool>(
        &mut self,
        above: &[i32],
        here: &mut [i32],
        run_index: &mut usize,
    ) -> Result<(), String> {
        // A copy on the stack, so that the accumulator can live in a register.
        let mut bits = std::mem::replace(&mut self.bits, Stream::new(&[]));
        let columns = here.len() - 2;
        let above = &above[..columns + 2];
        let mut x = 1;
        let (mut a, mut c, mut b) = (here[0], above[0], above[1]);
        while x <= columns {
            let d = above[x + 1];
            let q = self.context_of(d - b, b - c, c - a);
            if q != 0 {
                a = self.regular::<LOSSLESS>(&mut bits, q, a, b, c);
                here[x] = a;
                c = b;
                b = d;
                x += 1;
                continue;
            }
            // T.87 A.7: run mode.
            let run = run_length(&mut bits, columns + 1 - x, run_index)?;
            here[x..x + run].fill(a);
            x += run;
            if x <= columns {
                let b = above[x];
                let kind = usize::from((a - b).abs() <= self.p.near);
                a = self.run_interruption(&mut bits, a, b, kind, *run_index);
                here[x] = a;
                *run_index = run_index.saturating_sub(1);
                x += 1;
            }
            if x <= columns {
                c = above[x - 1];
                b = above[x];
            }
        }
        self.bits = bits;
        if self.bits.overrun() { Err("the stream ends before the image".into()) } else { Ok(()) }
    }

    /// Pixel by pixel, all components of one before the next (T.87 B.3, interleave mode 2).
    fn pixels(&mut self, image: &mut [u16], columns: usize, n: usize) -> Result<(), String> {
        let mut above = vec![[0_i32; 4]; columns + 2];
        let mut here = above.clone();
        let mut run_index = 0;
        let mut bits = std::mem::replace(&mut self.bits, Stream::new(&[]));
        for row in image.chunks_exact_mut(columns * n) {
            above[columns + 1] = above[columns];
            here[0] = above[1];
            let mut x = 1;
            while x <= columns {
                let (a, b, c, d) = (here[x - 1], above[x], above[x - 1], above[x + 1]);
                let mut q = [0; 4];
                for i in 0..n.min(4) {
                    q[i] = self.context_of(d[i] - b[i], b[i] - c[i], c[i] - a[i]);
                }
                if q != [0; 4] {
                    for i in 0..n.min(4) {
                        here[x][i] = self.regular::<false>(&mut bits, q[i], a[i], b[i], c[i]);
                    }
                    x += 1;
                    continue;
                }
                let run = run_length(&mut bits, columns + 1 - x, &mut run_index)?;
                here[x..x + run].fill(a);
                x += run;
                if x <= columns {
                    for i in 0..n.min(4) {
                        here[x][i] = self.run_interruption(&mut bits, a[i], above[x][i], 0, run_index);
                    }
                    run_index = run_index.saturating_sub(1);
                    x += 1;
                }
            }
            for (out, pixel) in row.chunks_exact_mut(n).zip(&here[1..]) {
                out.iter_mut().zip(pixel).for_each(|(o, x)| *o = *x as u16);
            }
            if bits.overrun() {
                return Err("the stream ends before the image".into());
            }
            std::mem::swap(&mut above, &mut here);
        }
        self.bits = bits;
        Ok(())
    }

    /// Signed context index; 0 means run mode.
    #[inline]
    fn context_of(&self, d1: i32, d2: i32, d3: i32) -> i32 {
        let q = |d: i32| i32::from(self.p.quantized.get((d + self.p.maxval) as usize).copied().unwrap_or(0));
        (q(d1) * 9 + q(d2)) * 9 + q(d3)
    }

    // T.87 A.4 to A.6.
    #[inline]
    fn regular<const LOSSLESS: bool>(
        &mut self,
        bits: &mut Stream<'_>,
        q: i32,
        a: i32,
        b: i32,
        c: i32,
    ) -> i32 {
        let p = &self.p;
        let near = if LOSSLESS { 0 } else { p.near };
        let sign = if q < 0 { -1 } else { 1 };
        let context = &mut self.contexts[(q.unsigned_abs() & 511) as usize];
        // A.4.1: the median edge detector.
        let (low, high) = (a.min(b), a.max(b));
        let predicted = if c >= high {
            low
        } else if c <= low {
            high
        } else {
            a + b - c
        };
        let predicted = (predicted + sign * context.c).clamp(0, p.maxval);
        let k = golomb_order(context.n, context.a);
        let mapped = golomb(bits, k, p.limit, p.qbpp);
        let mut error = (mapped >> 1) as i32 ^ -((mapped & 1) as i32);
        if near == 0 && k == 0 && 2 * context.b <= -context.n {
            error = !error;
        }
        // A.6.1: clamped, so that a damaged stream cannot push the sums out of range.
        let magnitude = error.clamp(-0x1_0000, 0x1_0000);
        context.b += magnitude * (2 * near + 1);
        context.a += magnitude.abs();
        if context.n == p.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        if context.b <= -context.n {
            context.b = (context.b + context.n).max(1 - context.n);
            context.c = (context.c - 1).max(-128);
        } else if context.b > 0 {
            context.b = (context.b - context.n).min(0);
            context.c = (context.c + 1).min(127);
        }
        if LOSSLESS {
            // RANGE is MAXVAL + 1, a power of two unless the stream presets another.
            let value = predicted + sign * magnitude;
            let wrapped = if value < 0 {
                value + p.range
            } else if value > p.maxval {
                value - p.range
            } else {
                value
            };
            return wrapped.clamp(0, p.maxval);
        }
        reconstruct(p, predicted, sign * magnitude)
    }

    // T.87 A.7.2; `kind` is RItype.
    fn run_interruption(
        &mut self,
        bits: &mut Stream<'_>,
        a: i32,
        b: i32,
        kind: usize,
        run_index: usize,
    ) -> i32 {
        let p = &self.p;
        let context = &mut self.run_contexts[kind];
        let sum = if kind == 1 { context.a + (context.n >> 1) } else { context.a };
        let k = golomb_order(context.n, sum);
        let mapped = golomb(bits, k, p.limit - J[run_index] - 1, p.qbpp).min(0x2_0000);
        let twice = mapped as i32 + kind as i32;
        let odd = twice & 1 == 1;
        let magnitude = (twice + i32::from(odd)) / 2;
        let likely_negative = k != 0 || 2 * context.negative >= context.n;
        let error = if likely_negative == odd { -magnitude } else { magnitude };
        if error < 0 {
            context.negative += 1;
        }
        context.a += (mapped as i32 + 1 - kind as i32) >> 1;
        if context.n == p.reset {
            context.a >>= 1;
            context.n >>= 1;
            context.negative >>= 1;
        }
        context.n += 1;
        let (predicted, sign) = if kind == 1 { (a, 1) } else { (b, if a > b { -1 } else { 1 }) };
        reconstruct(p, predicted, sign * error)
    }
}

// T.87 A.7.1
fn run_length(bits: &mut Stream<'_>, left: usize, run_index: &mut usize) -> Result<usize, String> {
    let mut run = 0;
    while run < left {
        if bits.read(1) == 0 {
            let tail = bits.read(J[*run_index]) as usize;
            if tail >= left - run {
                return Err("a run is longer than its line".into());
            }
            return Ok(run + tail);
        }
        let step = 1 << J[*run_index];
        if step <= left - run {
            *run_index = (*run_index + 1).min(31);
        }
        run += step.min(left - run);
    }
    Ok(left)
}

// T.87 A.5.1: the smallest k with `n << k >= a`.
#[inline]
fn golomb_order(n: i32, a: i32) -> u32 {
    let (n, a) = (n as u32, a as u32);
    if n >= a {
        return 0;
    }
    // Both have their highest bit where the logarithm says, so k is this or one more.
    let k = n.leading_zeros() - a.leading_zeros();
    k + u32::from((n << k) < a)
}

// T.87 A.5.3
#[inline]
fn golomb(bits: &mut Stream<'_>, k: u32, limit: u32, qbpp: u32) -> u32 {
    let escape = limit.saturating_sub(qbpp + 1);
    // Nearly every code fits the 32 bits that are at hand: one look, one step.
    let next = bits.peek(32);
    let zeros = next.leading_zeros();
    if zeros < escape && zeros + 1 + k <= 32 {
        bits.drop_bits(zeros + 1 + k);
        let low = (u64::from(next) >> (31 - zeros - k)) as u32 & ((1 << k) - 1);
        return (zeros << k) + low;
    }
    let zeros = bits.unary(limit + 1);
    if zeros < escape { (zeros << k) + bits.read(k) } else { bits.read(qbpp) + 1 }
}

// T.87 A.4.5 and A.8
#[inline]
fn reconstruct(p: &Parameters, predicted: i32, error: i32) -> i32 {
    let step = 2 * p.near + 1;
    let mut value = predicted + error * step;
    if value < -p.near {
        value += p.range * step;
    } else if value > p.maxval + p.near {
        value -= p.range * step;
    }
    value.clamp(0, p.maxval)
}
