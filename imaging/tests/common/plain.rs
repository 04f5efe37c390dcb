//! NIfTI, zip, PNG and JPEG files made by the tests, byte by byte or by a writer of another crate.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Write;

use imaging::source::Buffer;

/// Sizes that differ per axis.
pub const DIMS: [usize; 3] = [5, 4, 3];

/// What a NIfTI test file says.
#[derive(Clone)]
pub struct Nifti {
    pub version: u8,
    pub big: bool,
    pub data_type: i16,
    pub dim: Vec<i64>,
    pub pixdim: [f64; 5],
    pub codes: [i32; 2],
    pub quaternion: [f64; 3],
    pub offset: [f64; 3],
    pub srow: [[f64; 4]; 3],
    pub scale: [f64; 2],
    pub units: u8,
    pub magic: &'static [u8; 3],
    pub data: Vec<u8>,
}

impl Nifti {
    pub fn new(data_type: i16, data: Vec<u8>) -> Self {
        Self {
            version: 1,
            big: false,
            data_type,
            dim: DIMS.map(|n| n as i64).into(),
            pixdim: [1.0, 0.75, 2.5, 7.25, 0.0],
            codes: [0, 1],
            quaternion: [0.0; 3],
            offset: [0.0; 3],
            srow: [[0.75, 0.0, 0.0, 1.0], [0.0, 2.5, 0.0, 2.0], [0.0, 0.0, 7.25, 3.0]],
            scale: [0.0, 0.0],
            units: 2 | 8,
            magic: b"n+1",
            data,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let two = self.version == 2;
        let mut h = vec![0u8; if two { 544 } else { 352 }];
        let mut put = |at: usize, le: &[u8]| {
            let out = &mut h[at..at + le.len()];
            out.copy_from_slice(le);
            if self.big {
                out.reverse();
            }
        };
        let n = self.dim.len() as i64;
        let dims = std::iter::once(n).chain(self.dim.iter().copied());
        if two {
            put(0, &540i32.to_le_bytes());
            put(12, &self.data_type.to_le_bytes());
            dims.enumerate().for_each(|(i, d)| put(16 + 8 * i, &d.to_le_bytes()));
            self.pixdim.iter().enumerate().for_each(|(i, p)| put(104 + 8 * i, &p.to_le_bytes()));
            put(168, &544i64.to_le_bytes());
            self.scale.iter().enumerate().for_each(|(i, s)| put(176 + 8 * i, &s.to_le_bytes()));
            self.codes.iter().enumerate().for_each(|(i, c)| put(344 + 4 * i, &c.to_le_bytes()));
            let floats = self.quaternion.iter().chain(&self.offset).chain(self.srow.iter().flatten());
            floats.enumerate().for_each(|(i, f)| put(352 + 8 * i, &f.to_le_bytes()));
            put(500, &i32::from(self.units).to_le_bytes());
            h[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
        } else {
            put(0, &348i32.to_le_bytes());
            dims.enumerate().for_each(|(i, d)| put(40 + 2 * i, &(d as i16).to_le_bytes()));
            put(70, &self.data_type.to_le_bytes());
            self.pixdim.iter().enumerate().for_each(|(i, p)| put(76 + 4 * i, &(*p as f32).to_le_bytes()));
            put(108, &352f32.to_le_bytes());
            self.scale.iter().enumerate().for_each(|(i, s)| put(112 + 4 * i, &(*s as f32).to_le_bytes()));
            self.codes.iter().enumerate().for_each(|(i, c)| put(252 + 2 * i, &(*c as i16).to_le_bytes()));
            let floats = self.quaternion.iter().chain(&self.offset).chain(self.srow.iter().flatten());
            floats.enumerate().for_each(|(i, f)| put(256 + 4 * i, &(*f as f32).to_le_bytes()));
            h[123] = self.units;
            h[344..347].copy_from_slice(self.magic);
        }
        h.extend(&self.data);
        h
    }

    pub fn file(&self) -> Buffer {
        file("test.nii", self.bytes())
    }
}

pub fn file(name: &str, bytes: Vec<u8>) -> Buffer {
    Buffer { name: name.into(), bytes }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A zip archive of deflated entries.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in entries {
        out.start_file(*name, options).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

pub fn png(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}
