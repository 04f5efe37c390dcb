//! A Segmentation object of anybody onto the grid of an image.
//!
//! Frames are laid into a volume of their own first, from nothing but their positions, and that is brought onto
//! the image's grid: a file that leaves empty frames out, counts backwards or covers a part ends at its place.

use contract::models::label_colour;
use dicom_core::Tag;
use dicom_core::value::Value;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use imaging::Source;
use imaging::dicom::{DicomFile, PixelReader, SampleKind, Samples, read_header};
use imaging::header::{self, FrameHeader, PixelLayout};
use imaging::limits::Limits;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use super::colour::rgb_from_lab;
use super::{BINARY, LABEL_MAP, SegError, TISSUE, TRACKING};
use crate::labels::{Label, LabelError, LabelVolume};
use crate::resample;

/// How far a frame may lie from its place in a regular stack, as a part of the distance of two planes.
const UNEVEN: f64 = 0.1;
/// More voxels than any segmentation: the positions in a file may be anything.
const MAX_VOXELS: u64 = 1 << 31;

/// A segmentation on the grid it was asked for.
#[derive(Debug)]
pub struct Read {
    /// On that grid.
    pub labels: LabelVolume,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// Whether a header is one of the two segmentation objects. Surface segmentations are not.
pub fn is_segmentation(sop_class_uid: &str) -> bool {
    matches!(sop_class_uid, BINARY | LABEL_MAP)
}

/// How the frames tell segments.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Binary,
    LabelMap,
    /// Belongs from half of the largest value on.
    Fractional(f64),
}

/// Reads a file and lays it on `onto`. `frame_of_reference` is the image's (0020,0052), where it is known.
pub fn read(source: &dyn Source, onto: &Grid, frame_of_reference: Option<&str>) -> Result<Read, SegError> {
    let limits = Limits::default();
    let file = read_header(source, &limits)?;
    let mut warnings = file.warnings.clone();
    let kind = kind(&file.object)?;
    let own_frame = text(&file.object, tags::FRAME_OF_REFERENCE_UID);
    if let Some(wanted) = frame_of_reference.filter(|wanted| !wanted.is_empty())
        && !own_frame.is_empty()
        && own_frame != wanted
    {
        warnings
            .push("The segmentation has another frame of reference than the image: check its place.".into());
    }
    if let Kind::Fractional(_) = kind {
        warnings.push("Fractional segments were cut at half of their largest value.".into());
    }
    let (described, numbers) = segments(&file.object)?;
    let pixels = PixelReader::open(source, &file, &limits)?;
    let frames = frame_headers(&file, &pixels)?;
    let places = places(&frames)?;
    let grid = places.grid(&pixels)?;
    let mut voxels = vec![0u8; grid.voxel_count()];
    let length = grid.dims()[0] as usize * grid.dims()[1] as usize;
    let (mut overlapping, mut unknown) = (0u64, 0u64);
    for (number, frame) in frames.iter().enumerate() {
        let samples = values(pixels.frame(number as u32)?)?;
        let slice = places.slices[number];
        let out = &mut voxels[slice * length..(slice + 1) * length];
        let own = match kind {
            Kind::LabelMap => None,
            Kind::Binary | Kind::Fractional(_) => {
                let number = frame.segment.ok_or_else(|| {
                    SegError::Geometry("a frame names no segment (0062,000B); write the file again".into())
                })?;
                Some(numbers.id(number).ok_or_else(|| {
                    SegError::Geometry(format!("a frame names segment {number}, which is not described"))
                })?)
            }
        };
        for (voxel, value) in out.iter_mut().zip(samples) {
            let id = match (kind, own) {
                (Kind::LabelMap, _) if value == 0.0 => continue,
                (Kind::LabelMap, _) => match numbers.id(value as u32) {
                    Some(id) => id,
                    None => {
                        unknown += 1;
                        continue;
                    }
                },
                (Kind::Fractional(largest), Some(id)) if value >= 0.5 * largest => id,
                (Kind::Binary, Some(id)) if value != 0.0 => id,
                _ => continue,
            };
            overlapping += u64::from(*voxel != 0 && *voxel != id);
            *voxel = (*voxel).max(id);
        }
    }
    if overlapping > 0 {
        warnings.push(format!(
            "{overlapping} voxels belong to several segments; the one with the highest number was kept."
        ));
    }
    if unknown > 0 {
        warnings
            .push(format!("{unknown} voxels have a value that no segment describes; they were left out."));
    }
    let own = LabelVolume::new(grid, voxels, described)?;
    let labels = resample::onto(&own, onto)?;
    let count = |labels: &LabelVolume| labels.voxels().iter().filter(|label| **label != 0).count();
    let (before, after) = (count(&own), count(&labels));
    if before > 0 && after == 0 {
        return Err(SegError::Elsewhere);
    }
    if own.grid().spacing().iter().zip(onto.spacing()).any(|(a, b)| (a - b).abs() > 1e-3 * b) {
        warnings.push(
            "The segmentation has other voxels than the image; each voxel took the nearest label.".into(),
        );
    } else if after < before {
        warnings.push(format!("{} labelled voxels lie outside of the image.", before - after));
    }
    Ok(Read { labels, warnings })
}

