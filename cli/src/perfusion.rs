//! `isocenter perfusion`: maps from a 4D series, as NIfTI files and one JSON object.
//!
//! The same crate computes here and in the browser; this file reads paths into an input and says what is wrong
//! with them.

mod arguments;
mod backend;
mod input;
mod output;

use std::time::Instant;

pub use arguments::Args;

/// Why there are no maps.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`study::Error`].
    #[error(transparent)]
    Study(#[from] crate::study::Error),
    /// `--session`
    #[error("The session cannot be used: {0}")]
    Session(String),
    /// `--aif` or `--vof`
    #[error("The {what} {given:?} cannot be used: {why}")]
    Vessel {
        /// Artery or vein.
        what: &'static str,
        /// As given.
        given: String,
        /// In words.
        why: String,
    },
    /// See [`perfusion::Error`].
    #[error(transparent)]
    Perfusion(#[from] ::perfusion::Error),
    /// A map that cannot be written as NIfTI.
    #[error(transparent)]
    Nifti(#[from] imaging::NiftiWriteError),
    /// `--backend gpu` without any.
    #[error("there is no GPU to compute on: {0}. Use --backend auto or cpu; the maps are the same.")]
    NoGpu(#[source] gpu_kernels::GpuError),
    /// A file could not be written, or standard output was closed.
    #[error("cannot write the result: {0}")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// Whether the user can mend it by other arguments.
    pub fn bad_input(&self) -> bool {
        !matches!(self, Self::NoGpu(_) | Self::Write(_) | Self::Nifti(_))
    }
}

/// Computes, writes and prints.
pub fn run(args: &Args) -> Result<(), Error> {
    let mut session = args.session()?;
    let began = Instant::now();
    let mut loaded = input::load(args)?;
    session.take_echo_time(&loaded.echo_time_ms);
    let mask = args.mask_path().map(|path| input::mask(path, &loaded.volume)).transpose()?;
    if let Some((_, note)) = &mask {
        loaded.warnings.extend(note.clone());
    }
    let read_ms = began.elapsed().as_secs_f64() * 1000.0;
    let now_ms = || began.elapsed().as_secs_f64() * 1000.0;
    let input = ::perfusion::Input {
        volume: &loaded.volume,
        modality: &loaded.modality,
        reading_warnings: &loaded.warnings,
        mask: mask.as_ref().map(|(map, _)| map.as_slice()),
        other_stacks: loaded.other_stacks,
    };
    let (analysis, report) = backend::compute(args.backend, &input, &session, &now_ms)?;
    if let Some(folder) = &args.out {
        output::maps(folder, &analysis, &loaded.volume, &report)?;
    }
    if let Some(path) = &args.csv {
        std::fs::write(path, report.curves_csv(&[])).map_err(Error::Write)?;
    }
    if let Some(path) = &args.pdf {
        let maps = analysis.maps().map(|maps| (maps, &loaded.volume));
        std::fs::write(path, report.pdf(&args.identify, maps)).map_err(Error::Write)?;
    }
    output::print(report, loaded.line, read_ms, args.json)
}
