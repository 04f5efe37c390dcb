//! Writes the two sample studies and their truth into a folder.
//!
//! The web build serves these files; they are made, never downloaded and never committed.

use std::path::PathBuf;
use std::process::ExitCode;

use phantom::{Error, archive, cardiac, perfusion};
use serde_json::json;

const USAGE: &str = "usage: phantom --out DIR [--irregular]\n\
    writes cardiac-ct.zip, perfusion-ct.zip and truth.json; --irregular spaces the perfusion times as multi-phase protocols do";

struct Arguments {
    out: PathBuf,
    irregular: bool,
}

fn arguments() -> Option<Arguments> {
    let mut args = std::env::args().skip(1);
    let (mut out, mut irregular) = (None, false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => out = Some(PathBuf::from(args.next()?)),
            "--irregular" => irregular = true,
            _ => return None,
        }
    }
    Some(Arguments { out: out?, irregular })
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    std::fs::create_dir_all(&arguments.out)?;
    let times =
        if arguments.irregular { perfusion::irregular_times_s() } else { perfusion::regular_times_s() };
    let cardiac = cardiac::study()?;
    let perfusion = perfusion::study(&times)?;
    for (name, files) in [("cardiac-ct.zip", &cardiac.files), ("perfusion-ct.zip", &perfusion.files)] {
        let bytes = archive::zip(files)?;
        std::fs::write(arguments.out.join(name), &bytes)?;
        println!("{name}: {} files, {:.2} MB", files.len(), bytes.len() as f64 / 1e6);
    }
    let truth = json!({ "cardiac": cardiac.truth, "perfusion": perfusion.truth });
    let mut text = serde_json::to_string_pretty(&truth)?;
    text.push('\n');
    std::fs::write(arguments.out.join("truth.json"), text)?;
    Ok(())
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