fn kind(object: &InMemDicomObject) -> Result<Kind, SegError> {
    let class = text(object, tags::SOP_CLASS_UID);
    if !is_segmentation(&class) {
        let modality = text(object, tags::MODALITY);
        return Err(SegError::NotASegmentation(if modality.is_empty() {
            "another object".into()
        } else {
            modality
        }));
    }
    match text(object, tags::SEGMENTATION_TYPE).as_str() {
        "LABELMAP" => Ok(Kind::LabelMap),
        "FRACTIONAL" => {
            Ok(Kind::Fractional(number(object, tags::MAXIMUM_FRACTIONAL_VALUE).unwrap_or(255.0).max(1.0)))
        }
        _ if class == LABEL_MAP => Ok(Kind::LabelMap),
        _ => Ok(Kind::Binary),
    }
}

/// Segment Numbers in order, each with its label.
struct Numbers(Vec<(u32, u8)>);

impl Numbers {
    fn id(&self, segment: u32) -> Option<u8> {
        self.0.binary_search_by_key(&segment, |(segment, _)| *segment).ok().map(|at| self.0[at].1)
    }
}

/// Descriptions with their labels, and the label of a Segment Number.
fn segments(object: &InMemDicomObject) -> Result<(Vec<Label>, Numbers), SegError> {
    let items = items(object, tags::SEGMENT_SEQUENCE);
    let mut found: Vec<(u32, Option<u8>, Label)> = Vec::new();
    for item in items {
        let Some(segment) = number(item, tags::SEGMENT_NUMBER).map(|n| n as u32) else { continue };
        // A label map may describe its background.
        if segment == 0 {
            continue;
        }
        let kept = text(item, tags::TRACKING_ID).strip_prefix(TRACKING).and_then(|id| id.parse::<u8>().ok());
        let mut label = Label::numbered(1);
        label.name = Some(text(item, tags::SEGMENT_LABEL))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("Segment {segment}"));
        let lab = numbers(item, tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE);
        label.colour = match lab.as_slice() {
            [l, a, b] => rgb_from_lab([*l as u16, *a as u16, *b as u16]),
            _ => label_colour(((segment - 1) % 255) as u8 + 1),
        };
        label.code = code(item);
        found.push((segment, kept.filter(|id| *id != 0), label));
    }
    found.sort_by_key(|(segment, ..)| *segment);
    found.dedup_by_key(|(segment, ..)| *segment);
    if found.len() > 255 {
        return Err(LabelError::TooMany(found.len()).into());
    }
    // Our own files say which value a segment had; of others the number is taken where it fits into a byte.
    let mut kept: Vec<u8> = found.iter().filter_map(|(_, kept, _)| *kept).collect();
    kept.sort_unstable();
    kept.dedup();
    let all_kept = kept.len() == found.len();
    let fits = found.iter().all(|(segment, ..)| *segment <= 255);
    let mut ids = Vec::new();
    let mut labels = Vec::new();
    for (index, (segment, kept, label)) in found.into_iter().enumerate() {
        let id = match kept {
            Some(id) if all_kept => id,
            _ if fits => segment as u8,
            _ => (index + 1) as u8,
        };
        ids.push((segment, id));
        labels.push(Label { id, ..label });
    }
    Ok((labels, Numbers(ids)))
}

/// Segmented Property Type, unless it is the word for nothing in particular.
fn code(item: &InMemDicomObject) -> Option<contract::models::Code> {
    let kind = items(item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE).first()?;
    let value = text(kind, tags::CODE_VALUE);
    let scheme = text(kind, tags::CODING_SCHEME_DESIGNATOR);
    (!value.is_empty() && value != TISSUE[0]).then(|| contract::models::Code {
        value,
        scheme,
        meaning: text(kind, tags::CODE_MEANING),
    })
}

fn frame_headers(file: &DicomFile, pixels: &PixelReader) -> Result<Vec<FrameHeader>, SegError> {
    let format = pixels.format();
    let layout = PixelLayout {
        columns: format.columns,
        rows: format.rows,
        samples_per_pixel: format.samples_per_pixel as u16,
        bits_allocated: format.bits_allocated as u16,
        bits_stored: format.bits_stored as u16,
        signed: format.signed,
        float: format.kind != SampleKind::Integer,
        photometric: format.photometric.clone(),
    };
    let frames = header::read(&file.object, Some(layout), format.frames).frames;
    if frames.is_empty() {
        return Err(SegError::Geometry("it has no frames; write the file again".into()));
    }
    Ok(frames)
}

/// A regular stack of planes.
struct Places {
    first: DVec3,
    /// From a plane to the next.
    step: DVec3,
    /// Between columns, between rows, as vectors.
    across: [DVec3; 2],
    count: u64,
    /// Of every frame.
    slices: Vec<usize>,
}

