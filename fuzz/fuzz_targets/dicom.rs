//! Any bytes as a file: header, then up to eight frames, each of the size that the header promises.
//! libFuzzer's own memory limit (2 GiB) is the second invariant: the limits below keep far under it.
#![no_main]

use imaging::dicom::{PixelReader, looks_like_dicom, palette, read_header};
use imaging::limits::Limits;
use imaging::source::Buffer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_frame_bytes: 16 << 20, ..Limits::default() };
    let _ = looks_like_dicom(bytes);
    let source = Buffer { name: String::new(), bytes: bytes.to_vec() };
    let Ok(file) = read_header(&source, &limits) else { return };
    let _ = palette(&file);
    let Ok(reader) = PixelReader::open(&source, &file, &limits) else { return };
    let format = reader.format().clone();
    for frame in 0..format.frames.min(8) {
        if let Ok(samples) = reader.frame(frame) {
            let expected = u64::from(format.rows)
                * u64::from(format.columns)
                * u64::from(format.samples_per_pixel)
                * u64::from(format.bits_allocated.div_ceil(8));
            assert_eq!(samples.le_bytes().len() as u64, expected);
        }
    }
});
