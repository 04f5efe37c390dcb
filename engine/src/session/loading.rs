//! Loading: the slices of the series asked for, one a step, and the thumbnails of the others.
//!
//! The series asked for last comes first; one asked for earlier goes on when it is complete.

use gpu_kernels::Labels;
use imaging::{Volume, VolumeLoader};
use protocol::{Derived, Event, LabelSource, SeriesId};

use super::derived::Computed;
use super::{Session, TELL_MS};
use crate::blob::BrowserFile;
use crate::segmentation::Labelling;
use crate::{link, picture, summary};

/// Where the voxels of a series come from.
// One of a handful, never moved about.
#[allow(clippy::large_enum_variant)]
pub enum Origin {
    /// From files, slice by slice.
    Files(VolumeLoader<BrowserFile>),
    /// Computed from another series.
    Computed(Computed),
}

impl Origin {
    pub(super) fn volume(&self) -> &Volume {
        match self {
            Self::Files(loader) => loader.volume(),
            Self::Computed(computed) => &computed.volume,
        }
    }
}

/// A series whose slices arrive or have arrived.
pub struct Loaded {
    pub series: SeriesId,
    /// Tells volumes of one series apart: it is loaded again when files are added to it.
    pub epoch: u32,
    pub origin: Origin,
    pub done: u32,
    pub total: u32,
    /// `[time_index, slice]` in the order of arrival: what a GPU copy has not seen yet is the tail.
    pub placed: Vec<[u32; 2]>,
    /// What an analysis marks: lesions, core and penumbra.
    pub marks: Option<Labels>,
    /// Its label map.
    pub labelling: Option<Labelling>,
    told_ms: f64,
    /// False while it was begun before the page asked, and told already.
    asked_for: bool,
}

impl Loaded {
    /// What the overlay of a panel colours by.
    pub fn labels_of(&self, source: LabelSource) -> Option<&Labels> {
        match source {
            LabelSource::Analysis => self.marks.as_ref(),
            LabelSource::Segmentation => self.labelling.as_ref().map(Labelling::shown),
        }
    }

    pub(super) fn complete(&self) -> bool {
        self.done == self.total
    }

    /// What has arrived.
    pub fn volume(&self) -> &Volume {
        self.origin.volume()
    }

    /// The series from files that it is or comes from: it goes when that one goes.
    pub fn root(&self) -> SeriesId {
        match &self.origin {
            Origin::Files(_) => self.series,
            Origin::Computed(computed) => computed.source,
        }
    }

    /// What it was computed from, if it was.
    pub(super) fn derived(&self) -> Option<Derived> {
        match &self.origin {
            Origin::Files(_) => None,
            Origin::Computed(computed) => Some(computed.derived()),
        }
    }

    /// What loading it told; nothing where it was computed.
    pub(super) fn warnings(&self) -> &[String] {
        match &self.origin {
            Origin::Files(loader) => loader.warnings(),
            Origin::Computed(_) => &[],
        }
    }

    /// A series that was computed: every slice is there at once.
    pub(super) fn computed(series: SeriesId, epoch: u32, computed: Computed) -> Self {
        let slices = computed.volume.grid.dims()[2];
        let times = computed.volume.time_points;
        Self {
            series,
            epoch,
            origin: Origin::Computed(computed),
            done: slices * times,
            total: slices * times,
            placed: (0..times).flat_map(|t| (0..slices).map(move |z| [t, z])).collect(),
            marks: None,
            labelling: None,
            told_ms: 0.0,
            asked_for: true,
        }
    }
}

impl Session {
    /// Brings a series to the front, or starts to load it.
    pub(super) fn load(&mut self, series: SeriesId) {
        if let Some(at) = self.loaded.iter().position(|l| l.series == series) {
            let mut loaded = self.loaded.remove(at);
            let known = std::mem::replace(&mut loaded.asked_for, true);
            self.loaded.push(loaded);
            if known {
                self.announce(self.loaded.len() - 1);
            }
            return;
        }
        self.begin(series);
        if let Some(loaded) = self.loaded.iter_mut().find(|l| l.series == series) {
            loaded.asked_for = true;
        }
    }

