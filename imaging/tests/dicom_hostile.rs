//! Files made to hurt: lying lengths, bombs, depth, truncation, and thousands of mutations.
//! Memory is counted by the allocator itself, because a refusal that comes after the allocation is no guard.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/dicom_bytes.rs"]
mod dicom_bytes;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write as _;

use dicom_bytes::{DEFLATED, EXPLICIT_BE, EXPLICIT_LE, GREY, IMPLICIT_LE, Image, RLE, Random, Writer};
use dicom_bytes::{encapsulated, file, native};
use imaging::dicom::{DicomError, PixelReader, looks_like_dicom, read_header};
use imaging::limits::Limits;
use imaging::source::Buffer;

struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// SAFETY: every call goes to the system allocator unchanged; only sizes are added up.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What happened, and the most memory that was held at a time beyond the file.
fn read(bytes: &[u8], limits: &Limits) -> (Result<usize, DicomError>, usize) {
    let source = Buffer { name: String::new(), bytes: bytes.to_vec() };
    let before = NOW.get();
    PEAK.set(before);
    let _ = looks_like_dicom(bytes);
    let result = read_header(&source, limits).and_then(|file| {
        let reader = PixelReader::open(&source, &file, limits)?;
        let format = reader.format().clone();
        let mut total = 0;
        for frame in 0..format.frames.min(50) {
            let length = reader.frame(frame)?.le_bytes().len();
            let expected = format.rows as usize
                * format.columns as usize
                * format.samples_per_pixel as usize
                * (format.bits_allocated as usize).div_ceil(8);
            assert_eq!(length, expected, "a frame of the wrong size");
            total += length;
        }
        Ok(total)
    });
    (result, (PEAK.get() - before) as usize)
}

const MIB: usize = 1 << 20;

fn image_set(change: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut data_set = Writer::new(EXPLICIT_LE);
    data_set.image(&GREY);
    change(&mut data_set);
    file(EXPLICIT_LE, &data_set.bytes)
}

#[test]
fn a_good_file_reads_so_the_refusals_below_mean_something() {
    let (result, peak) = read(&native(EXPLICIT_LE, &GREY, "OW", &[0; 30]), &Limits::default());
    assert_eq!(result.unwrap(), 30);
    assert!(peak < MIB, "{peak}");
}

#[test]
fn a_length_beyond_the_file_allocates_nothing_of_that_size() {
    for length in [0x7FFF_FFFE, 0xFFFF_FFFE, 12 << 20] {
        let bytes = image_set(|w| w.head((0x0042, 0x0011), "OB", length));
        let (result, peak) = read(&bytes, &Limits::default());
        assert!(result.is_err() && peak < 4 * MIB, "{length}: {peak}");
        let (result, peak) = read(&image_set(|w| w.head((0x7FE0, 0x0010), "OW", length)), &Limits::default());
        // A long enough promise with too few bytes behind it.
        assert!(matches!(result, Err(DicomError::Truncated { .. })) && peak < 4 * MIB, "{length}: {peak}");
    }
}

#[test]
fn a_deflate_bomb_is_refused_at_the_limit() {
    let mut data_set = Writer::new(EXPLICIT_LE);
    data_set.image(&Image { rows: 16384, columns: 16384, ..GREY });
    data_set.head((0x7FE0, 0x0010), "OW", 512 << 20);
    let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflater.write_all(&data_set.bytes).unwrap();
    let zeros = vec![0; MIB];
    for _ in 0..128 {
        deflater.write_all(&zeros).unwrap();
    }
    let bytes = file(DEFLATED, &deflater.finish().unwrap());
    assert!(bytes.len() < MIB);
    let (result, peak) = read(&bytes, &Limits::default());
    assert!(result.is_err());
    // The bound is 32 MiB or 200 times; vectors that grow hold twice their content.
    assert!(peak < 100 * MIB, "{peak}");
}

#[test]
fn sequences_without_end_stop_at_the_depth_limit() {
    for (vr, length) in [("SQ", u32::MAX), ("UN", u32::MAX), ("SQ", 0x00FF_FFFF)] {
        let bytes = image_set(|w| {
            for _ in 0..100_000 {
                w.head((0x0040, 0xA730), vr, length);
                w.head((0xFFFE, 0xE000), "", u32::MAX);
                w.explicit = vr != "UN";
            }
        });
        let (result, _) = read(&bytes, &Limits::default());
        assert!(matches!(result, Err(DicomError::Limit { .. })), "{vr} {length}: {result:?}");
    }
}

#[test]
fn items_without_number_stop_at_the_element_limit() {
    let limits = Limits { max_elements: 1000, ..Limits::default() };
    let bytes = image_set(|w| {
        w.head((0x0040, 0xA730), "SQ", u32::MAX);
        (0..2000).for_each(|_| w.head((0xFFFE, 0xE000), "", 0));
    });
    assert!(matches!(read(&bytes, &limits).0, Err(DicomError::Limit { .. })));
}

#[test]
fn a_header_of_empty_items_holds_no_more_than_the_stated_multiple() {
    let bytes = image_set(|w| {
        w.head((0x0040, 0xA730), "SQ", u32::MAX);
        (0..500_000).for_each(|_| w.head((0xFFFE, 0xE000), "", 0));
    });
    let (_, peak) = read(&bytes, &Limits::default());
    assert!(peak < 16 * bytes.len() + 2 * MIB, "{peak} for {}", bytes.len());
}

