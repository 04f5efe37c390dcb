//! From paths to the series that is meant, with everything that reading had to say.
//!
//! One way for every subcommand: what one of them would forget to tell (a refused file, a doubtful spacing) is told
//! by all.

mod overlay;

use std::path::PathBuf;

use imaging::disk::{DiskFile, files_under};
use imaging::limits::Limits;
use imaging::{Catalog, Series, Volume, read_study};

pub use overlay::{Overlay, labels_on};

/// Why there is no series.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that is not there.
    #[error("cannot read the given paths: {0}")]
    Paths(#[source] std::io::Error),
    /// No series at all.
    #[error("The paths hold no series with a picture. {0} files were refused; `isocenter inspect` says why.")]
    Nothing(usize),
    /// Several series.
    #[error("The paths hold {} series that could be meant; choose one with --series N:\n{}", .0.len(), .0.join("\n"))]
    Several(Vec<String>),
    /// `--series` beyond the list.
    #[error("There is no series {0}: the paths hold {1}.")]
    NoSuchSeries(usize, usize),
    /// See [`imaging::LoadError`].
    #[error(transparent)]
    Load(#[from] imaging::LoadError),
    /// A mask or map on no grid that can be laid over the series.
    #[error("The {what} cannot be used: {why}")]
    Overlay {
        /// Mask or vessel map.
        what: &'static str,
        /// In words.
        why: String,
    },
}

/// Reads the headers of all files below the paths.
pub fn open(paths: &[PathBuf]) -> Result<Catalog<DiskFile>, Error> {
    Ok(read_study(files_under(paths).map_err(Error::Paths)?, &Limits::default()))
}

/// The series of this number or, without one, the only one that could be meant. A study with nothing that could be
/// meant gives its only series: what is done with it says better why it cannot be used.
pub fn choose(
    catalog: &Catalog<DiskFile>,
    asked: Option<usize>,
    meant: impl Fn(&Series) -> bool,
) -> Result<usize, Error> {
    let shown: Vec<usize> = (0..catalog.series.len()).filter(|i| catalog.series[*i].displayable).collect();
    if let Some(n) = asked {
        let place = n.checked_sub(1).and_then(|i| shown.get(i));
        return place.copied().ok_or(Error::NoSuchSeries(n, shown.len()));
    }
    let numbered = shown.iter().copied().enumerate().map(|(at, index)| (at + 1, index));
    let fitting: Vec<_> = numbered.filter(|(_, index)| meant(&catalog.series[*index])).collect();
    match (fitting.as_slice(), shown.as_slice()) {
        ([(_, one)], _) | ([], [one, ..]) => Ok(*one),
        ([], []) => Err(Error::Nothing(catalog.ledger.refused().count())),
        (several, _) => {
            let line = |(number, index): &(usize, usize)| described(*number, &catalog.series[*index]);
            Err(Error::Several(several.iter().map(line).collect()))
        }
    }
}

/// One line of the list from which the user chooses. Not the description: it may hold a name.
fn described(number: usize, series: &Series) -> String {
    let [x, y, z] = series.dims;
    let times = match series.time_points {
        0 | 1 => String::new(),
        n => format!(", {n} time points"),
    };
    let of = series.number.map(|n| format!(", series number {n}")).unwrap_or_default();
    format!("  {number}: {} {x} x {y} x {z}{times}{of}", series.modality)
}

/// The volume with everything that reading had to say.
pub fn load(catalog: &mut Catalog<DiskFile>, index: usize) -> Result<(Volume, Vec<String>), Error> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut loader = catalog.loader(index)?;
    let result = loader.load_rest(threads);
    catalog.refuse(loader.failures());
    result?;
    let series = &catalog.series[index];
    let mut warnings: Vec<String> = catalog.warnings.clone();
    warnings.extend(series.warnings.iter().chain(loader.warnings()).cloned());
    let refused = catalog.ledger.refused().count();
    if refused > 0 {
        warnings.push(format!("{refused} files were refused; `isocenter inspect` says why."));
    }
    Ok((loader.finish(), warnings))
}
