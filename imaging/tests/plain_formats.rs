//! NIfTI in every type, byte order and placement; PNG and JPEG; archives with their limits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod common {
    pub mod plain;
    pub mod synthetic;
}

use common::plain::{DIMS, Nifti, file, gzip, png, zip};
use common::synthetic::{Image, axial};
use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{ArchiveLimits, Catalog, Scanner, Volume, Voxels, read_study};
use scene::{Frame, LengthUnit};

fn scan(files: Vec<Buffer>) -> Catalog<Buffer> {
    let catalog = read_study(files, &Limits::default());
    catalog.ledger.check().unwrap();
    catalog
}

fn only(files: Vec<Buffer>) -> (Catalog<Buffer>, Volume) {
    let mut catalog = scan(files);
    let refused: Vec<_> = catalog.ledger.refused().map(|(f, r)| format!("{f}: {r}")).collect();
    assert_eq!(catalog.series.len(), 1, "{refused:?}");
    let volume = catalog.volume(0).unwrap();
    (catalog, volume)
}

fn refusal(files: Vec<Buffer>) -> String {
    let mut catalog = scan(files);
    if !catalog.series.is_empty() {
        let error = catalog.volume(0).unwrap_err();
        catalog.ledger.check().unwrap();
        return error.to_string();
    }
    catalog.ledger.refused().map(|(_, r)| r.to_owned()).next().unwrap()
}

const VOXELS: usize = DIMS[0] * DIMS[1] * DIMS[2];

/// Bytes of a number in both orders.
macro_rules! encode {
    ($type:ty, $big:expr, $values:expr) => {{
        let values: Vec<$type> = $values;
        values.iter().flat_map(|v| if $big { v.to_be_bytes() } else { v.to_le_bytes() }).collect::<Vec<u8>>()
    }};
}

#[test]
fn every_data_type_in_both_byte_orders_and_versions() {
    for version in [1, 2] {
        for big in [false, true] {
            let n = VOXELS as i32;
            type Case = (i16, Vec<u8>, fn(i32) -> f64);
            let cases: Vec<Case> = vec![
                (2, (0..n).map(|i| i as u8).collect(), |i| f64::from(i)),
                (256, encode!(i8, big, (0..n).map(|i| (i - 30) as i8).collect()), |i| f64::from(i - 30)),
                (4, encode!(i16, big, (0..n).map(|i| (i * 999 - 30_000) as i16).collect()), |i| {
                    f64::from(i * 999 - 30_000)
                }),
                (512, encode!(u16, big, (0..n).map(|i| (i * 1100) as u16).collect()), |i| {
                    f64::from(i * 1100)
                }),
                (8, encode!(i32, big, (0..n).map(|i| i * -100_000).collect()), |i| f64::from(i * -100_000)),
                (768, encode!(u32, big, (0..n).map(|i| i as u32 * 65_536).collect()), |i| {
                    f64::from(i) * 65_536.0
                }),
                (1024, encode!(i64, big, (0..n).map(|i| i64::from(i) << 33).collect()), |i| {
                    f64::from(i) * 2f64.powi(33)
                }),
                (1280, encode!(u64, big, (0..n).map(|i| (i as u64) << 40).collect()), |i| {
                    f64::from(i) * 2f64.powi(40)
                }),
                (16, encode!(f32, big, (0..n).map(|i| i as f32 * 0.25).collect()), |i| f64::from(i) * 0.25),
                (64, encode!(f64, big, (0..n).map(|i| f64::from(i) * -0.5).collect()), |i| {
                    f64::from(i) * -0.5
                }),
            ];
            for (data_type, data, want) in cases {
                let nifti = Nifti { version, big, ..Nifti::new(data_type, data) };
                let (_, volume) = only(vec![nifti.file()]);
                for i in 0..n {
                    let got = volume.voxels.get(i as usize).unwrap();
                    assert_eq!(got, want(i), "type {data_type}, version {version}, big {big}, voxel {i}");
                }
                let (_, zipped) = only(vec![file("test.nii.gz", gzip(&nifti.bytes()))]);
                assert_eq!(zipped, volume, "gzip, type {data_type}");
            }
        }
    }
}