#[test]
fn absurd_dimensions_are_refused_before_their_memory() {
    for image in [
        Image { rows: 65535, columns: 65535, ..GREY },
        Image { rows: 0, ..GREY },
        Image { columns: 0, ..GREY },
        Image { frames: u32::MAX, rows: 4096, columns: 4096, ..GREY },
        Image { stored: 17, ..GREY },
        Image { allocated: 12, ..GREY },
        Image { samples: 7, ..GREY },
    ] {
        for bytes in
            [native(EXPLICIT_LE, &image, "OW", &[0; 30]), encapsulated(RLE, &image, &[&[], &[1; 64]])]
        {
            let (result, peak) = read(&bytes, &Limits::default());
            assert!(result.is_err() && peak < 2 * MIB, "{} x {}: {peak}", image.columns, image.rows);
        }
    }
}

#[test]
fn a_frame_that_expands_too_far_is_refused_before_its_memory() {
    let image = Image { rows: 8192, columns: 8192, ..GREY };
    for syntax in [RLE, "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"] {
        let (result, peak) = read(&encapsulated(syntax, &image, &[&[], &[2; 64]]), &Limits::default());
        assert!(
            matches!(result, Err(DicomError::Limit { .. })) && peak < 2 * MIB,
            "{syntax}: {result:?} {peak}"
        );
    }
}

#[test]
fn an_unknown_or_undecodable_syntax_is_refused_by_name() {
    for (uid, name) in
        [("1.2.840.10008.1.2.4.102", "MPEG-4"), ("1.2.840.10008.1.2.4.110", "JPEG XL"), ("1.2.3", "unknown")]
    {
        let (result, _) = read(&encapsulated(uid, &GREY, &[&[], &[1; 64]]), &Limits::default());
        let text = result.unwrap_err().to_string();
        assert!(text.contains(uid) && text.contains(name), "{text}");
    }
}

#[test]
fn every_cut_of_a_file_ends_in_an_error() {
    let whole = native(EXPLICIT_LE, &GREY, "OW", &[7; 30]);
    for length in 0..whole.len() {
        assert!(read(&whole[..length], &Limits::default()).0.is_err(), "cut at {length}");
    }
}

fn shared_files() -> Vec<Vec<u8>> {
    let Some(data) = testbed::reference("data") else {
        println!("only files made here are mutated");
        return Vec::new();
    };
    let mut index = csv::Reader::from_path(data.join("dicom/INDEX.csv")).unwrap();
    let small = |row: &csv::StringRecord| row[1].parse::<u64>().is_ok_and(|size| size < 40_000);
    let rows = index.records().map(Result::unwrap).filter(small);
    rows.map(|row| std::fs::read(data.join(&row[0])).unwrap()).collect()
}

fn made_files() -> Vec<Vec<u8>> {
    let colour = Image { samples: 3, planar: 1, allocated: 8, stored: 8, photometric: "RGB", ..GREY };
    let bits = Image { allocated: 1, stored: 1, frames: 3, ..GREY };
    let rle =
        [&[2, 0, 0, 0, 64, 0, 0, 0, 70, 0, 0, 0][..], &[0; 52], &[14, 1, 2, 3, 4, 5], &[242, 9]].concat();
    vec![
        native(EXPLICIT_LE, &GREY, "OW", &[7; 30]),
        native(EXPLICIT_BE, &GREY, "OW", &[7; 30]),
        native(IMPLICIT_LE, &GREY, "OW", &[7; 30]),
        native(EXPLICIT_LE, &colour, "OB", &[7; 45]),
        native(EXPLICIT_LE, &bits, "OB", &[7; 6]),
        encapsulated(RLE, &GREY, &[&[], &rle]),
        image_set(|w| {
            w.head((0x0040, 0xA730), "SQ", u32::MAX);
            w.head((0xFFFE, 0xE000), "", 26);
            w.put((0x0008, 0x0005), "CS", b"ISO 2022 IR 87");
            w.put((0x7FE0, 0x0010), "OW", &[7; 30]);
        }),
    ]
}

fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    const LOUD: [u8; 6] = [0x00, 0xFF, 0x7F, 0x80, 0x01, 0xFE];
    let mut bytes = bytes.to_vec();
    // Half of the changes go to the last part, where compressed streams are; the rest anywhere.
    for _ in 0..=random.below(3) {
        let n = bytes.len();
        if n < 4 {
            break;
        }
        let from = if random.below(2) == 0 { 0 } else { n / 4 };
        let at = from + random.below(n - from);
        match random.below(6) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = LOUD[random.below(LOUD.len())],
            3 => bytes[at..n.min(at + 4)].fill(0xFF),
            4 => {
                let piece: Vec<u8> = bytes[at..n.min(at + 1 + random.below(40))].to_vec();
                let to = random.below(n);
                bytes.splice(to..to, piece);
            }
            _ => drop(bytes.drain(at..n.min(at + 1 + random.below(16)))),
        }
    }
    bytes
}

#[test]
fn thousands_of_mutations_never_panic_and_never_change_the_size_of_a_frame() {
    let limits = Limits { max_frame_bytes: 16 << 20, ..Limits::default() };
    let mut random = Random(0x1505_CE47_E12D_1C0B);
    let mut outcomes = [0, 0];
    let files: Vec<(usize, Vec<u8>)> = made_files()
        .into_iter()
        .map(|f| (1000, f))
        .chain(shared_files().into_iter().map(|f| (60, f)))
        .collect();
    for (times, bytes) in &files {
        for _ in 0..*times {
            let mutated = mutate(bytes, &mut random);
            let (result, peak) = read(&mutated, &limits);
            outcomes[usize::from(result.is_ok())] += 1;
            assert!(peak < 16 * mutated.len() + 4 * (16 << 20) + 4 * MIB, "{peak} for {}", mutated.len());
        }
    }
    println!("{} files, {} refused, {} read", files.len(), outcomes[0], outcomes[1]);
    assert!(
        outcomes[0] > 500 && outcomes[1] > 500,
        "{outcomes:?}: mutations too weak or too strong to prove anything"
    );
}
