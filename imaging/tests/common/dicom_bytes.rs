//! Small DICOM files from nothing, byte by byte, for tests that need to break them.
//! Written here and not with dicom-rs, so that a writer's help cannot hide a reader's fault.

#![allow(dead_code, reason = "each test binary uses a part")]

pub const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
pub const EXPLICIT_BE: &str = "1.2.840.10008.1.2.2";
pub const IMPLICIT_LE: &str = "1.2.840.10008.1.2";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const RLE: &str = "1.2.840.10008.1.2.5";

/// Writes elements in one of the three encodings.
pub struct Writer {
    pub bytes: Vec<u8>,
    pub explicit: bool,
    pub big_endian: bool,
}

impl Writer {
    pub fn new(syntax: &str) -> Self {
        Self { bytes: Vec::new(), explicit: syntax != IMPLICIT_LE, big_endian: syntax == EXPLICIT_BE }
    }

    fn u16(&mut self, x: u16) {
        self.bytes.extend(if self.big_endian { x.to_be_bytes() } else { x.to_le_bytes() });
    }

    fn u32(&mut self, x: u32) {
        self.bytes.extend(if self.big_endian { x.to_be_bytes() } else { x.to_le_bytes() });
    }

    pub fn head(&mut self, tag: (u16, u16), vr: &str, length: u32) {
        self.u16(tag.0);
        self.u16(tag.1);
        if !self.explicit || tag.0 == 0xFFFE {
            self.u32(length);
        } else if ["OB", "OW", "OF", "OD", "SQ", "UN", "UT"].contains(&vr) {
            self.bytes.extend(vr.as_bytes());
            self.u16(0);
            self.u32(length);
        } else {
            self.bytes.extend(vr.as_bytes());
            self.u16(length as u16);
        }
    }

    pub fn put(&mut self, tag: (u16, u16), vr: &str, value: &[u8]) {
        let padded = value.len().next_multiple_of(2);
        self.head(tag, vr, padded as u32);
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len() + padded - value.len(), 0);
    }

    pub fn us(&mut self, tag: (u16, u16), value: u16) {
        let value = if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        self.put(tag, "US", &value);
    }

    /// The Image Pixel module.
    pub fn image(&mut self, image: &Image) {
        self.put((0x0008, 0x0060), "CS", b"OT");
        self.us((0x0028, 0x0002), image.samples);
        self.put((0x0028, 0x0004), "CS", image.photometric.as_bytes());
        if image.samples > 1 {
            self.us((0x0028, 0x0006), image.planar);
        }
        self.put((0x0028, 0x0008), "IS", image.frames.to_string().as_bytes());
        self.us((0x0028, 0x0010), image.rows);
        self.us((0x0028, 0x0011), image.columns);
        self.us((0x0028, 0x0100), image.allocated);
        self.us((0x0028, 0x0101), image.stored);
        self.us((0x0028, 0x0102), image.stored - 1);
        self.us((0x0028, 0x0103), image.signed);
    }
}

#[derive(Clone, Copy)]
pub struct Image {
    pub rows: u16,
    pub columns: u16,
    pub samples: u16,
    pub planar: u16,
    pub frames: u32,
    pub allocated: u16,
    pub stored: u16,
    pub signed: u16,
    pub photometric: &'static str,
}

/// 5 rows, 3 columns: sizes that differ, so that a swap shows.
pub const GREY: Image = Image {
    rows: 5,
    columns: 3,
    samples: 1,
    planar: 0,
    frames: 1,
    allocated: 16,
    stored: 12,
    signed: 1,
    photometric: "MONOCHROME2",
};

/// Preamble, meta group and this data set.
pub fn file(syntax: &str, data_set: &[u8]) -> Vec<u8> {
    let mut meta = Writer::new(EXPLICIT_LE);
    meta.put((0x0002, 0x0010), "UI", syntax.as_bytes());
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend(meta.bytes);
    bytes.extend(data_set);
    bytes
}

/// A whole file with native pixels.
pub fn native(syntax: &str, image: &Image, vr: &str, pixels: &[u8]) -> Vec<u8> {
    let mut data_set = Writer::new(syntax);
    data_set.image(image);
    data_set.put((0x7FE0, 0x0010), vr, pixels);
    file(syntax, &data_set.bytes)
}

/// A whole file with fragments; the first is the offset table.
pub fn encapsulated(syntax: &str, image: &Image, fragments: &[&[u8]]) -> Vec<u8> {
    let mut data_set = Writer::new(EXPLICIT_LE);
    data_set.image(image);
    data_set.head((0x7FE0, 0x0010), "OB", u32::MAX);
    for fragment in fragments {
        data_set.put((0xFFFE, 0xE000), "", fragment);
    }
    data_set.head((0xFFFE, 0xE0DD), "", 0);
    file(syntax, &data_set.bytes)
}

/// xorshift64*: the same mutations on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n.max(1)
    }
}
