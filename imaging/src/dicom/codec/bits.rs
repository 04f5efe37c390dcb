//! Bits of an entropy-coded segment, most significant first, with the stuffing of JPEG (T.81 F.1.2.3) or of
//! JPEG-LS (T.87 A.1). Past the end it yields zeros and counts them, so that the inner loops need no branch
//! for it; the decoder asks `overrun` once per line.

pub(super) struct Bits<'a, const JPEG_LS: bool> {
    bytes: &'a [u8],
    pos: usize,
    /// The next bits, left-aligned.
    acc: u64,
    have: u32,
    /// Bits of `have` that were made up after the end.
    made_up: u32,
    last_was_ff: bool,
}

impl<'a, const JPEG_LS: bool> Bits<'a, JPEG_LS> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0, acc: 0, have: 0, made_up: 0, last_was_ff: false }
    }

    /// At least 32 bits are in the accumulator afterwards (more than any code and its extra bits).
    #[inline]
    fn fill(&mut self) {
        // Four bytes without 0xFF hold no stuffing and no marker: the common case, taken at once.
        if self.have <= 32
            && !self.last_was_ff
            && let Some(next) = self.bytes.get(self.pos..self.pos + 4)
        {
            let word = u32::from_be_bytes([next[0], next[1], next[2], next[3]]);
            if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                self.acc |= u64::from(word) << (32 - self.have);
                self.have += 32;
                self.pos += 4;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        while self.have <= 56 {
            let next = self.bytes.get(self.pos).copied();
            let after = self.bytes.get(self.pos + 1).copied();
            match next {
                Some(0xFF) if !JPEG_LS && after == Some(0) => {
                    self.push(0xFF, 8);
                    self.pos += 2;
                }
                // A marker, or a lone 0xFF at the end.
                Some(0xFF) if !JPEG_LS || after.is_none_or(|b| b >= 0x80) => self.make_up(),
                Some(byte) if self.last_was_ff => {
                    self.push(byte & 0x7F, 7);
                    self.pos += 1;
                    self.last_was_ff = false;
                }
                Some(byte) => {
                    self.push(byte, 8);
                    self.pos += 1;
                    self.last_was_ff = JPEG_LS && byte == 0xFF;
                }
                None => self.make_up(),
            }
        }
    }

    fn push(&mut self, value: u8, bits: u32) {
        self.acc |= u64::from(value) << (64 - bits - self.have);
        self.have += bits;
    }

    fn make_up(&mut self) {
        self.have += 8;
        self.made_up += 8;
    }

    /// Whether bits were used that the stream does not have.
    pub fn overrun(&self) -> bool {
        self.made_up > self.have
    }

    /// Where the byte after the segment is, once all its bits are read.
    pub fn rest(&self) -> usize {
        self.pos
    }

    /// The next `n` bits (at most 32) without using them.
    #[inline]
    pub fn peek(&mut self, n: u32) -> u32 {
        if self.have < 32 {
            self.fill();
        }
        ((self.acc >> 32) >> (32 - n)) as u32
    }

    #[inline]
    pub fn drop_bits(&mut self, n: u32) {
        self.acc <<= n;
        self.have = self.have.saturating_sub(n);
    }

    /// The next `n` bits, at most 32.
    #[inline]
    pub fn read(&mut self, n: u32) -> u32 {
        let value = self.peek(n);
        self.drop_bits(n);
        value
    }

    /// Zeros before the next one, which is used up too; at most `limit`, then nothing more is used.
    #[inline]
    pub fn unary(&mut self, limit: u32) -> u32 {
        let mut zeros = 0;
        loop {
            if self.have < 32 {
                self.fill();
            }
            let run = (self.acc >> 32).leading_zeros() - 32;
            if run < 32 {
                zeros += run;
                if zeros >= limit {
                    // Damaged: no code has so many zeros.
                    self.drop_bits(run + 1);
                    return limit;
                }
                self.drop_bits(run + 1);
                return zeros;
            }
            zeros += 32;
            self.drop_bits(32);
            if zeros >= limit {
                return limit;
            }
        }
    }
}
