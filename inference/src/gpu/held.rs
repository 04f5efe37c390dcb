//! How weights are held for the cases of kernels that take them packed: rounded, in words, and the numbers they mean.

use half::f16;

use super::check::Words;
use super::kernels::conv::Weights;
use super::kernels::unpack::words_of;
use super::memory::Block;

/// How a case holds its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// One word each.
    F32,
    /// Signed bytes with one scale per output channel, with zero points or without.
    Bytes {
        /// Whether there are any.
        zeros: bool,
    },
    /// Half floats.
    Halves,
}

/// Elements before they are laid into words.
pub(crate) enum Raw {
    Codes(Vec<i8>),
    Halves(Vec<u16>),
}

/// The numbers that rounded weights mean, and what a kernel is given for them: words, and of bytes scales and zero
/// points. `channel` is the output channel of a weight, `order` the order in which the kernel reads them.
pub(crate) fn round(
    held: Held,
    weights: &[f32],
    channels: usize,
    channel: impl Fn(usize) -> usize,
    order: impl Fn(Raw) -> Raw,
) -> (Words, Vec<Words>) {
    let (meant, raw, pairs) = match held {
        Held::F32 => return (Words::F32(weights.to_vec()), vec![]),
        Held::Halves => {
            let halves: Vec<f16> = weights.iter().map(|&w| f16::from_f32(w)).collect();
            let meant = halves.iter().map(|h| h.to_f32()).collect();
            (meant, Raw::Halves(halves.iter().map(|h| h.to_bits()).collect()), vec![])
        }
        Held::Bytes { zeros } => {
            let mut largest = vec![f32::MIN_POSITIVE; channels];
            for (i, w) in weights.iter().enumerate() {
                let own = &mut largest[channel(i)];
                *own = own.max(w.abs());
            }
            // Other zero points from channel to channel, and small enough that no code is cut off.
            let pair = |(o, w): (usize, &f32)| match zeros {
                true => [w / 64.0, (o * 5 % 97) as f32 - 48.0],
                false => [w / 127.0, 0.0],
            };
            let pairs: Vec<[f32; 2]> = largest.iter().enumerate().map(pair).collect();
            let code = |(i, w): (usize, &f32)| {
                let [scale, zero] = pairs[channel(i)];
                (w / scale + zero).round() as i8
            };
            let codes: Vec<i8> = weights.iter().enumerate().map(code).collect();
            let meant = |(i, &code): (usize, &i8)| {
                let [scale, zero] = pairs[channel(i)];
                (f32::from(code) - zero) * scale
            };
            let meant = codes.iter().enumerate().map(meant).collect();
            (meant, Raw::Codes(codes), pairs)
        }
    };
    let mut words = vec![Words::U32(match order(raw) {
        Raw::Codes(codes) => words_of(bytemuck::cast_slice(&codes)),
        Raw::Halves(bits) => words_of(bytemuck::cast_slice(&bits)),
    })];
    if !pairs.is_empty() {
        words.push(Words::F32(pairs.concat()));
    }
    (Words::F32(meant), words)
}

/// What a kernel is given: `full` where weights are no words, else the blocks of [`round`].
pub(crate) fn weights(held: Held, full: &Block, words: &[Block]) -> Weights {
    match (held, words) {
        (Held::Bytes { zeros }, [codes, pairs, ..]) => Weights::I8(codes.clone(), pairs.clone(), zeros),
        (Held::Halves, [halves, ..]) => Weights::F16(halves.clone()),
        _ => Weights::F32(full.clone()),
    }
}
