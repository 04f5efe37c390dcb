//! What the standard says about bytes, one rule a test, with values computed by hand.
//! The reference index proves that whole files agree; this says which rule broke.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/dicom_bytes.rs"]
mod dicom_bytes;

use dicom_bytes::{
    EXPLICIT_BE, EXPLICIT_LE, GREY, IMPLICIT_LE, Image, RLE, Writer, encapsulated, file, native,
};
use imaging::dicom::{DicomFile, PixelReader, Samples, looks_like_dicom, palette, read_header};
use imaging::limits::Limits;
use imaging::source::Buffer;

fn open(bytes: &[u8]) -> (Buffer, DicomFile) {
    let source = Buffer { name: String::new(), bytes: bytes.to_vec() };
    let file = read_header(&source, &Limits::default()).unwrap();
    (source, file)
}

fn frame(bytes: &[u8], index: u32) -> Samples {
    let (source, file) = open(bytes);
    PixelReader::open(&source, &file, &Limits::default()).unwrap().frame(index).unwrap()
}

#[test]
fn bits_above_bits_stored_become_the_sign() {
    let words: Vec<u8> =
        (0..15_u16).flat_map(|i| (0xA800 | i | if i % 2 == 1 { 0x800 } else { 0 }).to_le_bytes()).collect();
    let Samples::I16(signed) = frame(&native(EXPLICIT_LE, &GREY, "OW", &words), 0) else { panic!() };
    assert_eq!(signed[..3], [-2048, -2047, -2046]);
    let unsigned = Image { signed: 0, ..GREY };
    let Samples::U16(unsigned) = frame(&native(EXPLICIT_LE, &unsigned, "OW", &words), 0) else { panic!() };
    assert_eq!(unsigned[..3], [0x800, 0x801, 0x802]);
}

#[test]
fn the_fast_path_gives_the_same_values() {
    let words: Vec<u8> = (0..30_u8).map(|i| i.wrapping_mul(41)).collect();
    for signed in [0, 1] {
        for syntax in [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE] {
            let bytes = native(syntax, &Image { signed, ..GREY }, "OW", &words);
            let (source, file) = open(&bytes);
            let reader = PixelReader::open(&source, &file, &Limits::default()).unwrap();
            let mut fast = vec![0; 15];
            reader.frame_into_i16(0, &mut fast).unwrap();
            let slow: Vec<i16> = match reader.frame(0).unwrap() {
                Samples::I16(v) => v,
                Samples::U16(v) => v.iter().map(|x| *x as i16).collect(),
                other => panic!("{}", other.kind()),
            };
            assert_eq!(fast, slow, "{syntax} {signed}");
            assert!(reader.frame_into_i16(0, &mut fast[1..]).is_err());
            assert!(reader.frame_into_i16(1, &mut fast).is_err());
        }
    }
}

#[test]
fn sixteen_stored_bits_without_sign_do_not_fit_int16() {
    let bytes = native(EXPLICIT_LE, &Image { signed: 0, stored: 16, ..GREY }, "OW", &[0xFF; 30]);
    let (source, file) = open(&bytes);
    let reader = PixelReader::open(&source, &file, &Limits::default()).unwrap();
    assert!(reader.frame_into_i16(0, &mut [0; 15]).is_err());
    assert_eq!(reader.frame(0).unwrap(), Samples::U16(vec![0xFFFF; 15]));
}

#[test]
fn single_bits_run_on_from_frame_to_frame() {
    let image = Image { allocated: 1, stored: 1, signed: 0, frames: 2, ..GREY };
    // 30 bits, lowest first: frame 0 has bits 0 and 14, frame 1 has bit 15.
    let bytes = native(EXPLICIT_LE, &image, "OB", &[0x01, 0xC0, 0x00, 0x00]);
    let one = |at: &[usize]| Samples::U8((0..15).map(|i| u8::from(at.contains(&i))).collect());
    assert_eq!(frame(&bytes, 0), one(&[0, 14]));
    assert_eq!(frame(&bytes, 1), one(&[0]));
}

