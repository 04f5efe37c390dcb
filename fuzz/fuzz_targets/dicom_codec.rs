//! Any bytes as one compressed frame: the first four choose codec and format, the rest is the stream.
//! The header around it is written here, so that the fuzzer spends its time inside the codecs.
#![no_main]

use imaging::dicom::{PixelReader, read_header};
use imaging::limits::Limits;
use imaging::source::Buffer;
use libfuzzer_sys::fuzz_target;

const SYNTAXES: [&str; 8] = [
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.8.1",
];

fn put(bytes: &mut Vec<u8>, tag: [u8; 4], vr: &[u8; 2], value: &[u8]) {
    bytes.extend(tag);
    bytes.extend(vr);
    let padded = value.len().next_multiple_of(2);
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len() + padded - value.len(), 0);
}

fuzz_target!(|input: &[u8]| {
    let [syntax, shape, rows, columns, stream @ ..] = input else { return };
    let colour = shape & 1 == 1;
    let allocated: u16 = if shape & 2 == 0 { 8 } else { 16 };
    let stored = if shape & 4 == 0 { allocated } else { allocated - 4 };
    let (rows, columns) = (u16::from(*rows) + 1, u16::from(*columns) + 1);

    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    put(&mut bytes, [2, 0, 0x10, 0], b"UI", SYNTAXES[usize::from(*syntax) % SYNTAXES.len()].as_bytes());
    let mut us = |element: u8, value: u16| put(&mut bytes, [0x28, 0, element, 0], b"US", &value.to_le_bytes());
    us(0x02, if colour { 3 } else { 1 });
    us(0x10, rows);
    us(0x11, columns);
    for (element, value) in [(0, allocated), (1, stored), (2, stored - 1), (3, u16::from(shape >> 3 & 1))] {
        put(&mut bytes, [0x28, 0, element, 1], b"US", &value.to_le_bytes());
    }
    bytes.extend([0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    for fragment in [&[][..], stream] {
        bytes.extend([0xFE, 0xFF, 0x00, 0xE0]);
        bytes.extend((fragment.len() as u32).to_le_bytes());
        bytes.extend(fragment);
    }
    bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);

    let limits = Limits::default();
    let source = Buffer { name: String::new(), bytes };
    let Ok(file) = read_header(&source, &limits) else { return };
    let Ok(reader) = PixelReader::open(&source, &file, &limits) else { return };
    if let Ok(samples) = reader.frame(0) {
        let expected = usize::from(rows) * usize::from(columns) * if colour { 3 } else { 1 } * usize::from(allocated / 8);
        assert_eq!(samples.le_bytes().len(), expected);
    }
});