    /// Makes room for a series and tells the page; its slices arrive one by one.
    pub(super) fn begin(&mut self, series: SeriesId) {
        let Some(index) = self.index_of(series) else { return };
        // The volume of a series that nobody looks at any more makes room, and what was computed from it with it.
        let seen = self.roots_on_screen();
        self.put_labels_aside(&seen);
        let Some(catalog) = &self.catalog else { return };
        self.loaded.retain(|l| seen.contains(&l.root()));
        self.flow.keep(&seen);
        match catalog.loader(index) {
            Ok(loader) => {
                let total = loader.total() as u32;
                self.begun += 1;
                let labelling = self.laying.take_back(series);
                self.loaded.push(Loaded {
                    series,
                    epoch: self.begun,
                    origin: Origin::Files(loader),
                    done: 0,
                    total,
                    placed: Vec::new(),
                    marks: None,
                    labelling,
                    told_ms: 0.0,
                    asked_for: false,
                });
                self.announce(self.loaded.len() - 1);
            }
            Err(error) => link::problem(&error.to_string()),
        }
    }

    /// Tells the page what a loaded series is.
    pub(super) fn announce(&self, at: usize) {
        if let (Some(loaded), Some(catalog)) = (self.loaded.get(at), &self.catalog) {
            let info = self.index_of(loaded.root()).and_then(|index| match &loaded.origin {
                Origin::Files(loader) => summary::volume_info(catalog, index, loader, loaded.complete()),
                Origin::Computed(computed) => summary::computed_info(catalog, index, computed),
            });
            if let Some(info) = info {
                link::send(&Event::Opened { series: loaded.series, info });
            }
            link::send(&Event::Loaded { series: loaded.series, done: loaded.done, total: loaded.total });
        }
    }

    /// Places one slice. False: every series asked for is complete.
    pub(super) fn load_step(&mut self) -> bool {
        // Not always the last one: a series asked for earlier goes on when a later one is complete.
        let Some(at) = self.loaded.iter().rposition(|l| !l.complete()) else { return false };
        let loaded = &mut self.loaded[at];
        let Origin::Files(loader) = &mut loaded.origin else { return false };
        match loader.step() {
            Ok(Some(placed)) => {
                loaded.done = placed.done as u32;
                if placed.problem.is_none() {
                    loaded.placed.push([placed.time_index, placed.slice]);
                }
            }
            Ok(None) => loaded.done = loaded.total,
            Err(error) => {
                link::problem(&error.to_string());
                loaded.done = loaded.total;
            }
        }
        // Slices that no panel shows are no reason to draw.
        self.grown |= self.scene.panels.iter().any(|panel| panel.series == loaded.series);
        let now = link::now_ms();
        if loaded.complete() || now - loaded.told_ms > TELL_MS {
            loaded.told_ms = now;
            link::send(&Event::Loaded { series: loaded.series, done: loaded.done, total: loaded.total });
        }
        if loaded.complete() {
            let failures = match &loaded.origin {
                Origin::Files(loader) => loader.failures().to_vec(),
                Origin::Computed(_) => Vec::new(),
            };
            if let Some(catalog) = self.catalog.as_mut().filter(|_| !failures.is_empty()) {
                catalog.refuse(&failures);
                // The account that the page shows has changed.
                self.tell_catalog();
            }
            let loaded = &self.loaded[at];
            if let Some(waiting) = self.unpictured_alone.iter().position(|s| *s == loaded.series) {
                self.unpictured_alone.swap_remove(waiting);
                picture::send(loaded.series, picture::of(loaded));
            }
            let series = loaded.series;
            self.announce(at);
            self.lay_over(series);
        }
        true
    }

    /// One thumbnail, from one slice. False: there is none to make.
    pub(super) fn picture_step(&mut self) -> bool {
        let Some(series) = self.unpictured.pop_front() else { return false };
        let (Some(catalog), Some(index)) = (&self.catalog, self.index_of(series)) else { return true };
        if let Ok(Some(thumbnail)) = catalog.thumbnail(index, picture::SIDE_PX) {
            picture::send(series, thumbnail);
        } else if let Some(loaded) = self.loaded.iter().find(|l| l.series == series && l.complete()) {
            picture::send(series, picture::of(loaded));
        } else {
            self.unpictured_alone.push(series);
        }
        true
    }
}