#[test]
fn big_endian_words_of_bytes_are_turned_also_in_odd_frames() {
    let image = Image { allocated: 8, stored: 8, signed: 0, frames: 2, ..GREY };
    let bytes: Vec<u8> = (0..30).map(|i| i ^ 1).collect();
    let file = native(EXPLICIT_BE, &image, "OW", &bytes);
    assert_eq!(frame(&file, 0), Samples::U8((0..15).collect()));
    assert_eq!(frame(&file, 1), Samples::U8((15..30).collect()));
    // In OB nothing is turned (PS3.5 A.3).
    assert_eq!(frame(&native(EXPLICIT_BE, &image, "OB", &bytes), 0), Samples::U8(bytes[..15].to_vec()));
}

#[test]
fn planes_become_pixels_and_ybr_becomes_rgb() {
    let image =
        Image { rows: 1, columns: 2, samples: 3, planar: 1, allocated: 8, stored: 8, signed: 0, ..GREY };
    let rgb = Image { photometric: "RGB", ..image };
    assert_eq!(
        frame(&native(EXPLICIT_LE, &rgb, "OB", &[1, 2, 3, 4, 5, 6]), 0),
        Samples::U8(vec![1, 3, 5, 2, 4, 6])
    );
    let ybr = Image { photometric: "YBR_FULL", ..image };
    // Y 76, Cb 85, Cr 255 is pure red; 128 in both is grey.
    let red_and_grey = native(EXPLICIT_LE, &ybr, "OB", &[76, 50, 85, 128, 255, 128]);
    assert_eq!(frame(&red_and_grey, 0), Samples::U8(vec![254, 0, 0, 50, 50, 50]));
    let shared = Image { photometric: "YBR_FULL_422", planar: 0, ..image };
    assert_eq!(
        frame(&native(EXPLICIT_LE, &shared, "OB", &[10, 20, 128, 128]), 0),
        Samples::U8(vec![10, 10, 10, 20, 20, 20])
    );
}

#[test]
fn float_pixels_are_read_as_they_are() {
    let mut data_set = Writer::new(EXPLICIT_LE);
    data_set.image(&GREY);
    let values: Vec<f32> = (0..15).map(|i| i as f32 * 0.1 - 0.5).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    data_set.put((0x7FE0, 0x0008), "OF", &bytes);
    assert_eq!(frame(&file(EXPLICIT_LE, &data_set.bytes), 0), Samples::F32(values));
}

fn rle_frame(value: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[0] = 1;
    bytes[4] = 64;
    bytes.extend([242, value]);
    bytes
}

#[test]
fn frames_are_found_by_either_table_and_without_one() {
    let image = Image { allocated: 8, stored: 8, signed: 0, frames: 2, ..GREY };
    let (a, b) = (rle_frame(3), rle_frame(9));
    // Two fragments to the first frame, one to the second: only a table can tell.
    let table = [0_u32.to_le_bytes(), 82_u32.to_le_bytes()].concat();
    let split = encapsulated(RLE, &image, &[&table, &a[..40], &a[40..], &b]);
    assert_eq!(frame(&split, 0), Samples::U8(vec![3; 15]));
    assert_eq!(frame(&split, 1), Samples::U8(vec![9; 15]));
    let plain = encapsulated(RLE, &image, &[&[], &a, &b]);
    assert_eq!(frame(&plain, 1), Samples::U8(vec![9; 15]));
    // A table that points between fragments is wrong; one fragment a frame decides.
    let wrong = encapsulated(RLE, &image, &[&[0, 0, 0, 0, 7, 0, 0, 0], &a, &b]);
    assert_eq!(frame(&wrong, 1), Samples::U8(vec![9; 15]));
}

