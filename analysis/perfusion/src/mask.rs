//! Which voxels are computed: brain without skull and air in CT, what is brighter than background in MR.
//!
//! A mask that is too small hides tissue, so every rule has a way back to more: where no skull is seen, all
//! that is not air counts; where MR has no background, everything does.

use std::collections::VecDeque;

use crate::series::Kind;

/// Brain, blood and cerebrospinal fluid before contrast, after averaging.
const BRAIN_HU: std::ops::RangeInclusive<f32> = -15.0..=110.0;
/// Bone.
const BONE_HU: f32 = 200.0;
/// Above air and its noise.
const NOT_AIR_HU: f32 = -250.0;
/// Share of bone in the head below which there is no skull.
const SKULL_SHARE: f64 = 0.02;

/// Voxels to compute, with the rule that chose them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mask {
    /// Ascending.
    pub voxels: Vec<u32>,
    /// In words.
    pub rule: String,
}

impl Mask {
    /// Where a map is not 0.
    pub fn given(map: &[u8]) -> Self {
        Self { voxels: chosen(map.iter().map(|v| *v != 0)), rule: "as given".into() }
    }

    /// All voxels.
    pub fn all(voxels: usize) -> Self {
        Self { voxels: (0..voxels as u32).collect(), rule: "all voxels".into() }
    }

    /// By the kind of signal, from a mean of frames before contrast.
    pub fn auto(mean: &[f32], dims: [usize; 3], kind: Kind) -> Self {
        match kind {
            Kind::Ct => brain(mean, dims),
            Kind::Dsc => bright(mean),
            Kind::Concentration => Self::all(mean.len()),
        }
    }
}

fn chosen(inside: impl Iterator<Item = bool>) -> Vec<u32> {
    inside.enumerate().filter(|(_, v)| *v).map(|(i, _)| i as u32).collect()
}

fn brain(mean: &[f32], dims: [usize; 3]) -> Mask {
    let smooth = boxed(mean, dims);
    let head = smooth.iter().filter(|v| **v > NOT_AIR_HU).count();
    let bone = smooth.iter().filter(|v| **v > BONE_HU).count();
    let not_air = |why: &str| Mask {
        voxels: chosen(mean.iter().map(|v| *v > NOT_AIR_HU)),
        rule: format!("above {NOT_AIR_HU} HU ({why})"),
    };
    if (bone as f64) < SKULL_SHARE * head as f64 {
        return not_air("no skull is seen");
    }
    let tissue: Vec<bool> = smooth.iter().map(|v| BRAIN_HU.contains(v)).collect();
    let core = eroded(&tissue, dims);
    let parts = components(&core, dims);
    let Some(largest) = parts.iter().map(Vec::len).max() else { return not_air("nothing looks like brain") };
    let mut inside = vec![false; mean.len()];
    for part in
        parts.iter().filter(|p| p.len() * 20 >= largest && (p.len() == largest || enclosed(p, &smooth, dims)))
    {
        part.iter().for_each(|v| inside[*v as usize] = true);
    }
    // What erosion took, given back within the tissue.
    for _ in 0..2 {
        inside = grown(&inside, &tissue, dims);
    }
    let voxels = chosen(inside.into_iter());
    if voxels.len() * 20 < head {
        return not_air("the brain that was found is less than a twentieth of the head");
    }
    Mask {
        voxels,
        rule: format!(
            "brain: {} to {} HU before contrast, inside of the skull",
            BRAIN_HU.start(),
            BRAIN_HU.end()
        ),
    }
}

