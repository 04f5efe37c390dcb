//! Thumbnails for the study list.

use imaging::{Thumbnail, initial_window, thumbnail};
use protocol::{Event, SeriesId};

use crate::link;
use crate::session::{Loaded, Origin};

/// Twice what the list shows, for dense screens.
pub const SIDE_PX: u32 = 112;

/// The middle slice of what has been loaded.
pub fn of(loaded: &Loaded) -> Thumbnail {
    let volume = loaded.volume();
    let slice = volume.grid.dims()[2] / 2;
    let range = match &loaded.origin {
        Origin::Files(loader) => loader.range(),
        Origin::Computed(computed) => Some(computed.range),
    };
    thumbnail(volume, slice, 0, &initial_window(volume, range), SIDE_PX)
}

/// Hands a thumbnail to the page.
pub fn send(series: SeriesId, thumbnail: Thumbnail) {
    let Thumbnail { width, height, rgba } = thumbnail;
    link::send(&Event::Thumbnail { series, width, height, rgba });
}
