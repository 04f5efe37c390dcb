//! Times reading DICOM natively: header and pixels of every file of a folder into int16, as a load does.
//! Prints one JSON object. Without a folder it runs `bench/read_speed.py`, which makes the files and times pydicom
//! on the same ones, in a virtual environment below the target folder.
//!
//! usage: bench_read [FOLDER...] [--repeat N] [--study]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use imaging::dicom::{PixelReader, read_header};
use imaging::disk::files_under;
use imaging::limits::Limits;
use imaging::{Source, read_study};

struct OnDisk {
    file: File,
    length: u64,
}

impl Source for OnDisk {
    fn name(&self) -> &str {
        ""
    }
    fn len(&self) -> u64 {
        self.length
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }
}

type Failure = Box<dyn std::error::Error>;

fn read(paths: &[PathBuf], out: &mut Vec<i16>) -> Result<u64, Failure> {
    let limits = Limits::default();
    let mut at = 0;
    let mut sum = 0_u64;
    for path in paths {
        let file = File::open(path)?;
        let source = OnDisk { length: file.metadata()?.len(), file };
        let header = read_header(&source, &limits)?;
        let reader = PixelReader::open(&source, &header, &limits)?;
        let n = reader.format().samples_per_frame();
        for frame in 0..reader.format().frames {
            if out.len() < at + n {
                out.resize(at + n, 0);
            }
            reader.frame_into_i16(frame, &mut out[at..at + n])?;
            sum = sum.wrapping_add(out[at + n / 2] as u64);
            at += n;
        }
    }
    Ok(sum)
}

/// All that the command line does before it can compute: scan, group, place, on all threads.
fn open_study(folder: &Path) -> Result<(), Failure> {
    let catalog = read_study(files_under(&[folder.to_owned()])?, &Limits::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut slices = 0;
    for index in 0..catalog.series.len() {
        let mut loader = catalog.loader(index)?;
        loader.load_rest(threads)?;
        slices += loader.done();
    }
    // A figure for part of the work would flatter us.
    let received = catalog.ledger.received();
    if slices == received { Ok(()) } else { Err(format!("{slices} slices of {received} files").into()) }
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

fn against_pydicom() -> Result<(), Failure> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().find(|p| p.ends_with("release")).and_then(Path::parent);
    let work = target.ok_or("run this in release")?.join("bench-read");
    let scripts = testbed::checkout().join("bench");
    let python = work.join("venv/bin/python");
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(work.join("venv")))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "-q", "-r"])
            .arg(scripts.join("requirements.txt")))?;
    }
    run(Command::new(&python).arg(scripts.join("read_speed.py")).arg(work.join("series")).arg(this))
}

fn main() -> Result<(), Failure> {
    let mut folders = Vec::new();
    let mut repeat = 5;
    let mut study = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--study" {
            study = true;
        } else if argument == "--repeat" {
            repeat = arguments.next().ok_or("--repeat needs a number")?.parse()?;
        } else {
            folders.push(PathBuf::from(argument));
        }
    }
    if folders.is_empty() {
        return against_pydicom();
    }
    let mut report = serde_json::Map::new();
    for folder in folders {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(&folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        paths.sort();
        let mut seconds = Vec::new();
        for _ in 0..repeat {
            // A fresh volume each time, as a load has it.
            let mut volume = Vec::new();
            let start = Instant::now();
            if study {
                open_study(&folder)?;
            } else {
                read(&paths, &mut volume)?;
            }
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let name = folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        report.insert(
            name,
            serde_json::json!({ "files": paths.len(), "median_s": seconds[seconds.len() / 2], "best_s": seconds[0] }),
        );
    }
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}