#[test]
fn files_without_preamble_meta_group_or_truth_are_read_with_a_warning() {
    for syntax in [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE] {
        let whole = native(syntax, &GREY, "OW", &[3; 30]);
        let mut bare = Writer::new(syntax);
        bare.image(&GREY);
        bare.put((0x7FE0, 0x0010), "OW", &[3; 30]);
        let mut lying =
            native(if syntax == IMPLICIT_LE { EXPLICIT_LE } else { IMPLICIT_LE }, &GREY, "OW", &[]);
        let meta =
            if syntax == IMPLICIT_LE { EXPLICIT_LE } else { IMPLICIT_LE }.len().next_multiple_of(2) + 8;
        lying.truncate(132 + meta);
        lying.extend(&bare.bytes);
        for (bytes, warned) in
            [(&whole, false), (&whole[128..].to_vec(), true), (&bare.bytes, true), (&lying, true)]
        {
            assert!(looks_like_dicom(bytes));
            assert_eq!(open(bytes).1.warnings.is_empty(), !warned, "{syntax}");
            assert_eq!(frame(bytes, 0).len(), 15);
        }
    }
    assert!(!looks_like_dicom(b"%PDF-1.7 and so on, which is no data set"));
    assert!(!looks_like_dicom(&[0; 132]));
}

#[test]
fn names_are_decoded_in_the_character_set_of_their_data_set() {
    // The names of PS3.5 annexes H, I and J.
    let cases: [(&[u8], &[u8], &str); 6] = [
        (b"ISO_IR 100", b"Buc^J\xE9r\xF4me", "Buc^J\u{e9}r\u{f4}me"),
        (b"ISO_IR 192", "Wang^XiaoDong=王^小東".as_bytes(), "Wang^XiaoDong=王^小東"),
        (b"GB18030", b"Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB=", "Wang^XiaoDong=王^小东="),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B=\x1B$B$d$^$@\x1B(B^\x1B$B$?$m$&\x1B(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            b"ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\x1B$B;3ED\x1B(J^\x1B$BB@O:\x1B(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        ),
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7=\x1B$)C\xC8\xAB^\x1B$)C\xB1\xE6\xB5\xBF",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
    ];
    for (set, name, expected) in cases {
        let mut data_set = Writer::new(EXPLICIT_LE);
        data_set.put((0x0008, 0x0005), "CS", set);
        data_set.put((0x0010, 0x0010), "PN", name);
        let (_, file) = open(&file(EXPLICIT_LE, &data_set.bytes));
        let read = file.object.get(dicom_core::Tag(0x0010, 0x0010)).unwrap().to_str().unwrap().into_owned();
        assert_eq!(read, expected, "{}", String::from_utf8_lossy(set));
    }
}

#[test]
fn a_palette_maps_indices_and_leaves_them_in_the_samples() {
    let image = Image { allocated: 8, stored: 8, signed: 0, photometric: "PALETTE COLOR", ..GREY };
    let mut data_set = Writer::new(EXPLICIT_LE);
    data_set.image(&image);
    for n in 0..3 {
        data_set.put((0x0028, 0x1101 + n), "US", &[3, 0, 5, 0, 16, 0]);
    }
    for n in 0..3_u8 {
        data_set.put((0x0028, 0x1201 + u16::from(n)), "OW", &[0, n, 0, 0x80, 0, 0xFF - n]);
    }
    data_set.put((0x7FE0, 0x0010), "OB", &[6; 15]);
    let bytes = file(EXPLICIT_LE, &data_set.bytes);
    assert_eq!(frame(&bytes, 0), Samples::U8(vec![6; 15]));
    let palette = palette(&open(&bytes).1).unwrap();
    assert_eq!(
        [4, 5, 6, 7, 99].map(|i| palette.rgb(i)),
        [[0, 1, 2], [0, 1, 2], [128, 128, 128], [255, 254, 253], [255, 254, 253]]
    );
}

#[test]
fn an_element_longer_than_its_item_is_cut_and_told() {
    let mut data_set = Writer::new(EXPLICIT_LE);
    data_set.image(&GREY);
    data_set.head((0x0040, 0xA730), "SQ", 24);
    data_set.head((0xFFFE, 0xE000), "", 16);
    data_set.head((0x0040, 0xA160), "UT", 400);
    data_set.bytes.extend(b"text");
    data_set.put((0x7FE0, 0x0010), "OW", &[3; 30]);
    let bytes = file(EXPLICIT_LE, &data_set.bytes);
    assert_eq!(open(&bytes).1.warnings.len(), 1);
    assert_eq!(frame(&bytes, 0).len(), 15);
}
