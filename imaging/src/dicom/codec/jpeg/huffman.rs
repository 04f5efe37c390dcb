//! Huffman tables of JPEG (T.81 annex C and F.2.2.3), for DCT and lossless processes alike.
//! Codes up to ten bits are found in one look-up; longer ones, a few in a thousand, by comparing.

use super::super::bits::Bits;

pub(super) type Stream<'a> = Bits<'a, false>;

const FAST_BITS: u32 = 10;

#[derive(Clone)]
pub(super) struct Table {
    /// Length in the high byte, value in the low one; 0 where the code is longer or none.
    fast: Vec<u16>,
    /// Largest code of each length plus one, left-aligned to 16 bits.
    end: [u32; 17],
    /// Index of a length's first value minus its first code.
    offset: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    /// From the 16 counts and the values; the second result is how many bytes they take.
    pub fn parse(body: &[u8]) -> Result<(Self, usize), String> {
        let counts = body.get(..16).ok_or("a Huffman table is cut")?;
        let total: usize = counts.iter().map(|n| usize::from(*n)).sum();
        let values =
            body.get(16..16 + total).filter(|_| total <= 256).ok_or("a Huffman table is cut")?.to_vec();
        let mut table = Self { fast: vec![0; 1 << FAST_BITS], end: [0; 17], offset: [0; 17], values };
        let (mut code, mut index) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let n = u32::from(counts[length as usize - 1]);
            table.offset[length as usize] = index as i32 - code as i32;
            if code + n > 1 << length {
                return Err("a Huffman table has more codes than fit".into());
            }
            if length <= FAST_BITS {
                for i in 0..n {
                    let entry = (length << 8) as u16 | u16::from(table.values[index + i as usize]);
                    let first = ((code + i) << (FAST_BITS - length)) as usize;
                    table.fast[first..first + (1 << (FAST_BITS - length))].fill(entry);
                }
            }
            index += n as usize;
            code += n;
            table.end[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok((table, 16 + total))
    }

    #[inline]
    pub fn decode(&self, bits: &mut Stream<'_>) -> Result<u8, String> {
        let next = bits.peek(16);
        let entry = self.fast[(next >> (16 - FAST_BITS)) as usize];
        if entry != 0 {
            bits.drop_bits(u32::from(entry >> 8));
            return Ok(entry as u8);
        }
        self.decode_long(bits, next)
    }

    #[cold]
    fn decode_long(&self, bits: &mut Stream<'_>, next: u32) -> Result<u8, String> {
        for length in FAST_BITS + 1..=16 {
            if next < self.end[length as usize] {
                bits.drop_bits(length);
                let index = (next >> (16 - length)) as i32 + self.offset[length as usize];
                return self
                    .values
                    .get(index as usize)
                    .copied()
                    .ok_or_else(|| "a Huffman code is unknown".into());
            }
        }
        Err("a Huffman code is unknown".into())
    }
}

/// T.81 F.2.2.1: `size` extra bits to a signed number.
#[inline]
pub(super) fn extend(bits: &mut Stream<'_>, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let value = bits.read(size) as i32;
    if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
}
