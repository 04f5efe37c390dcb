//! Which instances are the same, which belong to one series, and which frames of a series to one stack.
//!
//! Frames are compared with the first of each stack instead of hashed: directions and spacings are equal
//! within a tolerance, and a tolerance has no hash.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Candidate, Instance};
use crate::header::{FrameHeader, InstanceHeader};
use crate::ledger::{Fate, FileId};

/// Secondary Capture Image Storage and its multi-frame relatives.
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";

/// Directions that differ by less are one orientation: 2e-3 is 0.1 degrees; scanners that round cosines to
/// three digits reach 1e-3, neighbouring images of a radial acquisition differ by degrees.
const DIRECTION_TOLERANCE: f64 = 2e-3;

/// Relative difference of pixel spacings that are still one.
const SPACING_TOLERANCE: f64 = 1e-3;

/// Modalities whose images are single projections: two of them are never slices of one thing.
const PROJECTIONS: [&str; 8] = ["MG", "CR", "DX", "PX", "IO", "RG", "XC", "OP"];

/// Instances that are there twice: same SOP Instance UID (0008,0018) and same content by the header. The longer
/// file is kept, because the other may be an interrupted copy of it.
pub(super) fn drop_duplicates(instances: &[Arc<Instance>]) -> (Vec<usize>, Vec<(FileId, Fate)>) {
    let mut first: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    let mut kept = Vec::new();
    let mut fates = Vec::new();
    for (index, instance) in instances.iter().enumerate() {
        let header = &instance.header;
        let known = first.entry((&header.series_uid, &header.sop_instance_uid)).or_default();
        let same = |other: &usize| same_image(&instances[*other].header, header);
        let twin = known.iter().position(same).filter(|_| !header.sop_instance_uid.is_empty());
        let shown = |file, which: &str| {
            let reason = format!("Duplicate: {which} file has the same SOP Instance UID (0008,0018).");
            (file, Fate::Shown(reason))
        };
        match twin {
            Some(at) if instances[known[at]].bytes < instance.bytes => {
                fates.push(shown(instances[known[at]].file, "a longer"));
                kept.retain(|k| *k != known[at]);
                known[at] = index;
                kept.push(index);
            }
            Some(_) => fates.push(shown(instance.file, "an earlier")),
            None => {
                known.push(index);
                kept.push(index);
            }
        }
    }
    (kept, fates)
}

/// Files made by copying a header may share the UID and still be different images.
fn same_image(a: &InstanceHeader, b: &InstanceHeader) -> bool {
    a.instance_number == b.instance_number && a.pixels == b.pixels && a.frames == b.frames
}

/// Instances of each series, ordered by study, series number and arrival.
pub(super) fn by_series(instances: &[Arc<Instance>], kept: &[usize]) -> Vec<Vec<usize>> {
    let mut studies: HashMap<&str, usize> = HashMap::new();
    let mut at: HashMap<(&str, String), usize> = HashMap::new();
    let mut series: Vec<(usize, Option<i32>, Vec<usize>)> = Vec::new();
    for &index in kept {
        let header = &instances[index].header;
        let arrival = studies.len();
        let study = *studies.entry(&header.study_uid).or_insert(arrival);
        let uid = match header.series_uid.as_str() {
            "" => substitute_uid(header, index),
            uid => uid.to_owned(),
        };
        let next = series.len();
        let slot = *at.entry((&header.study_uid, uid)).or_insert(next);
        if slot == next {
            series.push((study, header.series_number, Vec::new()));
        }
        series[slot].2.push(index);
    }
    series.sort_by_key(|(study, number, _)| (*study, number.unwrap_or(i32::MAX)));
    series.into_iter().map(|(_, _, members)| members).collect()
}

/// Without a Series Instance UID (0020,000E), as some anonymizers leave it, files of one frame of reference
/// with the same number and description are one series; others are a series each.
fn substitute_uid(header: &InstanceHeader, index: usize) -> String {
    if header.frame_of_reference_uid.is_empty() {
        return format!("file {index}");
    }
    let number = header.series_number.map_or(String::new(), |n| n.to_string());
    let description = &header.texts.series_description;
    [&header.frame_of_reference_uid, &header.modality, &number, description].map(String::as_str).join("\\")
}

