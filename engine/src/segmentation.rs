//! The label map of a loaded series: held, edited, measured, and mirrored slice by slice for drawing.
//!
//! An edit names the slices it changed; only those are copied for the picture and for the GPU.

mod files;

use std::collections::BTreeSet;

use gpu_kernels::Labels;
use imaging::Volume;
use protocol::segmentation::{Described, Segment, Segments, Step};

use segmentation::{History, Label, LabelVolume, Operation, edit};

pub use files::Kept;

/// Who labelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Maker {
    Hand,
    Model(String),
}

/// See the module.
pub struct Labelling {
    labels: LabelVolume,
    history: History,
    shown: Labels,
    origin: String,
    maker: Maker,
    warnings: Vec<String>,
}

impl Labelling {
    /// Nothing labelled yet, and one label to begin with.
    pub fn empty(volume: &Volume) -> Result<Self, String> {
        let mut labels = LabelVolume::empty(volume.grid.clone());
        labels.describe(Label::numbered(1)).map_err(|e| e.to_string())?;
        Ok(Self::of(labels, "drawn by hand".into(), Maker::Hand, Vec::new()))
    }

    /// Labels that somebody gives: one byte per voxel.
    pub fn adopted(
        volume: &Volume,
        voxels: Vec<u8>,
        described: Vec<Described>,
        origin: String,
    ) -> Result<Self, String> {
        let present: BTreeSet<u8> = voxels.iter().copied().collect();
        // A card may name a hundred structures of which a head holds three; one that is not there is no row.
        let described = described.into_iter().filter(|d| present.contains(&d.id));
        let described = described.map(|d| Label {
            id: d.id,
            name: d.name,
            colour: d.colour,
            locked: false,
            code: d.code,
        });
        let labels =
            LabelVolume::new(volume.grid.clone(), voxels, described.collect()).map_err(|e| e.to_string())?;
        let warnings = if labels.labels().is_empty() {
            vec![
                "The model found nothing of what it looks for. Check that it was made for images like this."
                    .into(),
            ]
        } else {
            Vec::new()
        };
        Ok(Self::of(labels, origin.clone(), Maker::Model(origin), warnings))
    }

    fn of(labels: LabelVolume, origin: String, maker: Maker, warnings: Vec<String>) -> Self {
        let shown = Labels::new(labels.grid().dims());
        let mut labelling = Self { labels, history: History::default(), shown, origin, maker, warnings };
        let slices: Vec<u32> = (0..labelling.labels.grid().dims()[2]).collect();
        labelling.mirror(&slices);
        labelling
    }

    /// How many labels there are.
    pub fn label_count(&self) -> usize {
        self.labels.labels().len()
    }

    /// What the picture colours by.
    pub fn shown(&self) -> &Labels {
        &self.shown
    }

    fn mirror(&mut self, slices: &[u32]) {
        for slice in slices {
            let labels = self.labels.slice(*slice);
            if labels.iter().all(|label| *label == 0) {
                self.shown.clear(*slice);
            } else {
                // Both have the dimensions of the image's grid.
                let _ = self.shown.replace(*slice, labels.into());
            }
        }
    }

    /// Does what the reader asks for.
    pub fn step(&mut self, volume: &Volume, step: Step) -> Result<(), String> {
        let operation = match step {
            Step::Undo => {
                let slices = self.history.undo(&mut self.labels).unwrap_or_default();
                self.mirror(&slices);
                return Ok(());
            }
            Step::Redo => {
                let slices = self.history.redo(&mut self.labels).unwrap_or_default();
                self.mirror(&slices);
                return Ok(());
            }
            Step::Describe { label, name, colour, locked } => {
                let code = self.labels.label(label).and_then(|l| l.code.clone());
                let label = Label { id: label, name, colour, locked, code };
                return self.labels.describe(label).map_err(|e| e.to_string());
            }
            Step::Paint { label, along_mm, radius_mm, normal, range } => {
                Operation::Paint { label, along_mm, radius_mm, normal, range }
            }
            Step::Fill { label, at_mm } => Operation::Fill { label, at_mm },
            Step::Grow { label, from_mm, range } => {
                Operation::Grow { label, from_mm, range, connectivity: edit::Connectivity::default() }
            }
            Step::KeepLargest { label } => Operation::KeepLargest { label },
            Step::Smooth { label } => Operation::Smooth { label },
            Step::Interpolate { label } => Operation::Interpolate { label },
            Step::Clear { label } => Operation::Clear { label },
        };
        let done = edit::apply(&mut self.labels, volume, 0, &operation).map_err(|e| e.to_string())?;
        self.mirror(&done.slices());
        self.history.push(done);
        Ok(())
    }

    /// As the page shows it.
    pub fn told(&self, volume: &Volume) -> Segments {
        let measured = segmentation::statistics(&self.labels, volume, 0).unwrap_or_default();
        let places = self.places();
        let segment = |label: &Label| {
            let of = measured.iter().find(|s| s.id == label.id);
            let values = of.and_then(|s| s.values);
            Segment {
                id: label.id,
                name: label.name.clone(),
                colour: label.colour,
                locked: label.locked,
                voxels: of.map_or(0, |s| s.voxels),
                volume_ml: of.and_then(|s| s.volume_ml),
                mean: values.map(|v| v.mean),
                sd: values.map(|v| v.sd),
                on_mm: places[usize::from(label.id)],
            }
        };
        Segments {
            segments: self.labels.labels().iter().map(segment).collect(),
            origin: self.origin.clone(),
            undo: self.history.undo_steps() as u32,
            redo: self.history.redo_steps() as u32,
            warnings: self.warnings.clone(),
        }
    }

    /// For every label a voxel to go to: of those on the slice in the middle of what it spans, the middle one.
    ///
    /// One pass over the picture's slices says which labels each holds. Asking once per label would read a head
    /// with a hundred structures a hundred times after every stroke.
    fn places(&self) -> [Option<scene::DVec3>; 256] {
        let [columns, _, slices] = self.labels.grid().dims();
        let mut holding: [Vec<u32>; 256] = std::array::from_fn(|_| Vec::new());
        for z in 0..slices {
            let mut present = [false; 256];
            for label in self.shown.slice(z).unwrap_or_default() {
                present[usize::from(*label)] = true;
            }
            // Zero is the background: nobody goes there.
            for (of, _) in holding.iter_mut().zip(present).skip(1).filter(|(_, is)| *is) {
                of.push(z);
            }
        }
        let world_from_voxel = self.labels.grid().world_from_voxel();
        let mut id = 0;
        holding.map(|with| {
            let label = id;
            id = u8::wrapping_add(id, 1);
            let z = *with.get(with.len() / 2)?;
            let slice = self.shown.slice(z)?;
            let at: Vec<usize> =
                slice.iter().enumerate().filter(|(_, l)| **l == label).map(|(i, _)| i).collect();
            let at = *at.get(at.len() / 2)? as u32;
            let voxel = [at % columns, at / columns, z].map(f64::from);
            Some(world_from_voxel.transform_point3(voxel.into()))
        })
    }
}
