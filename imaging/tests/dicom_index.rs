//! Every row of the reference index: the same bytes as pydicom, or a named error, never a panic.
//! One walk over all rows and not one test a row, so that the counts per transfer syntax stand in one place.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use imaging::dicom::{DicomError, PixelReader, read_header};
use imaging::limits::Limits;
use imaging::source::Buffer;
use sha2::{Digest, Sha256};

fn shared() -> Option<PathBuf> {
    testbed::reference("data/dicom/INDEX.csv").map(|_| testbed::shared())
}

/// A decoded file: all frames as pydicom's `pixel_array` has them.
struct Decoded {
    bytes: Vec<u8>,
    sample_bytes: usize,
    bits_stored: u32,
    signed: bool,
    lossy: bool,
}

fn decode(bytes: &[u8]) -> Result<Decoded, DicomError> {
    let limits = Limits::default();
    let source = Buffer { name: String::new(), bytes: bytes.to_vec() };
    let file = read_header(&source, &limits)?;
    let reader = PixelReader::open(&source, &file, &limits)?;
    let mut all = Vec::new();
    for frame in 0..reader.format().frames {
        let samples = reader.frame(frame)?;
        assert_eq!(samples.le_bytes().len(), reader.format().frame_bytes());
        all.extend_from_slice(samples.le_bytes());
    }
    let format = reader.format();
    Ok(Decoded {
        bytes: all,
        sample_bytes: format.sample_bytes(),
        bits_stored: format.bits_stored,
        signed: format.signed,
        lossy: file.transfer_syntax.lossy,
    })
}

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Integer samples of 8 or 16 bits, as all lossy rows have.
fn values(bytes: &[u8], sample_bytes: usize, signed: bool) -> Vec<i64> {
    let words = bytes.as_chunks::<2>().0.iter();
    match (sample_bytes, signed) {
        (1, false) => bytes.iter().map(|b| i64::from(*b)).collect(),
        (1, true) => bytes.iter().map(|b| i64::from(*b as i8)).collect(),
        (_, false) => words.map(|b| i64::from(u16::from_le_bytes(*b))).collect(),
        (_, true) => words.map(|b| i64::from(i16::from_le_bytes(*b))).collect(),
    }
}

/// Share of samples within one level, and PSNR in dB over the stored bits.
fn agreement(ours: &[i64], theirs: &[i64], bits_stored: u32) -> (f64, f64) {
    let n = ours.len() as f64;
    let near = ours.iter().zip(theirs).filter(|(a, b)| (*a - *b).abs() <= 1).count() as f64 / n;
    let squares: f64 = ours.iter().zip(theirs).map(|(a, b)| ((a - b) * (a - b)) as f64).sum();
    let peak = ((1_u64 << bits_stored) - 1) as f64;
    (near, if squares == 0.0 { f64::INFINITY } else { 10.0 * (peak * peak * n / squares).log10() })
}

fn close_enough((near, psnr_db): (f64, f64)) -> bool {
    near >= 0.999 || psnr_db >= 60.0
}

/// pydicom's pixels of a lossy file; made once by `reference/decode_lossy.py`, kept below the target folder.
fn pydicom_pixels(file: &Path, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pydicom");
    let made = folder.join(format!("{}.raw", sha(bytes)));
    if !made.is_file() {
        let scripts = testbed::checkout().join("imaging/tests/reference");
        let python = folder.join("venv/bin/python");
        let run = |program: &Path, arguments: &[&std::ffi::OsStr]| {
            let status = Command::new(program).args(arguments).status().map_err(|e| e.to_string())?;
            if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", program.display())) }
        };
        if !python.is_file() {
            run(Path::new("python3"), &["-m".as_ref(), "venv".as_ref(), folder.join("venv").as_os_str()])?;
            let requirements = scripts.join("requirements.txt");
            let install = ["-m", "pip", "install", "-q", "-r"].map(std::ffi::OsStr::new);
            run(&python, &[&install[..], &[requirements.as_os_str()]].concat())?;
        }
        run(&python, &[scripts.join("decode_lossy.py").as_os_str(), folder.as_os_str(), file.as_os_str()])?;
    }
    std::fs::read(made).map_err(|e| e.to_string())
}

