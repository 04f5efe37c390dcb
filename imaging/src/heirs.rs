//! Which series of a later catalog is which of an earlier one of the same session.
//!
//! More files may complete a series, split it, or leave it as it is. What was loaded and measured belongs to the
//! frames a series is made of, so those decide, and not its UID.

use std::collections::{HashMap, HashSet};

use crate::Catalog;
use crate::catalog::{Content, Series};
use crate::group::FrameRef;
use crate::ledger::FileId;

/// What became of an earlier series, seen from a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heir {
    /// Nothing of it was there.
    New,
    /// The same frames in the same places: what was loaded of that earlier series still holds.
    Same(usize),
    /// It has frames of that earlier series, among others or in other places: to be loaded again.
    Changed(usize),
}

/// Something that belongs to one series only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Piece {
    Frame(FrameRef),
    File(FileId),
}

fn pieces(series: &Series) -> Vec<Piece> {
    match &series.content {
        Content::Dicom(stack) => stack.slots.iter().flatten().map(|frame| Piece::Frame(*frame)).collect(),
        Content::Nifti { data: file, .. } | Content::Raster { file } | Content::Nothing { file } => {
            vec![Piece::File(*file)]
        }
    }
}

fn same(a: &Series, b: &Series) -> bool {
    match (&a.content, &b.content) {
        (Content::Dicom(a), Content::Dicom(b)) => {
            a.slots == b.slots && a.grid == b.grid && a.time_points == b.time_points && a.times_s == b.times_s
        }
        (Content::Dicom(_), _) | (_, Content::Dicom(_)) => false,
        _ => pieces(a) == pieces(b),
    }
}

impl<S> Catalog<S> {
    /// For each series of this catalog, which one of `earlier` it was. No earlier series has two heirs. `earlier` must
    /// be the catalog that this one's scan went on from ([`crate::Scanner::after`]).
    pub fn heirs(&self, earlier: &Self) -> Vec<Heir> {
        let mut owner: HashMap<Piece, usize> = HashMap::new();
        for (index, series) in earlier.series.iter().enumerate() {
            owner.extend(pieces(series).into_iter().map(|piece| (piece, index)));
        }
        let mut heirs = vec![Heir::New; self.series.len()];
        let mut taken = HashSet::new();
        let owners = |series: &Series| {
            let mut found: Vec<usize> = pieces(series).iter().filter_map(|p| owner.get(p).copied()).collect();
            found.dedup();
            found
        };
        // Those that stayed as they are come first, or a changed one could take their place.
        for (heir, series) in heirs.iter_mut().zip(&self.series) {
            if let Some(index) = owners(series).into_iter().find(|i| same(series, &earlier.series[*i])) {
                taken.insert(index);
                *heir = Heir::Same(index);
            }
        }
        for (heir, series) in heirs.iter_mut().zip(&self.series) {
            if *heir == Heir::New
                && let Some(index) = owners(series).into_iter().find(|i| !taken.contains(i))
            {
                taken.insert(index);
                *heir = Heir::Changed(index);
            }
        }
        heirs
    }
}