#[test]
fn colour_scaling_and_nan() {
    let rgb: Vec<u8> = (0..VOXELS * 3).map(|i| i as u8).collect();
    let (_, volume) = only(vec![Nifti::new(128, rgb).file()]);
    let Voxels::Rgba8(v) = &volume.voxels else { panic!("no colour") };
    assert_eq!((v[0], v[1]), ([0, 1, 2, 255], [3, 4, 5, 255]));
    let rgba: Vec<u8> = (0..VOXELS * 4).map(|i| i as u8).collect();
    let (_, volume) = only(vec![Nifti::new(2304, rgba).file()]);
    assert!(matches!(&volume.voxels, Voxels::Rgba8(v) if v[1] == [4, 5, 6, 255]));

    let mut scaled = Nifti::new(4, encode!(i16, false, (0..VOXELS as i16).collect()));
    scaled.scale = [0.5, -10.0];
    let (_, volume) = only(vec![scaled.file()]);
    assert_eq!(volume.value([1, 0, 0], 0), Some(-9.5));
    // nibabel: a slope of 0 or NaN means no scaling, whatever the intercept says.
    for slope in [0.0, f64::NAN] {
        scaled.scale = [slope, 5.0];
        assert_eq!(only(vec![scaled.file()]).1.value([1, 0, 0], 0), Some(1.0));
    }

    let mut values = vec![1.5f32; VOXELS];
    values[0] = f32::NAN;
    let catalog = scan(vec![Nifti::new(16, encode!(f32, false, values)).file()]);
    let mut loader = catalog.loader(0).unwrap();
    while loader.step().unwrap().is_some() {}
    assert_eq!(loader.range(), Some((1.5, 1.5)));
    assert!(loader.volume().value([0, 0, 0], 0).unwrap().is_nan());
}

/// Expected values: nibabel 5.4.2 on the same headers, left-multiplied with diag(-1, -1, 1, 1).
#[test]
fn placement_follows_nibabel() {
    let base = Nifti {
        dim: vec![22, 23, 30],
        quaternion: [0.1, -0.2, 0.3],
        offset: [1.0, 2.0, 3.0],
        srow: [[0.0, 2.5, 0.0, 7.0], [-0.75, 0.0, 0.0, 8.0], [0.0, 0.0, 7.25, 9.0]],
        ..Nifti::new(2, vec![0; 22 * 23 * 30])
    };
    let q = [
        -0.554_999_987,
        1.491_042_826,
        2.254_349_366,
        -1.0,
        -0.387_312_846,
        -1.999_999_963,
        2.214_674_743,
        -2.0,
        0.323_208_56,
        0.163_680_913,
        6.524_999_978,
        3.0,
    ];
    let mut q_left = q;
    [2, 6, 10].into_iter().for_each(|i| q_left[i] = -q_left[i]);
    type Placed = (&'static str, [i32; 2], [f64; 5], [f64; 12], bool);
    let cases: [Placed; 6] = [
        (
            "sform before qform",
            [1, 2],
            [1.0, 0.75, 2.5, 7.25, 0.0],
            [0.0, -2.5, 0.0, -7.0, 0.75, 0.0, 0.0, -8.0, 0.0, 0.0, 7.25, 9.0],
            false,
        ),
        ("qform", [1, 0], [-1.0, 0.75, 2.5, 7.25, 0.0], q_left, false),
        ("qfac 0 is 1", [1, 0], [0.0, 0.75, 2.5, 7.25, 0.0], q, false),
        (
            "neither",
            [0, 0],
            [1.0, 0.75, 2.5, 7.25, 0.0],
            [0.75, 0.0, 0.0, -7.875, 0.0, -2.5, 0.0, 27.5, 0.0, 0.0, 7.25, -105.125],
            true,
        ),
        (
            "pixdim 0 is 1",
            [0, 0],
            [1.0, 0.0, 2.5, 7.25, 0.0],
            [1.0, 0.0, 0.0, -10.5, 0.0, -2.5, 0.0, 27.5, 0.0, 0.0, 7.25, -105.125],
            true,
        ),
        ("negative pixdim", [1, 0], [1.0, -0.75, 2.5, 7.25, 0.0], q, true),
    ];
    for (name, codes, pixdim, want, warned) in cases {
        for version in [1, 2] {
            let (catalog, volume) = only(vec![Nifti { version, codes, pixdim, ..base.clone() }.file()]);
            let got = volume.grid.world_from_voxel_row_major();
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-6, "{name}, version {version}: {got} instead of {want}");
            }
            assert_eq!(
                !catalog.series[0].warnings.is_empty(),
                warned,
                "{name}: {:?}",
                catalog.series[0].warnings
            );
        }
    }
}

