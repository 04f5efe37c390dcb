//! Loading: the slices of the series asked for, one a step, and the thumbnails of the others.
//!
//! The series asked for last comes first; one asked for earlier goes on when it is complete.

use gpu_kernels::Labels;
use imaging::VolumeLoader;
use protocol::{Event, SeriesId};

use super::{Session, TELL_MS};
use crate::blob::BrowserFile;
use crate::{link, picture, summary};

/// A series whose slices arrive or have arrived.
pub struct Loaded {
    pub series: SeriesId,
    /// Tells volumes of one series apart: it is loaded again when files are added to it.
    pub epoch: u32,
    pub loader: VolumeLoader<BrowserFile>,
    pub done: u32,
    pub total: u32,
    /// `[time_index, slice]` in the order of arrival: what a GPU copy has not seen yet is the tail.
    pub placed: Vec<[u32; 2]>,
    /// What the overlay of a panel colours by.
    pub labels: Option<Labels>,
    told_ms: f64,
    /// False while it was begun before the page asked, and told already.
    asked_for: bool,
}

impl Loaded {
    pub(super) fn complete(&self) -> bool {
        self.done == self.total
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
        let (Some(catalog), Some(index)) = (&self.catalog, self.index_of(series)) else { return };
        // The volume of a series that nobody looks at any more makes room.
        let scene = &self.scene;
        self.loaded.retain(|l| scene.panels.iter().any(|p| p.series == l.series));
        match catalog.loader(index) {
            Ok(loader) => {
                let total = loader.total() as u32;
                self.begun += 1;
                self.loaded.push(Loaded {
                    series,
                    epoch: self.begun,
                    loader,
                    done: 0,
                    total,
                    placed: Vec::new(),
                    labels: None,
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
            if let Some(index) = self.index_of(loaded.series)
                && let Some(info) = summary::volume_info(catalog, index, &loaded.loader, loaded.complete())
            {
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
        match loaded.loader.step() {
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
            let failures = loaded.loader.failures().to_vec();
            if let Some(catalog) = self.catalog.as_mut().filter(|_| !failures.is_empty()) {
                catalog.refuse(&failures);
                // The account that the page shows has changed.
                self.tell_catalog();
            }
            let loaded = &self.loaded[at];
            if let Some(waiting) = self.unpictured_alone.iter().position(|s| *s == loaded.series) {
                self.unpictured_alone.swap_remove(waiting);
                picture::send(loaded.series, picture::of(&loaded.loader));
            }
            self.announce(at);
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
            picture::send(series, picture::of(&loaded.loader));
        } else {
            self.unpictured_alone.push(series);
        }
        true
    }
}
