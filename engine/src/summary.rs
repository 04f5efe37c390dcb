//! From what the reader found to what the page shows.
//!
//! The page names no DICOM type; whatever it may say of a study is put into words here.

use imaging::ledger::Fate;
use imaging::{Catalog, Series, Source, VolumeLoader};
use protocol::{
    Ledger, LedgerLine, NamedWindow, SelfCheckRow, SeriesEntry, SeriesId, StudyEntry, VolumeInfo,
};
use segmentation::dicom::Segmentation;

use crate::session::Computed;
use crate::{calcium, perfusion};

/// The study list; `ids` name the series in the catalog's order. A segmentation whose images are there is one entry,
/// however many segments it has.
pub fn catalog<S: Source>(
    catalog: &Catalog<S>,
    ids: &[SeriesId],
    segmentations: &[Segmentation],
) -> protocol::Catalog {
    let mut studies: Vec<StudyEntry> = catalog
        .studies
        .iter()
        .map(|s| StudyEntry {
            patient_name: s.patient_name.clone(),
            patient_id: s.patient_id.clone(),
            description: s.description.clone(),
            date: s.date.clone(),
            series: Vec::new(),
        })
        .collect();
    for (at, (series, id)) in catalog.series.iter().zip(ids).enumerate() {
        let Some(study) = studies.get_mut(series.study) else { continue };
        let lies = segmentations.iter().find(|s| s.rows.contains(&at) && !s.onto.is_empty());
        if lies.is_some_and(|s| s.rows.first() != Some(&at)) {
            continue;
        }
        study.series.push(SeriesEntry {
            id: *id,
            modality: series.modality.clone(),
            description: series.description.clone(),
            number: series.number,
            instances: series.instances,
            dims: series.dims,
            time_points: series.time_points,
            displayable: series.displayable,
            labels_of: lies.and_then(|s| ids.get(*s.onto.first()?).copied()),
            warnings: series.warnings.clone(),
        });
    }
    protocol::Catalog { studies, ledger: ledger(catalog), warnings: catalog.warnings.clone() }
}

fn ledger<S: Source>(catalog: &Catalog<S>) -> Ledger {
    let mut out = Ledger::default();
    for entry in catalog.ledger.entries() {
        let line = |reason: &String| LedgerLine { file: entry.file.clone(), reason: reason.clone() };
        match &entry.fate {
            Some(Fate::Used) => out.used += 1,
            Some(Fate::Shown(reason)) => out.shown.push(line(reason)),
            Some(Fate::Refused(reason)) => out.refused.push(line(reason)),
            // An archive is received as its entries.
            Some(Fate::Container(_)) => continue,
            None => out.refused.push(line(&"it was not reached".to_owned())),
        }
        out.received += 1;
    }
    out
}

/// What the page needs of a series whose volume is loading or loaded.
pub fn volume_info<S: Source>(
    catalog: &Catalog<S>,
    index: usize,
    loader: &VolumeLoader<S>,
    complete: bool,
) -> Option<VolumeInfo> {
    let volume = loader.volume();
    let series = catalog.series.get(index)?;
    // Colour, or nothing has arrived: a range that no window can stumble over.
    let (min, max) = loader.range().unwrap_or((0.0, 1.0));
    Some(VolumeInfo {
        grid: volume.grid.clone(),
        unit: volume.unit.clone(),
        colour: series.colour,
        windows: volume
            .windows
            .iter()
            .map(|(name, window)| NamedWindow { name: name.clone(), window: *window })
            .collect(),
        monochrome1: volume.monochrome1,
        modality: series.modality.clone(),
        time_points: volume.time_points,
        times_s: volume.times_s.clone(),
        time_rule: series.time_rule.clone().unwrap_or_default(),
        min,
        max,
        lossy: series.lossy.clone(),
        corner_left: series.corner_left.clone(),
        corner_right: series.corner_right.clone(),
        warnings: series.warnings.iter().chain(loader.warnings()).cloned().collect(),
        calcium: calcium::offer(series, volume, complete),
        perfusion: perfusion::offer(series, volume, complete),
        frame: frame(catalog, series),
        derived: None,
    })
}

/// What the page needs of a volume that was computed from the series `index`.
pub fn computed_info<S: Source>(
    catalog: &Catalog<S>,
    index: usize,
    computed: &Computed,
) -> Option<VolumeInfo> {
    let (series, volume) = (catalog.series.get(index)?, &computed.volume);
    let refused = || format!("{} was computed: open its source.", computed.what.name());
    Some(VolumeInfo {
        grid: volume.grid.clone(),
        unit: volume.unit.clone(),
        colour: false,
        windows: volume
            .windows
            .iter()
            .map(|(name, window)| NamedWindow { name: name.clone(), window: *window })
            .collect(),
        monochrome1: false,
        modality: series.modality.clone(),
        time_points: volume.time_points,
        times_s: volume.times_s.clone(),
        time_rule: String::new(),
        min: computed.range.0,
        max: computed.range.1,
        lossy: series.lossy.clone(),
        corner_left: series.corner_left.clone(),
        corner_right: Vec::new(),
        warnings: Vec::new(),
        calcium: protocol::calcium::Offer::Refused(refused()),
        perfusion: protocol::perfusion::Offer::Refused(refused()),
        frame: frame(catalog, series),
        derived: Some(computed.derived()),
    })
}

/// The same number for series of one frame of reference, 0 where none is known. Not the identifier itself: the page
/// has no use for it.
fn frame<S: Source>(catalog: &Catalog<S>, series: &Series) -> u32 {
    let uid = &series.frame_of_reference_uid;
    let first = catalog.series.iter().position(|s| s.frame_of_reference_uid == *uid);
    first.filter(|_| !uid.is_empty()).map_or(0, |at| at as u32 + 1)
}

/// Time left at the rate so far; `None` until there is a rate.
pub fn seconds_left(elapsed_ms: f64, done: u64, total: u64) -> Option<f64> {
    (elapsed_ms > 300.0 && done > 0)
        .then(|| elapsed_ms * 1e-3 * (total.saturating_sub(done)) as f64 / done as f64)
}

/// A row of the self-check page.
pub fn check_row(row: gpu_kernels::CheckRow) -> SelfCheckRow {
    SelfCheckRow {
        kernel: row.kernel.to_string(),
        case: row.case.to_string(),
        passed: row.passed,
        max_difference: row.max_difference,
        tolerance: row.tolerance.to_string(),
        gpu_ms: row.gpu_ms,
        cpu_ms: row.cpu_ms,
        detail: row.detail,
    }
}
