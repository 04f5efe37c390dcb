//! The twin of the candidates kernel: every voxel asked in turn.
//!
//! The fast path of the CPU is the calcium analysis itself; this one is only plain.

use imaging::Voxels;

use super::{Allowed, HostTable, Keys, Rule};

/// Compacts on the CPU. `None` for colour.
pub fn run(voxels: &Voxels, dims: [u32; 3], rule: Rule, allowed: Allowed<'_>) -> Option<HostTable> {
    let key: Box<dyn Fn(usize) -> Option<i32>> = match voxels {
        Voxels::I16(v) => Box::new(|i| Some(i32::from(v[i]))),
        Voxels::U16(v) => Box::new(|i| Some(i32::from(v[i]) - 32768)),
        Voxels::F32(v) => Box::new(|i| key_of_float(v[i])),
        Voxels::Rgba8(_) => return None,
    };
    let [columns, rows, slices] = dims.map(|n| n as usize);
    let mut runs = Vec::new();
    let mut keys: Vec<i32> = Vec::new();
    for z in 0..slices {
        for y in 0..rows {
            let mut inside = false;
            for x in 0..columns {
                let at = (z * rows + y) * columns + x;
                let key = key(at).map(|k| if rule.negative { -1 - k } else { k });
                let candidate = key.filter(|k| {
                    *k >= rule.cut
                        && !rule.padding.is_some_and(|[low, high]| (low..=high).contains(k))
                        && !allowed.missing.contains(&(z as u32))
                        && allowed.region.is_none_or(|r| r[at] != 0)
                });
                if let Some(key) = candidate {
                    if !inside {
                        runs.push([at as u32, keys.len() as u32]);
                    }
                    keys.push(key);
                }
                inside = candidate.is_some();
            }
        }
    }
    let keys = match voxels {
        Voxels::F32(_) => Keys::I32(keys),
        _ => Keys::I16(keys.into_iter().map(|k| k as i16).collect()),
    };
    Some(HostTable { runs, keys })
}

/// Floats in their order as integers; `None` for what is no number.
fn key_of_float(v: f32) -> Option<i32> {
    match v.classify() {
        std::num::FpCategory::Nan | std::num::FpCategory::Infinite => None,
        std::num::FpCategory::Zero => Some(0),
        // The larger the magnitude, the smaller the number: -1 for the smallest.
        _ if v < 0.0 => Some(-((-v).to_bits() as i32) - 1),
        _ => Some(v.to_bits() as i32),
    }
}