#[test]
fn time_and_further_dimensions() {
    let mut nifti = Nifti::new(2, (0..VOXELS as u8 * 2).collect());
    nifti.dim = vec![5, 4, 3, 2];
    nifti.pixdim[4] = 1500.0;
    nifti.units = 2 | 16;
    let (_, volume) = only(vec![nifti.file()]);
    assert_eq!((volume.time_points, volume.times_s.as_slice()), (2, [0.0, 1.5].as_slice()));
    assert_eq!(volume.value([4, 3, 2], 1), Some(119.0));
    nifti.pixdim[4] = 0.0;
    let catalog = scan(vec![nifti.file()]);
    assert!(catalog.series[0].warnings.iter().any(|w| w.contains("time between volumes is unknown")));
    nifti.dim = vec![5, 4, 3, 1, 2];
    let catalog = scan(vec![nifti.file()]);
    assert_eq!(catalog.series[0].time_points, 2);
    assert!(catalog.series[0].warnings.iter().any(|w| w.contains("5 dimensions")));
}

#[test]
fn pairs_are_put_together_and_lone_headers_are_refused() {
    let mut nifti = Nifti::new(2, Vec::new());
    nifti.magic = b"ni1";
    let mut header = nifti.bytes();
    header[108..112].copy_from_slice(&0f32.to_le_bytes());
    let voxels: Vec<u8> = (0..VOXELS as u8).collect();
    let (catalog, volume) = only(vec![file("a/x.img", voxels.clone()), file("a/x.hdr", header.clone())]);
    assert_eq!(volume.value([1, 0, 0], 0), Some(1.0));
    assert_eq!(catalog.ledger.used(), 2);
    let catalog = scan(vec![file("b/x.img", voxels), file("a/x.hdr", header)]);
    assert_eq!((catalog.series.len(), catalog.ledger.refused().count()), (0, 2));
    assert!(catalog.ledger.refused().any(|(_, r)| r.contains("x.img")));
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    for (code, name) in
        [(1, "binary"), (32, "complex64"), (1536, "float128"), (1792, "complex128"), (7, "unknown")]
    {
        let reason = refusal(vec![Nifti::new(code, vec![0; VOXELS * 32]).file()]);
        assert!(reason.contains(name) && reason.contains(&code.to_string()), "{reason}");
    }
    let mut analyze = Nifti::new(2, vec![0; VOXELS]).bytes();
    analyze[344..348].fill(0);
    assert!(refusal(vec![file("old.nii", analyze)]).contains("Analyze"));
    for dim in [vec![0, 4, 3], vec![-5, 4, 3], vec![]] {
        let reason = refusal(vec![Nifti { dim, ..Nifti::new(2, vec![0; 60]) }.file()]);
        assert!(reason.contains("impossible dimensions"), "{reason}");
    }
    let huge = Nifti { dim: vec![30_000, 30_000, 30_000], ..Nifti::new(64, vec![0; 60]) };
    assert!(refusal(vec![huge.file()]).contains("promises 216000000000000 bytes"));
    assert!(refusal(vec![file("huge.nii.gz", gzip(&huge.bytes()))]).contains("promises"));
    let mut short = Nifti::new(2, vec![7; VOXELS]).bytes();
    short.truncate(short.len() - 1);
    assert!(refusal(vec![file("short.nii", short)]).contains("promises 60 bytes"));
}

