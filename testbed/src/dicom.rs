//! DICOM files made wrong on purpose.
//!
//! Bytes are changed where they stand; a file in which they do not stand panics, because the test would prove nothing.

#![allow(clippy::unwrap_used, reason = "only tests make files with it")]

/// Makes of an uncompressed file one whose header is right and whose pixels are not: RLE without a beginning.
pub fn break_pixels(bytes: &mut Vec<u8>) {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what).unwrap();
    let plain = b"1.2.840.10008.1.2.1\0";
    let at = find(bytes, plain);
    bytes[at + plain.len() - 2] = b'5';
    bytes.truncate(find(bytes, b"\xe0\x7f\x10\0OW"));
    bytes.extend(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\x40\0\0\0");
    bytes.extend([0xff; 0x40]);
    bytes.extend(b"\xfe\xff\xdd\xe0\0\0\0\0");
}
