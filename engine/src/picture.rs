//! Thumbnails for the study list.

use imaging::{Source, Thumbnail, VolumeLoader, initial_window, thumbnail};
use protocol::{Event, SeriesId};

use crate::link;

/// Twice what the list shows, for dense screens.
pub const SIDE_PX: u32 = 112;

/// The middle slice of what has been loaded.
pub fn of<S: Source>(loader: &VolumeLoader<S>) -> Thumbnail {
    let volume = loader.volume();
    let slice = volume.grid.dims()[2] / 2;
    thumbnail(volume, slice, 0, &initial_window(volume, loader.range()), SIDE_PX)
}

/// Hands a thumbnail to the page.
pub fn send(series: SeriesId, thumbnail: Thumbnail) {
    let Thumbnail { width, height, rgba } = thumbnail;
    link::send(&Event::Thumbnail { series, width, height, rgba });
}
