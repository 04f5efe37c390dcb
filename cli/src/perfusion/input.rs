//! From paths to a loaded series and a mask on its grid.
//!
//! Of several series the dynamic one is meant; where there are several of those, the user says which.

use std::path::Path;

use imaging::{Series, Volume};
use serde::Serialize;

use crate::study::{self, Overlay, labels_on};

use super::{Args, Error};

/// A series with everything that reading had to say.
pub struct Loaded {
    pub volume: Volume,
    pub modality: String,
    pub warnings: Vec<String>,
    /// Of the header, for MR.
    pub echo_time_ms: Vec<f64>,
    pub line: SeriesLine,
    /// Stacks of the same series that are not part of the volume.
    pub other_stacks: u32,
}

/// What only the files know.
#[derive(Serialize)]
pub struct SeriesLine {
    uid: String,
    number: Option<i32>,
    instances: u32,
    time_rule: Option<String>,
    received: usize,
    refused: usize,
}

/// Reads the series that is meant.
pub fn load(args: &Args) -> Result<Loaded, Error> {
    let mut catalog = study::open(&args.paths)?;
    let index = study::choose(&catalog, args.series, meant)?;
    let (volume, warnings) = study::load(&mut catalog, index)?;
    let series = &catalog.series[index];
    let line = SeriesLine {
        uid: series.uid.clone(),
        number: series.number,
        instances: series.instances,
        time_rule: series.time_rule.clone(),
        received: catalog.ledger.received(),
        refused: catalog.ledger.refused().count(),
    };
    let other_stacks = series.stack.1.saturating_sub(1);
    let echo_time_ms = ::perfusion::echo_time_ms(series).to_vec();
    Ok(Loaded { volume, modality: series.modality.clone(), warnings, echo_time_ms, line, other_stacks })
}

/// What has no second time point is no perfusion study.
fn meant(series: &Series) -> bool {
    series.time_points > 1 && !series.colour
}

/// A NIfTI that is not 0 where voxels are computed, and a note on how it was laid over the series.
pub fn mask(path: &Path, on: &Volume) -> Result<(Vec<u8>, Option<String>), Error> {
    let Overlay { labels, note } = labels_on(path, "mask", on)?;
    Ok((labels.into_iter().map(|label| u8::from(label != 0)).collect(), note))
}