/// Rows that pydicom cannot read and that hold the same picture as another row.
const SAME_PICTURE: [(&str, &str); 1] = [("emri_small_jpeg_2k_lossless_too_short.dcm", "9719c5d0f62ce971")];

#[derive(Default)]
struct Tally {
    equal: usize,
    close: usize,
    unproven: usize,
    refused: usize,
    wrong: usize,
}

#[test]
fn every_row_of_the_index_decodes_as_pydicom_or_is_refused_by_name() {
    let Some(shared) = shared() else { return };
    let mut index = csv::Reader::from_path(shared.join("data/dicom/INDEX.csv")).unwrap();
    let headers = index.headers().unwrap().clone();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut failures = Vec::new();
    for row in index.records() {
        let row = row.unwrap();
        let column = |name: &str| &row[headers.iter().position(|h| h == name).unwrap()];
        let path = column("path");
        let bytes = std::fs::read(shared.join("data").join(path)).unwrap();
        let tally = tallies.entry(column("ts").to_owned()).or_default();
        let file = shared.join("data").join(path);
        let name = file.file_name().unwrap().to_str().unwrap();
        match (column("pixels"), decode(&bytes)) {
            ("ok", Ok(decoded)) if sha(&decoded.bytes) == column("pixsha") => tally.equal += 1,
            ("ok", Ok(decoded)) if decoded.lossy => {
                let verdict = pydicom_pixels(&file, &bytes).map(|reference| {
                    assert_eq!(reference.len(), decoded.bytes.len(), "{path}");
                    let [ours, theirs] =
                        [&decoded.bytes, &reference].map(|b| values(b, decoded.sample_bytes, decoded.signed));
                    agreement(&ours, &theirs, decoded.bits_stored)
                });
                match verdict {
                    Ok(agreement) if close_enough(agreement) => tally.close += 1,
                    Ok((near, psnr_db)) => {
                        tally.wrong += 1;
                        failures.push(format!("{path}: {near:.5} within one level, PSNR {psnr_db:.1} dB"));
                    }
                    Err(e) => {
                        assert!(std::env::var("CI").as_deref() != Ok("true"), "no reference pixels: {e}");
                        println!("UNPROVEN {path}: no reference pixels ({e})");
                        tally.unproven += 1;
                    }
                }
            }
            ("ok", Ok(_)) => {
                tally.wrong += 1;
                failures.push(format!("{path}: decodes to other values"));
            }
            ("ok", Err(e)) => {
                tally.wrong += 1;
                failures.push(format!("{path}: {e}"));
            }
            ("none", Ok(decoded)) if SAME_PICTURE.contains(&(name, &sha(&decoded.bytes))) => tally.equal += 1,
            ("none", Ok(_)) => {
                tally.wrong += 1;
                failures.push(format!("{path}: decodes although there are no pixels"));
            }
            (_, Ok(_)) => {
                tally.equal += 1;
                println!("decodes although pydicom does not: {path}");
            }
            (_, Err(e)) => {
                tally.refused += 1;
                println!("refused: {path}: {e}");
            }
        }
    }
    for (syntax, Tally { equal, close, unproven, refused, wrong }) in &tallies {
        println!(
            "{equal:4} equal {close:3} close {unproven:3} unproven {refused:3} refused {wrong:3} wrong  {syntax}"
        );
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    assert!(failures.is_empty(), "{} rows failed", failures.len());
}

#[test]
fn a_planted_difference_is_not_close_enough() {
    let truth: Vec<i64> = (0..100_000).map(|i| i % 4096).collect();
    let mut planted = truth.clone();
    assert!(close_enough(agreement(&planted, &truth, 12)));
    planted[..200].iter_mut().for_each(|x| *x += 900);
    assert!(!close_enough(agreement(&planted, &truth, 12)));
}
