//! From grouped headers to the entries of a study list.
//!
//! Texts for people are put together here once, so that the page, the command line and reports say the
//! same of a series.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::catalog::{Content, Series, Study};
use crate::group::{Grouping, Instance, Stack};
use crate::header::{InstanceHeader, Texts};
use crate::ledger::FileId;

/// Studies and series in the making.
#[derive(Default)]
pub(crate) struct Lister {
    pub studies: Vec<Study>,
    pub series: Vec<Series>,
    by_uid: HashMap<String, usize>,
}

impl Lister {
    /// The study with this UID; files without one share a study without a name.
    fn study(&mut self, uid: &str, texts: &Texts) -> usize {
        *self.by_uid.entry(uid.to_owned()).or_insert_with(|| {
            self.studies.push(Study {
                uid: uid.to_owned(),
                patient_name: texts.patient_name.clone(),
                patient_id: texts.patient_id.clone(),
                description: texts.study_description.clone(),
                date: texts.study_date.clone(),
            });
            self.studies.len() - 1
        })
    }

    /// The study of files that are no DICOM.
    pub(crate) fn plain_study(&mut self) -> usize {
        self.study("", &Texts::default())
    }

    /// Every stack of a grouping.
    pub(crate) fn stacks(&mut self, grouping: &Grouping, instances: &[Arc<Instance>]) {
        let mut totals: HashMap<usize, u32> = HashMap::new();
        for stack in &grouping.stacks {
            *totals.entry(stack.series).or_default() += 1;
        }
        let mut counts: HashMap<usize, u32> = HashMap::new();
        for stack in &grouping.stacks {
            let Some(middle) = stack.middle() else { continue };
            let count = counts.entry(stack.series).or_default();
            *count += 1;
            let place = (*count, totals[&stack.series]);
            let header = &instances[middle.instance].header;
            let study = self.study(&header.study_uid, &header.texts);
            self.series.push(series_of_stack(stack, middle.frame, header, instances, study, place));
        }
    }

    /// An object without a picture.
    pub(crate) fn without_picture(&mut self, file: FileId, header: &InstanceHeader, reason: &str) {
        let study = self.study(&header.study_uid, &header.texts);
        self.series.push(Series {
            instances: 1,
            warnings: vec![reason.to_owned()],
            ..series_of_header(header, study, Content::Nothing { file })
        });
    }

    /// Series of a study stand together, in the order of their numbers.
    pub(crate) fn sort(&mut self) {
        self.series.sort_by_key(|s| (s.study, s.number.unwrap_or(i32::MAX)));
    }
}

/// What a header alone says.
fn series_of_header(header: &InstanceHeader, study: usize, content: Content) -> Series {
    let texts = &header.texts;
    Series {
        study,
        uid: header.series_uid.clone(),
        modality: header.modality.clone(),
        description: match (&texts.series_description, &texts.protocol) {
            (d, p) if d.is_empty() => p.clone(),
            (d, _) => d.clone(),
        },
        number: header.series_number,
        stack: (1, 1),
        instances: 0,
        dims: [0; 3],
        time_points: 1,
        times_s: Vec::new(),
        time_rule: None,
        grid: None,
        frame_of_reference_uid: header.frame_of_reference_uid.clone(),
        transfer_syntax: header.transfer_syntax.clone(),
        transfer_syntax_uid: header.transfer_syntax_uid.clone(),
        unit: String::new(),
        colour: false,
        monochrome1: false,
        windows: Vec::new(),
        lossy: header.lossy.clone(),
        corner_left: corner_left(texts),
        corner_right: Vec::new(),
        acquisition: header.acquisition.clone(),
        warnings: Vec::new(),
        displayable: false,
        content,
    }
}

fn series_of_stack(
    stack: &Stack,
    frame: usize,
    header: &InstanceHeader,
    instances: &[Arc<Instance>],
    study: usize,
    place: (u32, u32),
) -> Series {
    let files: HashSet<usize> = stack.slots.iter().flatten().map(|f| f.instance).collect();
    let frame = &header.frames[frame];
    let mut warnings = stack.warnings.clone();
    if place.1 > 1 {
        warnings.push(format!(
            "The series holds {} stacks of different orientation, size or kind; this is number {}.",
            place.1, place.0
        ));
    }
    let syntaxes: HashSet<&str> =
        files.iter().map(|i| instances[*i].header.transfer_syntax.as_str()).collect();
    if syntaxes.len() > 1 {
        warnings.push("Its files have different transfer syntaxes.".into());
    }
    // A warning of one file stands for all that have it; in the order of the files, so that a run repeats.
    let mut ordered: Vec<usize> = files.iter().copied().collect();
    ordered.sort_unstable();
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for warning in ordered.iter().flat_map(|i| &instances[*i].header.warnings) {
        match counted.iter_mut().find(|(text, _)| text == warning) {
            Some((_, n)) => *n += 1,
            None => counted.push((warning, 1)),
        }
    }
    for (text, n) in counted {
        warnings.push(if n > 1 { format!("{text} ({n} files)") } else { text.to_owned() });
    }
    if header.series_uid.is_empty() && files.len() > 1 {
        warnings.push(
            "The files have no Series Instance UID (0020,000E); they were put together by frame of reference, modality, series number and description."
                .into(),
        );
    }
    let lossy = ordered.iter().find_map(|i| instances[*i].header.lossy.clone());
    let pixels = header.pixels.as_ref();
    let mut acquisition = header.acquisition.clone();
    ordered.iter().for_each(|i| acquisition.merge(&instances[*i].header.acquisition));
    Series {
        stack: place,
        instances: files.len() as u32,
        dims: stack.grid.dims(),
        time_points: stack.time_points,
        times_s: stack.times_s.clone(),
        time_rule: stack.time_rule.clone(),
        grid: Some(stack.grid.clone()),
        unit: frame.unit.clone(),
        colour: pixels.is_some_and(|p| p.colour()),
        monochrome1: pixels.is_some_and(|p| p.photometric == "MONOCHROME1"),
        windows: frame.windows.clone(),
        corner_right: corner_right(header, frame),
        lossy,
        acquisition,
        warnings,
        displayable: true,
        ..series_of_header(header, study, Content::Dicom(Arc::new(stack.clone())))
    }
}

/// Parts that are there, joined.
fn line<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("  ")
}

fn corner_left(texts: &Texts) -> Vec<String> {
    [
        texts.patient_name.clone(),
        line([&texts.patient_id, &texts.birth_date, &texts.sex, &texts.age]),
        texts.study_description.clone(),
        line([&texts.study_date, &texts.study_time]),
        texts.accession_number.clone(),
    ]
    .into_iter()
    .filter(|l| !l.is_empty())
    .collect()
}

fn corner_right(header: &InstanceHeader, frame: &crate::header::FrameHeader) -> Vec<String> {
    let texts = &header.texts;
    let number = header.series_number.map_or(String::new(), |n| format!("Series {n}"));
    let kvp = frame.kvp.map_or(String::new(), |k| format!("{k} kV"));
    let thickness = frame.slice_thickness_mm.map_or(String::new(), |t| format!("{t} mm"));
    [
        line([&texts.institution, &texts.device]),
        line([&header.modality, &number]),
        texts.series_description.clone(),
        line([&texts.body_part, &texts.laterality, &texts.view]),
        line([&kvp, &thickness]),
    ]
    .into_iter()
    .filter(|l| !l.is_empty())
    .collect()
}
