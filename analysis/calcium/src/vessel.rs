//! Which calcium belongs to which coronary artery.
//!
//! Nothing is assigned by itself: no vessel labeller with redistributable weights exists. What the reader
//! clicks or paints comes in as seeds or as a map, and a re-score at another threshold applies it anew.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::label::Labelled;

/// A coronary artery, in the order of the keys 1 to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Vessel {
    /// Left main.
    Lm,
    /// Left anterior descending.
    Lad,
    /// Left circumflex.
    Lcx,
    /// Right coronary artery.
    Rca,
    /// Posterior descending.
    Pda,
    /// A coronary artery that is none of these.
    Other,
}

impl Vessel {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Lm, Self::Lad, Self::Lcx, Self::Rca, Self::Pda, Self::Other];

    /// As a report writes it.
    pub fn name(self) -> &'static str {
        ["LM", "LAD", "LCX", "RCA", "PDA", "OTHER"][self as usize]
    }

    /// Label in a map: 1 to 6.
    pub fn label(self) -> u8 {
        self as u8 + 1
    }

    /// The vessel of a label; 0 and everything above 6 is none.
    pub fn from_label(label: u8) -> Option<Self> {
        Self::ALL.get(usize::from(label.checked_sub(1)?)).copied()
    }
}

/// A click: the lesion that holds this voxel belongs to this vessel, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Column, row, slice.
    pub voxel: [u32; 3],
    /// `None` takes the lesion away.
    pub vessel: Option<Vessel>,
}

/// What the reader said about the vessels.
#[derive(Clone, Copy, Debug, Default)]
pub enum Assignment<'a> {
    /// Nothing: everything counts, no vessel is named.
    #[default]
    None,
    /// Clicks in their order; a later one wins. What no click names does not count.
    Seeds(&'a [Seed]),
    /// One label per voxel (see [`Vessel::label`]). A component belongs to the label that most of its voxels
    /// carry, the smaller label on a tie; without any it does not count.
    Map(&'a [u8]),
}

impl Assignment<'_> {
    /// Whether anything was assigned at all.
    pub fn given(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The vessel of every component, over all slices.
    pub(crate) fn resolve(&self, labelled: &Labelled, roots: &[u32], dims: [u32; 3]) -> Vec<Option<Vessel>> {
        match self {
            Self::None => vec![None; roots.len()],
            Self::Seeds(seeds) => {
                let mut of_lesion = HashMap::new();
                for seed in *seeds {
                    if let Some(c) = labelled.component_at(seed.voxel) {
                        of_lesion.insert(roots[c as usize], seed.vessel);
                    }
                }
                roots.iter().map(|r| of_lesion.get(r).copied().flatten()).collect()
            }
            Self::Map(labels) => by_majority(labels, labelled, dims),
        }
    }
}

fn by_majority(labels: &[u8], labelled: &Labelled, dims: [u32; 3]) -> Vec<Option<Vessel>> {
    let [columns, rows, _] = dims.map(|n| n as usize);
    let mut out = Vec::new();
    for (z, slice) in labelled.slices.iter().enumerate() {
        let mut votes = vec![[0u32; Vessel::ALL.len()]; slice.components.len()];
        for p in &slice.pieces {
            let row = (z * rows + p.y as usize) * columns;
            let run = labels.get(row + p.x0 as usize..row + p.x1 as usize).unwrap_or_default();
            for vessel in run.iter().filter_map(|l| Vessel::from_label(*l)) {
                votes[p.component as usize][vessel as usize] += 1;
            }
        }
        out.extend(votes.iter().map(|v| {
            let most = v.iter().copied().max().filter(|n| *n > 0)?;
            v.iter().position(|n| *n == most).map(|i| Vessel::ALL[i])
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_vessels_are_one_to_one() {
        for vessel in Vessel::ALL {
            assert_eq!(Vessel::from_label(vessel.label()), Some(vessel));
            assert_eq!(serde_json::to_value(vessel).unwrap(), vessel.name());
        }
        assert_eq!([0, 7, 255].map(Vessel::from_label), [None; 3]);
    }
}