/// Whether a frame has a place in the patient.
pub(super) fn placed(c: &Candidate) -> bool {
    let capture = c.instance.sop_class_uid.starts_with(SECONDARY_CAPTURE)
        && c.instance.frame_of_reference_uid.is_empty();
    c.frame.position.is_some() && c.frame.orientation.is_some() && c.frame.spacing.is_some() && !capture
}

/// Frames of a series that can share a grid.
pub(super) fn by_stack<'a>(candidates: &[Candidate<'a>]) -> Vec<Vec<Candidate<'a>>> {
    let mut stacks: Vec<Vec<Candidate<'a>>> = Vec::new();
    for c in candidates {
        match stacks.iter_mut().find(|stack| together(&stack[0], c)) {
            Some(stack) => stack.push(*c),
            None => stacks.push(vec![*c]),
        }
    }
    // Echo and image type differ harmlessly within some volumes (a burned-in value per slice); they part a
    // stack only where two of them show the same place.
    let stacks = stacks.into_iter().flat_map(|s| part_where_colliding(s, |f| f.frame_type.join("\\")));
    stacks
        .flat_map(|s| {
            part_where_colliding(s, |f| f.echo_time_ms.map(|t| format!("{t:.3}")).unwrap_or_default())
        })
        .collect()
}

fn together(a: &Candidate, b: &Candidate) -> bool {
    let same_pixels = (a.pixels.rows, a.pixels.columns) == (b.pixels.rows, b.pixels.columns)
        && a.pixels.colour() == b.pixels.colour()
        && a.pixels.float == b.pixels.float
        && (a.pixels.photometric == "MONOCHROME1") == (b.pixels.photometric == "MONOCHROME1");
    let localizer = |c: &Candidate| c.frame.frame_type.iter().any(|t| t == "LOCALIZER");
    if !same_pixels
        || placed(a) != placed(b)
        || localizer(a) != localizer(b)
        || a.frame.segment != b.frame.segment
        || a.frame.stack_id != b.frame.stack_id
    {
        return false;
    }
    if placed(a) {
        return a.instance.frame_of_reference_uid == b.instance.frame_of_reference_uid
            && same_plane(a.frame, b.frame);
    }
    // Without a place, frames of different files are together only as a browsable list of pictures.
    let single = a.instance.frames.len() == 1 && b.instance.frames.len() == 1;
    a.at.instance == b.at.instance || (single && !PROJECTIONS.contains(&a.instance.modality.as_str()))
}

fn same_plane(a: &FrameHeader, b: &FrameHeader) -> bool {
    let directions = match (a.orientation, b.orientation) {
        (Some(a), Some(b)) => (0..2).all(|i| (a[i] - b[i]).length() < DIRECTION_TOLERANCE),
        _ => false,
    };
    let spacings = match (a.spacing, b.spacing) {
        (Some(a), Some(b)) => {
            let near = |x: f64, y: f64| (x - y).abs() <= SPACING_TOLERANCE * x.max(y);
            near(a.column_mm, b.column_mm) && near(a.row_mm, b.row_mm)
        }
        _ => false,
    };
    directions && spacings
}

/// Parts a stack by a text, if two frames with different texts lie at the same place.
fn part_where_colliding<'a>(
    stack: Vec<Candidate<'a>>,
    text: impl Fn(&FrameHeader) -> String,
) -> Vec<Vec<Candidate<'a>>> {
    let texts: Vec<String> = stack.iter().map(|c| text(c.frame)).collect();
    if texts.iter().all(|t| *t == texts[0]) || !placed(&stack[0]) {
        return vec![stack];
    }
    // A hundredth of a millimetre is below what position strings carry.
    let key = |c: &Candidate| c.frame.position.map(|p| (p * 100.0).round().to_array().map(|x| x as i64));
    let mut seen: HashMap<_, &str> = HashMap::new();
    let collide = stack.iter().zip(&texts).any(|(c, t)| *seen.entry(key(c)).or_insert(t) != t);
    if !collide {
        return vec![stack];
    }
    let mut parts: Vec<(String, Vec<Candidate<'a>>)> = Vec::new();
    for (c, t) in stack.into_iter().zip(texts) {
        match parts.iter_mut().find(|(known, _)| *known == t) {
            Some((_, part)) => part.push(c),
            None => parts.push((t, vec![c])),
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}
