//! What hangs together: regions grown from a seed, the largest component, what is enclosed.
//!
//! One flood over a closure that says whether a voxel belongs; a list of voxels to visit instead of recursion,
//! because a region may have every voxel of a volume.

/// Which neighbours touch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connectivity {
    /// 6 in a volume.
    #[default]
    Faces,
    /// 18 in a volume.
    Edges,
    /// 26 in a volume.
    Corners,
}

impl Connectivity {
    /// Steps to the neighbours, in x, y, z.
    fn steps(self) -> Vec<[i64; 3]> {
        let most = match self {
            Self::Faces => 1,
            Self::Edges => 2,
            Self::Corners => 3,
        };
        let mut steps = Vec::new();
        for z in -1..=1i64 {
            for y in -1..=1i64 {
                for x in -1..=1i64 {
                    if (1..=most).contains(&(x.abs() + y.abs() + z.abs())) {
                        steps.push([x, y, z]);
                    }
                }
            }
        }
        steps
    }
}

/// One bit per voxel: 512³ voxels take 16 MB.
pub(crate) struct Bits(Vec<u64>, usize);

impl Bits {
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)], len)
    }

    pub(crate) fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Whether the bit was not set before.
    fn set(&mut self, at: usize) -> bool {
        let Some(word) = self.0.get_mut(at / 64).filter(|_| at < self.1) else { return false };
        let bit = 1 << (at % 64);
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }
}

/// Marks everything that hangs together with `seeds`; `visited` is set for each voxel that is reached.
/// `reached` is told each of them once. `dims` are columns, rows, slices.
pub(crate) fn flood(
    dims: [usize; 3],
    connectivity: Connectivity,
    seeds: impl IntoIterator<Item = usize>,
    visited: &mut Bits,
    belongs: impl Fn(usize) -> bool,
    mut reached: impl FnMut(usize),
) {
    let steps = connectivity.steps();
    let [nx, ny, nz] = dims.map(|n| n as i64);
    // 32 bits: the list may hold a good part of a volume.
    let mut waiting: Vec<u32> = Vec::new();
    for seed in seeds {
        if belongs(seed) && visited.set(seed) {
            waiting.push(seed as u32);
        }
    }
    while let Some(at) = waiting.pop() {
        reached(at as usize);
        let i = i64::from(at);
        let (x, y, z) = (i % nx, i / nx % ny, i / (nx * ny));
        for [dx, dy, dz] in &steps {
            let (x, y, z) = (x + dx, y + dy, z + dz);
            if !((0..nx).contains(&x) && (0..ny).contains(&y) && (0..nz).contains(&z)) {
                continue;
            }
            let next = ((z * ny + y) * nx + x) as usize;
            if belongs(next) && visited.set(next) {
                waiting.push(next as u32);
            }
        }
    }
}

/// The component with the most voxels; of equal ones the one that begins first.
pub(crate) fn largest(dims: [usize; 3], connectivity: Connectivity, belongs: impl Fn(usize) -> bool) -> Bits {
    let count = dims.iter().product();
    let mut visited = Bits::new(count);
    let mut best = (0usize, None);
    for seed in 0..count {
        if visited.has(seed) || !belongs(seed) {
            continue;
        }
        let mut members = 0;
        flood(dims, connectivity, [seed], &mut visited, &belongs, |_| members += 1);
        if members > best.0 {
            best = (members, Some(seed));
        }
    }
    // Flooded once more rather than kept as lists: a component may have every voxel.
    let mut keep = Bits::new(count);
    flood(dims, connectivity, best.1, &mut keep, &belongs, |_| {});
    keep
}

/// What does not belong and cannot be left over faces without crossing what does.
pub(crate) fn enclosed(dims: [usize; 3], belongs: impl Fn(usize) -> bool) -> Vec<bool> {
    let [nx, ny, nz] = dims;
    let count = nx * ny * nz;
    let mut outside = Bits::new(count);
    let border = (0..count).filter(|at| {
        let (x, y, z) = (at % nx, at / nx % ny, at / (nx * ny));
        x == 0 || y == 0 || z == 0 || x + 1 == nx || y + 1 == ny || z + 1 == nz
    });
    flood(dims, Connectivity::Faces, border, &mut outside, |at| !belongs(at), |_| {});
    (0..count).map(|at| !outside.has(at) && !belongs(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_counted_as_the_literature_does() {
        let counts =
            [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners].map(|c| c.steps().len());
        assert_eq!(counts, [6, 18, 26]);
    }

    #[test]
    fn diagonals_hang_together_only_where_they_may() {
        // Two voxels that touch at an edge, one more at a corner of those.
        let dims = [3, 3, 2];
        let set = [0, 4, 17];
        let belongs = |at: usize| set.contains(&at);
        let size = |c| {
            let kept = largest(dims, c, belongs);
            (0..18).filter(|at| kept.has(*at)).count()
        };
        assert_eq!([Connectivity::Faces, Connectivity::Edges, Connectivity::Corners].map(size), [1, 2, 3]);
    }

    #[test]
    fn only_what_is_closed_is_enclosed() {
        let dims = [5, 5, 5];
        let shell = |at: usize| {
            let far = |n: usize| n.abs_diff(2);
            let (x, y, z) = (far(at % 5), far(at / 5 % 5), far(at / 25));
            x.max(y).max(z) == 1
        };
        let holes = enclosed(dims, shell);
        assert_eq!((holes.iter().filter(|h| **h).count(), holes[62]), (1, true));
        let leaking = enclosed(dims, |at| shell(at) && at != 61);
        assert!(!leaking.contains(&true));
    }
}
