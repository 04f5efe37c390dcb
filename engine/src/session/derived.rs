//! Series that were computed: held, drawn and asked about as any other, gone when their source goes.
//!
//! They stand in the same list as the series from files, so that drawing, probing and a lost device know no difference;
//! what they have not is a place in the catalog, because no file of theirs was received.

use std::ops::Range;

use imaging::{Volume, Voxels};
use protocol::{Derived, Map, SeriesId};

use super::Session;
use super::loading::{Loaded, Origin};
use crate::picture;

/// A volume and what it was computed from.
pub struct Computed {
    pub volume: Volume,
    pub source: SeriesId,
    pub what: Map,
    /// Smallest and largest number in it.
    pub range: (f64, f64),
}

impl Computed {
    pub fn new(volume: Volume, source: SeriesId, what: Map) -> Self {
        let mut range = (f64::INFINITY, f64::NEG_INFINITY);
        for i in 0..volume.voxels.len() {
            if let Some(value) = volume.voxels.get(i).filter(|v| v.is_finite()) {
                range = (range.0.min(value), range.1.max(value));
            }
        }
        // Nothing but masked voxels: a range that no window can stumble over.
        let range = if range.0 <= range.1 { range } else { (0.0, 1.0) };
        Self { volume, source, what, range }
    }

    /// Puts newer values of some voxels in the place of older ones.
    fn put(&mut self, values: impl Iterator<Item = (u32, f32)>) {
        if let Voxels::F32(all) = &mut self.volume.voxels {
            values.for_each(|(voxel, value)| all[voxel as usize] = value);
        }
    }

    /// As the page knows it.
    pub fn derived(&self) -> Derived {
        Derived { source: self.source, what: self.what }
    }
}

impl Session {
    /// Takes a computed volume in, in the place of an earlier one of the same kind: panels that show it go on showing
    /// it. The page is told, and gets a thumbnail.
    pub(super) fn derive(&mut self, computed: Computed) -> SeriesId {
        let key = computed.derived();
        self.begun += 1;
        let at = self.loaded.iter().position(|l| l.derived() == Some(key));
        let series = match at.and_then(|at| self.loaded.get(at)) {
            Some(earlier) => earlier.series,
            None => {
                self.next_id += 1;
                SeriesId(self.next_id)
            }
        };
        let fresh = Loaded::computed(series, self.begun, computed);
        let at = match at {
            Some(at) => {
                self.loaded[at] = fresh;
                at
            }
            None => {
                self.loaded.push(fresh);
                self.loaded.len() - 1
            }
        };
        self.announce(at);
        picture::send(series, picture::of(&self.loaded[at]));
        self.stale |= self.scene.panels.iter().any(|panel| panel.series == series);
        series
    }

    /// The computed series of a source, by kind.
    pub(super) fn derived_of(&self, source: SeriesId, what: Map) -> Option<usize> {
        self.loaded.iter().position(|l| l.derived() == Some(Derived { source, what }))
    }

    /// Newer values of some slices of a computed series. Whoever has a copy of it takes them as slices that have just
    /// arrived; what an analysis marked in them was of the older values.
    pub(super) fn put_slices(
        &mut self,
        at: usize,
        slices: Range<u32>,
        values: impl Iterator<Item = (u32, f32)>,
    ) {
        let Some(loaded) = self.loaded.get_mut(at) else { return };
        let Origin::Computed(computed) = &mut loaded.origin else { return };
        computed.put(values);
        for slice in slices {
            loaded.placed.push([0, slice]);
            loaded.marks.iter_mut().for_each(|marks| marks.clear(slice));
        }
        self.stale = true;
    }

    /// The series from files that the panels show, or show something computed from.
    pub(super) fn roots_on_screen(&self) -> Vec<SeriesId> {
        let root = |series: SeriesId| self.find(series).map_or(series, Loaded::root);
        self.scene.panels.iter().map(|panel| root(panel.series)).collect()
    }
}
