//! Marker segments of a JPEG or JPEG-LS stream (T.81 annex B).
//! An iterator with checked lengths, shared by both families.

pub(in super::super) struct Segment<'a> {
    /// The second byte of the marker.
    pub marker: u8,
    /// Without its length field; empty for markers that stand alone.
    pub body: &'a [u8],
}

pub(in super::super) struct Segments<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Segments<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.starts_with(&[0xFF, 0xD8]) {
            Ok(Self { bytes, pos: 2 })
        } else {
            Err("the stream does not start with the SOI marker".into())
        }
    }

    pub fn next(&mut self) -> Result<Segment<'a>, String> {
        let cut = || "the stream ends before the image".to_owned();
        loop {
            let rest = self.bytes.get(self.pos..).unwrap_or_default();
            match rest {
                // T.81 B.1.1.2: any number of fill bytes before a marker.
                [0xFF, 0xFF, ..] => self.pos += 1,
                [0xFF, marker @ (0x01 | 0xD0..=0xD9), ..] => {
                    self.pos += 2;
                    return Ok(Segment { marker: *marker, body: &[] });
                }
                [0xFF, marker, l1, l0, ..] if *marker != 0 => {
                    let length = usize::from(u16::from_be_bytes([*l1, *l0]));
                    let body = rest.get(4..2 + length).ok_or_else(cut)?;
                    self.pos += 2 + length;
                    return Ok(Segment { marker: *marker, body });
                }
                // Bytes between segments: skipped, as every decoder does.
                [_, _, _, ..] => self.pos += 1,
                _ => return Err(cut()),
            }
        }
    }

    /// What follows the segment read last: the entropy-coded data after a scan header.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.pos..).unwrap_or_default()
    }

    /// Moves to the first marker at or after `used` bytes of `rest`.
    pub fn skip_to_marker(&mut self, used: usize) {
        self.pos += used;
        while let Some([a, b]) = self.bytes.get(self.pos..self.pos + 2) {
            if *a == 0xFF && *b >= 0x80 && !(0xD0..=0xD7).contains(b) && *b != 0xFF {
                return;
            }
            self.pos += 1;
        }
        self.pos = self.bytes.len();
    }
}
