//! The twin of the components kernel: the voxels are painted, and flood fills find what is connected.
//!
//! It shares no idea with the kernel (no runs, no union-find), so that it cannot share a fault.

use super::Piece;
use crate::kernels::candidates::{HostTable, Keys};

/// Steps to the neighbours in a slice; with those in the slices before and after in 3D.
fn neighbours(corners: bool, in_3d: bool) -> Vec<[i64; 3]> {
    let mut out = Vec::new();
    for z in if in_3d { -1..=1 } else { 0..=0 } {
        for y in -1..=1i64 {
            for x in -1..=1i64 {
                let steps = x.abs() + y.abs() + i64::abs(z);
                if steps > 0 && (corners || steps == 1) {
                    out.push([x, y, z]);
                }
            }
        }
    }
    out
}

/// Numbers what is connected, in the order of the first voxels; `None` where nothing is.
fn fill(dims: [u32; 3], set: &[bool], steps: &[[i64; 3]]) -> Vec<Option<u32>> {
    let dims = dims.map(i64::from);
    let mut out = vec![None; set.len()];
    let mut count = 0;
    let mut waiting = Vec::new();
    for seed in 0..set.len() {
        if !set[seed] || out[seed].is_some() {
            continue;
        }
        out[seed] = Some(count);
        waiting.push(seed as i64);
        while let Some(at) = waiting.pop() {
            let place = [at % dims[0], at / dims[0] % dims[1], at / (dims[0] * dims[1])];
            for step in steps {
                let [x, y, z] = [0, 1, 2].map(|i| place[i] + step[i]);
                if [x, y, z].iter().zip(dims).all(|(v, n)| (0..n).contains(v)) {
                    let there = (z * dims[1] + y) * dims[0] + x;
                    if set[there as usize] && out[there as usize].is_none() {
                        out[there as usize] = Some(count);
                        waiting.push(there);
                    }
                }
            }
        }
        count += 1;
    }
    out
}

/// Labels on the CPU: pieces, and for each component the first component of its lesion.
pub fn run(dims: [u32; 3], table: &HostTable, cut: i32, corners: bool) -> (Vec<Piece>, Vec<u32>) {
    let key = |i: usize| match &table.keys {
        Keys::I16(k) => i32::from(k[i]),
        Keys::I32(k) => k[i],
    };
    let n = dims.iter().product::<u32>() as usize;
    let mut set = vec![false; n];
    let mut index_of_key = vec![0; n];
    for (i, [start, first]) in table.runs.iter().enumerate() {
        let end = table.runs.get(i + 1).map_or(table.keys.len() as u32, |r| r[1]);
        for k in *first..end {
            let at = (start + k - first) as usize;
            set[at] = key(k as usize) >= cut;
            index_of_key[at] = k;
        }
    }
    let components = fill(dims, &set, &neighbours(corners, false));
    let bodies = fill(dims, &set, &neighbours(corners, true));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut first_of_body = Vec::new();
    let mut lesions = Vec::new();
    for at in 0..n {
        let (Some(component), Some(body)) = (components[at], bodies[at]) else { continue };
        // Both are numbered by their first voxels, so the first component of a body comes with the body.
        if body as usize == first_of_body.len() {
            first_of_body.push(component);
        }
        if component as usize == lesions.len() {
            lesions.push(first_of_body[body as usize]);
        }
        let at = at as u32;
        match pieces.last_mut() {
            Some(p) if p.end == at && !at.is_multiple_of(dims[0]) => p.end += 1,
            _ => {
                pieces.push(Piece { start: at, end: at + 1, first_key: index_of_key[at as usize], component })
            }
        }
    }
    (pieces, lesions)
}