#[test]
fn a_truncated_gzip_keeps_the_slices_that_are_there() {
    // Noise, so that the compressed stream is about as long as the voxels.
    let mut state = 1u32;
    let data: Vec<u8> = (0..40 * 40 * 10)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let nifti = Nifti { dim: vec![40, 40, 10], ..Nifti::new(2, data.clone()) };
    let mut bytes = gzip(&nifti.bytes());
    bytes.truncate(bytes.len() / 2);
    let (catalog, volume) = only(vec![file("cut.nii.gz", bytes)]);
    assert_eq!(volume.value([3, 2, 0], 0), Some(f64::from(data[2 * 40 + 3])));
    assert!(volume.missing.len() >= 4 && volume.missing.contains(&[0, 9]), "{:?}", volume.missing);
    assert_eq!(catalog.ledger.used(), 1);
}

#[test]
fn png_keeps_grey_with_its_bits() {
    use png::{BitDepth, ColorType};
    let load = |bytes: Vec<u8>| only(vec![file("picture.png", bytes)]).1;
    let grey = load(png(3, 2, ColorType::Grayscale, BitDepth::Eight, &[0, 50, 100, 150, 200, 255]));
    assert_eq!(grey.voxels, Voxels::I16(vec![0, 50, 100, 150, 200, 255]));
    assert_eq!((grey.grid.frame, grey.grid.length_unit), (Frame::Image, LengthUnit::Pixel));
    let wide = load(png(2, 1, ColorType::Grayscale, BitDepth::Sixteen, &[0x12, 0x34, 0xff, 0xff]));
    assert_eq!(wide.voxels, Voxels::U16(vec![0x1234, 0xffff]));
    let one = load(png(8, 1, ColorType::Grayscale, BitDepth::One, &[0b1010_0001]));
    assert_eq!(one.voxels, Voxels::I16(vec![255, 0, 255, 0, 0, 0, 0, 255]));
    let rgb = load(png(1, 2, ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6]));
    assert_eq!(rgb.voxels, Voxels::Rgba8(vec![[1, 2, 3, 255], [4, 5, 6, 255]]));
    let deep = load(png(1, 1, ColorType::Rgb, BitDepth::Sixteen, &[1, 99, 2, 99, 3, 99]));
    assert_eq!(deep.voxels, Voxels::Rgba8(vec![[1, 2, 3, 255]]));
    let palette = load(png(4, 1, ColorType::Indexed, BitDepth::Two, &[0b00_01_10_11]));
    let want = vec![[10, 20, 30, 255], [40, 50, 60, 255], [70, 80, 90, 255], [100, 110, 120, 255]];
    assert_eq!(palette.voxels, Voxels::Rgba8(want));
    let clear = load(png(1, 1, ColorType::Rgba, BitDepth::Eight, &[200, 100, 50, 51]));
    assert_eq!(clear.voxels, Voxels::Rgba8(vec![[40, 20, 10, 255]]));
}