/// Mean over 3 x 3 in the slice: single noisy voxels are no holes.
fn boxed(values: &[f32], [columns, rows, slices]: [usize; 3]) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for z in 0..slices {
        for y in 0..rows {
            for x in 0..columns {
                let (mut sum, mut n) = (0.0, 0.0);
                for v in y.saturating_sub(1)..=(y + 1).min(rows - 1) {
                    for u in x.saturating_sub(1)..=(x + 1).min(columns - 1) {
                        let value = values[(z * rows + v) * columns + u];
                        if value.is_finite() {
                            sum += value;
                            n += 1.0;
                        }
                    }
                }
                out[(z * rows + y) * columns + x] = if n > 0.0 { sum / n } else { -1000.0 };
            }
        }
    }
    out
}

/// The four neighbours in the slice, and `None` beyond its border.
fn flat_neighbours(i: usize, [columns, rows, _]: [usize; 3]) -> [Option<usize>; 4] {
    let (x, y) = (i % columns, i / columns % rows);
    [
        (x > 0).then(|| i - 1),
        (x + 1 < columns).then(|| i + 1),
        (y > 0).then(|| i - columns),
        (y + 1 < rows).then(|| i + columns),
    ]
}

fn eroded(inside: &[bool], dims: [usize; 3]) -> Vec<bool> {
    (0..inside.len())
        .map(|i| inside[i] && flat_neighbours(i, dims).iter().all(|n| n.is_none_or(|n| inside[n])))
        .collect()
}

fn grown(inside: &[bool], within: &[bool], dims: [usize; 3]) -> Vec<bool> {
    (0..inside.len())
        .map(|i| inside[i] || within[i] && flat_neighbours(i, dims).iter().flatten().any(|n| inside[*n]))
        .collect()
}

/// 6-connected parts in three dimensions.
pub(crate) fn components(inside: &[bool], dims: [usize; 3]) -> Vec<Vec<u32>> {
    let slice = dims[0] * dims[1];
    let mut seen = vec![false; inside.len()];
    let mut parts = Vec::new();
    let mut queue = VecDeque::new();
    for start in 0..inside.len() {
        if !inside[start] || seen[start] {
            continue;
        }
        let mut part = Vec::new();
        seen[start] = true;
        queue.push_back(start);
        while let Some(i) = queue.pop_front() {
            part.push(i as u32);
            let [a, b, c, d] = flat_neighbours(i, dims);
            let up = (i + slice < inside.len()).then_some(i + slice);
            for n in [a, b, c, d, i.checked_sub(slice), up].into_iter().flatten() {
                if inside[n] && !seen[n] {
                    seen[n] = true;
                    queue.push_back(n);
                }
            }
        }
        parts.push(part);
    }
    parts
}

/// Whether hardly any of a part lies beside air: the scalp does with much of its surface.
fn enclosed(part: &[u32], values: &[f32], dims: [usize; 3]) -> bool {
    let near_air = part.iter().filter(|v| {
        let at = **v as usize;
        (1..=4usize).any(|step| {
            let (x, y) = (at % dims[0], at / dims[0] % dims[1]);
            let beside = [
                (x >= step).then(|| at - step),
                (x + step < dims[0]).then(|| at + step),
                (y >= step).then(|| at - step * dims[0]),
                (y + step < dims[1]).then(|| at + step * dims[0]),
            ];
            beside.into_iter().flatten().any(|n| values[n] < NOT_AIR_HU)
        })
    });
    near_air.count() * 20 < part.len()
}