/// Where every frame lies in one stack.
fn places(frames: &[FrameHeader]) -> Result<Places, SegError> {
    let lacks = |what: &str| SegError::Geometry(format!("a frame has no {what}; write the file again"));
    let first = &frames[0];
    let [row, column] = first.orientation.ok_or_else(|| lacks("Image Orientation (0020,0037)"))?;
    let spacing = first.spacing.ok_or_else(|| lacks("Pixel Spacing (0028,0030)"))?;
    let normal = row.cross(column).try_normalize().ok_or_else(|| lacks("usable orientation"))?;
    let mut along = Vec::with_capacity(frames.len());
    for frame in frames {
        let [r, c] = frame.orientation.ok_or_else(|| lacks("Image Orientation (0020,0037)"))?;
        if (r - row).length() > 1e-3 || (c - column).length() > 1e-3 {
            return Err(SegError::Geometry(
                "its frames lie in different planes; split it by orientation".into(),
            ));
        }
        let position = frame.position.ok_or_else(|| lacks("Image Position (0020,0032)"))?;
        along.push((position.dot(normal), position));
    }
    let mut sorted = along.clone();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    sorted.dedup_by(|a, b| (a.0 - b.0).abs() < 1e-3);
    let smallest = sorted.windows(2).map(|pair| pair[1].0 - pair[0].0).reduce(f64::min);
    let stated = first.spacing_between_slices_mm.map(f64::abs).filter(|mm| *mm > 1e-3);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let even = |distance: &f64| {
        sorted.iter().all(|(at, _)| {
            let steps = (at - low.0) / distance;
            (steps - steps.round()).abs() <= UNEVEN
        })
    };
    // The stated distance is wrong in many files; the frames themselves are not.
    let distance = match smallest {
        None => stated.or(first.slice_thickness_mm.filter(|mm| *mm > 1e-3)).unwrap_or(1.0),
        Some(smallest) => [stated.filter(|mm| *mm <= smallest * (1.0 + UNEVEN)), Some(smallest)]
            .into_iter()
            .flatten()
            .find(even)
            .ok_or_else(|| {
                SegError::Geometry("its frames are not evenly spaced; resample it to an even stack".into())
            })?,
    };
    let last = ((high.0 - low.0) / distance).round();
    let step = if last > 0.0 { (high.1 - low.1) / last } else { normal * distance };
    let mut slices = Vec::with_capacity(frames.len());
    for (at, position) in &along {
        let slice = ((at - low.0) / distance).round();
        let off = (*position - (low.1 + step * slice)).length();
        if off > (UNEVEN * distance).max(0.01) {
            return Err(SegError::Geometry(format!("a frame lies {off:.2} mm beside the others; split it")));
        }
        slices.push(slice as usize);
    }
    let across = [row.normalize() * spacing.column_mm, column.normalize() * spacing.row_mm];
    Ok(Places { first: low.1, step, across, count: (last as u64).saturating_add(1), slices })
}

impl Places {
    fn grid(&self, pixels: &PixelReader) -> Result<Grid, SegError> {
        let format = pixels.format();
        let voxels = u64::from(format.rows) * u64::from(format.columns);
        let voxels = voxels.saturating_mul(self.count);
        if voxels > MAX_VOXELS {
            return Err(SegError::Geometry(format!(
                "its frames span {voxels} voxels, more than {MAX_VOXELS}; check their positions"
            )));
        }
        let matrix = DMat3::from_cols(self.across[0], self.across[1], self.step);
        let affine = DAffine3::from_mat3_translation(matrix, self.first);
        let dims = [format.columns, format.rows, self.count as u32];
        Grid::new(dims, affine, LengthUnit::Millimetre, Frame::Patient)
            .map_err(|error| SegError::Geometry(error.to_string()))
    }
}

/// Samples of a segmentation are unsigned whole numbers of up to 16 bits.
fn values(samples: Samples) -> Result<Vec<f64>, SegError> {
    match samples {
        Samples::U8(v) => Ok(v.into_iter().map(f64::from).collect()),
        Samples::U16(v) => Ok(v.into_iter().map(f64::from).collect()),
        other => {
            Err(SegError::Geometry(format!("its pixels are {}, not whole numbers from 0", other.kind())))
        }
    }
}

fn text(object: &InMemDicomObject, tag: Tag) -> String {
    let value = object.get(tag).and_then(|element| element.to_str().ok()).unwrap_or_default();
    value.trim_matches([' ', '\0']).to_owned()
}

fn numbers(object: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    object.get(tag).and_then(|element| element.value().to_multi_float64().ok()).unwrap_or_default()
}

fn number(object: &InMemDicomObject, tag: Tag) -> Option<f64> {
    numbers(object, tag).first().copied().filter(|value| value.is_finite())
}

fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    match object.get(tag).map(|element| element.value()) {
        Some(Value::Sequence(sequence)) => sequence.items(),
        _ => &[],
    }
}