#[test]
fn a_huge_png_is_refused_before_memory_is_asked_for() {
    let mut bytes = png(1, 1, png::ColorType::Grayscale, png::BitDepth::Eight, &[7]);
    bytes[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let reason = refusal(vec![file("bomb.png", bytes)]);
    assert!(reason.contains("65535 x 65535"), "{reason}");
}

#[test]
fn zipped_studies_and_zips_in_zips_are_opened() {
    let images: Vec<Buffer> = axial(4).iter().map(Image::file).collect();
    let entries: Vec<(String, &[u8])> =
        images.iter().map(|f| (format!("study/{}", f.name), f.bytes.as_slice())).collect();
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    let inner = zip(&entries[..2]);
    let mut outer = vec![("inner.zip", inner.as_slice()), ("notes.txt", b"hello".as_slice())];
    outer.extend(&entries[2..]);
    let mut catalog = scan(vec![file("all.zip", zip(&outer))]);
    assert_eq!((catalog.series.len(), catalog.series[0].dims[2]), (1, 4));
    let ledger = &catalog.ledger;
    assert_eq!((ledger.received(), ledger.used(), ledger.containers()), (5, 4, 2));
    assert_eq!(ledger.refused().next().unwrap().0, "all.zip/notes.txt");
    let zipped = catalog.volume(0).unwrap();
    let plain = scan(images).volume(0).unwrap();
    assert_eq!(zipped, plain);
}

#[test]
fn archives_stay_within_their_limits() {
    let tight = ArchiveLimits {
        max_entries: 5,
        max_entry_bytes: 100_000,
        max_total_bytes: 150_000,
        max_ratio: 10,
        free_bytes: 50_000,
        max_depth: 2,
    };
    let reasons = |bytes: Vec<u8>| {
        let mut scanner = Scanner::with_archive_limits(vec![file("a.zip", bytes)], Limits::default(), tight);
        while scanner.step().is_some() {}
        let catalog = scanner.finish();
        catalog.ledger.check().unwrap();
        catalog.ledger.refused().map(|(f, r)| format!("{f}: {r}")).collect::<Vec<_>>().join("\n")
    };
    let zeros = vec![0; 60_000];
    assert!(reasons(zip(&[("bomb", &zeros)])).contains("expansion of the archive's entry"));
    let large = vec![0; 100_001];
    assert!(reasons(zip(&[("large", &large)])).contains("100001, more than the limit of 100000"));
    let many: Vec<(String, &[u8])> = (0..6).map(|i| (i.to_string(), b"x".as_slice())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    assert!(reasons(zip(&many)).contains("number of files in the archive is 6"));
    let part = vec![0; 49_000];
    let parts: [(&str, &[u8]); 4] = [("1", &part), ("2", &part), ("3", &part), ("4", &part)];
    assert!(reasons(zip(&parts)).contains("a.zip/4: The archives hold more than 150000 bytes"));
    let inner = zip(&[("x", b"x")]);
    let inner = zip(&[("c.zip", &inner)]);
    assert!(reasons(zip(&[("b.zip", &inner)])).contains("lies in 2 other archives"));
    assert!(reasons(b"PK\x03\x04 nothing".to_vec()).contains("cannot be read"));
}

#[test]
fn an_entry_longer_than_its_directory_says_is_refused() {
    let mut bytes = zip(&[("x.nii", &Nifti::new(2, vec![7; VOXELS]).bytes())]);
    // The uncompressed size in the central directory, 24 bytes after its signature.
    let at = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap() + 24;
    bytes[at..at + 4].copy_from_slice(&400u32.to_le_bytes());
    let reason = refusal(vec![file("lie.zip", bytes)]);
    assert!(reason.contains("larger than its declared uncompressed size"), "{reason}");
}

#[test]
fn gzipped_dicom_is_read_and_dicomdir_is_shown() {
    let image = axial(1).remove(0).file();
    let (catalog, _) = only(vec![file("one.dcm.gz", gzip(&image.bytes))]);
    assert_eq!((catalog.ledger.received(), catalog.ledger.containers()), (1, 1));

    let mut directory = axial(1).remove(0);
    directory
        .without(dicom_dictionary_std::tags::PIXEL_DATA)
        .sequence(dicom_core::Tag(0x0004, 0x1220), vec![]);
    let mut dicomdir = directory.file();
    dicomdir.name = "DICOMDIR".into();
    let catalog = scan(vec![dicomdir, image]);
    assert_eq!((catalog.ledger.used(), catalog.series.len()), (1, 1));
    let shown: Vec<_> = catalog.ledger.shown().collect();
    assert!(shown[0].0 == "DICOMDIR" && shown[0].1.starts_with("DICOMDIR"), "{shown:?}");
}

#[test]
fn a_cancelled_scan_accounts_for_what_was_not_read() {
    let files: Vec<Buffer> = axial(4).iter().map(Image::file).collect();
    let mut scanner = Scanner::new(files, Limits::default());
    let step = scanner.step().unwrap();
    assert_eq!((step.files_done, step.files_total), (1, 4));
    let catalog = scanner.finish();
    catalog.ledger.check().unwrap();
    assert_eq!((catalog.ledger.used(), catalog.ledger.refused().count()), (1, 3));
}