/// Otsu's threshold, where there are two classes at all.
fn bright(mean: &[f32]) -> Mask {
    const BINS: usize = 256;
    let finite = || mean.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let everything = || Mask {
        voxels: chosen(mean.iter().map(|v| v.is_finite())),
        rule: "all voxels (there is no background)".into(),
    };
    if high.partial_cmp(&low) != Some(std::cmp::Ordering::Greater) {
        return everything();
    }
    let mut counts = [0u64; BINS];
    let bin = |v: f32| (((v - low) / (high - low) * BINS as f32) as usize).min(BINS - 1);
    finite().for_each(|v| counts[bin(v)] += 1);
    let total: u64 = counts.iter().sum();
    let centre = |i: usize| f64::from(low) + (i as f64 + 0.5) / BINS as f64 * f64::from(high - low);
    let sum: f64 = counts.iter().enumerate().map(|(i, n)| centre(i) * *n as f64).sum();
    let (mut best, mut below, mut below_sum) = ((0.0, 0usize, 0.0, 0.0), 0u64, 0.0);
    for (i, n) in counts.iter().enumerate().take(BINS - 1) {
        below += n;
        below_sum += centre(i) * *n as f64;
        let above = total - below;
        if below == 0 || above == 0 {
            continue;
        }
        let (m0, m1) = (below_sum / below as f64, (sum - below_sum) / above as f64);
        let between = below as f64 * above as f64 * (m1 - m0).powi(2);
        if between > best.0 {
            best = (between, i, m0, m1);
        }
    }
    let (_, at, dark, light) = best;
    // Background is noise around 0; two tissues are not three times apart.
    if light < 3.0 * dark.max(0.0) || light <= 0.0 {
        return everything();
    }
    // Otsu lies in the middle; cortex near the coil's edge is darker than that.
    let threshold = dark + 0.5 * (centre(at) - dark);
    Mask {
        voxels: chosen(mean.iter().map(|v| f64::from(*v) > threshold)),
        rule: format!(
            "brighter than {threshold:.1}, from the background at {dark:.1} and tissue at {light:.1}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ball of brain in a shell of bone in scalp in air.
    fn head() -> (Vec<f32>, [usize; 3]) {
        let dims = [61, 57, 4];
        let value = |x: usize, y: usize| {
            let r = (x as f32 - 30.0).hypot(y as f32 - 28.0);
            match r {
                r if r < 18.0 => 35.0,
                r if r < 22.0 => 900.0,
                r if r < 26.0 => 30.0,
                _ => -1000.0,
            }
        };
        let slice: Vec<f32> = (0..dims[1]).flat_map(|y| (0..dims[0]).map(move |x| value(x, y))).collect();
        (slice.repeat(dims[2]), dims)
    }

    #[test]
    fn scalp_skull_and_air_are_left_out() {
        let (mean, dims) = head();
        let mask = Mask::auto(&mean, dims, Kind::Ct);
        assert!(mask.rule.starts_with("brain"), "{}", mask.rule);
        let brain: Vec<u32> = chosen((0..mean.len()).map(|i| {
            let (x, y) = (i % dims[0], i / dims[0] % dims[1]);
            (x as f32 - 30.0).hypot(y as f32 - 28.0) < 16.5
        }));
        assert!(brain.iter().all(|v| mask.voxels.binary_search(v).is_ok()), "the brain is whole");
        assert!(mask.voxels.iter().all(|v| mean[*v as usize] == 35.0), "and nothing else");
    }

    #[test]
    fn without_a_skull_all_tissue_counts() {
        let mean = vec![40.0, 40.0, -1000.0, 300.0, 35.0, 20.0, 10.0, -1000.0, 30.0];
        let mask = Mask::auto(&mean.repeat(50), [9, 50, 1], Kind::Ct);
        assert_eq!(mask.voxels.len(), 7 * 50, "{}", mask.rule);
    }

    #[test]
    fn noise_around_one_value_is_no_background() {
        let mean: Vec<f32> = (0..100).map(|i| 100.0 + (i * 37 % 19) as f32).collect();
        assert_eq!(Mask::auto(&mean, [10, 10, 1], Kind::Dsc).voxels.len(), 100);
        let mut half = mean.clone();
        half[..50].iter_mut().for_each(|v| *v = 3.0);
        assert_eq!(Mask::auto(&half, [10, 10, 1], Kind::Dsc).voxels, (50..100).collect::<Vec<_>>());
        assert_eq!(Mask::auto(&[5.0; 30], [30, 1, 1], Kind::Dsc).voxels.len(), 30);
    }
}
