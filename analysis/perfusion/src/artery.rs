//! Automatic search for artery and vein: two published methods, and the best voxel around a click.
//!
//! Both methods look at the shape of curves and not at where they are, so they need no atlas; what they chose is
//! listed voxel by voxel.

use rayon::prelude::*;

use crate::curves::{area, peak_at};
use crate::vessels::{Scene, Vessel};

/// Curves that a clustering looks at; more add time and no arteries.
const MOST: usize = 20_000;
/// Of the chosen cluster, voxels with less than this share of the strongest area are partial volume.
const WHOLE: f64 = 0.85;

/// Positions among the curves, and in words how they were found.
type Found = Option<(Vec<usize>, String)>;

/// One candidate.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    position: usize,
    area: f64,
    curve: Vec<f64>,
}

/// The candidates of the mask whose area is highest: a share of all, at least `least`.
fn strongest(scene: &Scene, share: f64, least: usize) -> Vec<Candidate> {
    let mut positions: Vec<usize> = scene.curves.usable_positions().collect();
    positions.retain(|p| scene.moments.area[*p] > 0.0);
    let keep = ((positions.len() as f64 * share) as usize).max(least).min(MOST).min(positions.len());
    if keep < positions.len() && keep > 0 {
        let areas = &scene.moments.area;
        positions.select_nth_unstable_by(keep - 1, |a, b| areas[*b].total_cmp(&areas[*a]).then(a.cmp(b)));
        positions.truncate(keep);
    }
    positions.sort_unstable();
    let dt = scene.timeline.dt_s;
    // The methods drop what is irregular, and beside smoothed tissue that would be the arteries.
    let unsmoothed = scene.smoothed.then(|| {
        let voxels: Vec<u32> = positions.iter().map(|p| scene.curves.voxels()[*p]).collect();
        (scene.gather)(&voxels)
    });
    let candidate = |(i, position): (usize, usize)| {
        let curve = unsmoothed.as_ref().map_or_else(|| scene.curves.curve(position), |c| c.curve(i));
        Candidate { position, area: area(&curve, dt), curve }
    };
    positions.into_iter().enumerate().map(candidate).filter(|c| c.area > 0.0).collect()
}

/// Area-normalised, so that only the shape counts.
fn normalise(candidates: &mut [Candidate]) {
    for c in candidates {
        let area = c.area;
        c.curve.iter_mut().for_each(|v| *v /= area);
    }
}

/// Sum of squared second differences.
fn irregularity(curve: &[f64]) -> f64 {
    curve.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).powi(2)).sum()
}

/// Keeps the most regular share.
fn regular(mut candidates: Vec<Candidate>, share: f64) -> Vec<Candidate> {
    let keep = ((candidates.len() as f64 * share).ceil() as usize).max(1);
    candidates.sort_by(|a, b| {
        irregularity(&a.curve).total_cmp(&irregularity(&b.curve)).then(a.position.cmp(&b.position))
    });
    candidates.truncate(keep);
    candidates
}

fn first_moment(curve: &[f64]) -> f64 {
    let sum: f64 = curve.iter().sum();
    curve.iter().enumerate().map(|(t, v)| t as f64 * v).sum::<f64>() / sum
}

fn mean<'a>(curves: impl Iterator<Item = &'a Vec<f64>>, samples: usize) -> Vec<f64> {
    let mut out = vec![0.0; samples];
    let mut n = 0.0;
    for curve in curves {
        out.iter_mut().zip(curve).for_each(|(o, v)| *o += v);
        n += 1.0;
    }
    out.iter_mut().for_each(|o| *o /= f64::max(n, 1.0));
    out
}

/// k-means on curves whose seeds are quantiles of the first moment: the same clusters every time.
fn k_means(candidates: &[Candidate], k: usize) -> Vec<Vec<usize>> {
    let samples = candidates[0].curve.len();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let moments: Vec<f64> = candidates.iter().map(|c| first_moment(&c.curve)).collect();
    order.sort_by(|a, b| moments[*a].total_cmp(&moments[*b]).then(a.cmp(b)));
    let k = k.min(candidates.len());
    let slice = |i: usize| &order[i * order.len() / k..((i + 1) * order.len() / k)];
    let mut centres: Vec<Vec<f64>> =
        (0..k).map(|i| mean(slice(i).iter().map(|c| &candidates[*c].curve), samples)).collect();
    let mut owner = vec![usize::MAX; candidates.len()];
    for _ in 0..50 {
        let nearest = (0..candidates.len().div_ceil(512))
            .into_par_iter()
            .map(|piece| {
                let members = &candidates[piece * 512..((piece + 1) * 512).min(candidates.len())];
                let distance = |c: &Candidate, centre: &Vec<f64>| -> f64 {
                    c.curve.iter().zip(centre).map(|(a, b)| (a - b).powi(2)).sum()
                };
                let nearest = |c: &Candidate| {
                    let all = centres.iter().map(|centre| distance(c, centre)).enumerate();
                    all.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(i, _)| i)
                };
                members.iter().map(nearest).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
            .concat();
        let changed = nearest != owner;
        owner = nearest;
        if !changed {
            break;
        }
        for (i, centre) in centres.iter_mut().enumerate() {
            let members = || candidates.iter().zip(&owner).filter(|(_, o)| **o == i).map(|(c, _)| &c.curve);
            if members().next().is_some() {
                *centre = mean(members(), samples);
            }
        }
    }
    (0..k).map(|i| (0..candidates.len()).filter(|c| owner[*c] == i).collect()).collect()
}

/// Mouridsen 2006, as OSIPI's JBJA code has it: the tenth of the mask with the highest area, of these the three
/// quarters that are most regular, normalised, in five clusters; the one with the lowest first moment, twice.
///
/// The clusters know shapes only, and an artery's shape is that of its edge: of the first arterial cluster, what is
/// as early as the last one and has nearly the highest area is the artery without partial volume.
///
/// Regularity is meant against noise. Where there is next to none, what bends most is the bolus in an artery, and the
/// cut takes the arteries: where the search without it comes to a curve more than twice as high, that one stands.
pub(crate) fn mouridsen(scene: &Scene) -> Found {
    let mut all = strongest(scene, 0.10, 50);
    normalise(&mut all);
    let most = height(&whole(&all));
    let cut = earliest(regular(all.clone(), 0.75));
    let high = cut.as_ref().map_or(0.0, |(chosen, _)| height(chosen));
    let uncut = if 2.0 * high < most { earliest(all) } else { None };
    let uncut = uncut.filter(|(chosen, _)| height(chosen) > 2.0 * high);
    let note =
        if uncut.is_some() { "; without the cut for irregularity, which took the arteries" } else { "" };
    let (chosen, sizes) = uncut.or(cut)?;
    let how = format!(
        "automatic (Mouridsen 2006): clusters of {} curves, as early as the last the {} voxels without partial volume{note}",
        sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
        chosen.len()
    );
    Some((positions(&chosen), how))
}

fn positions(chosen: &[Candidate]) -> Vec<usize> {
    chosen.iter().map(|c| c.position).collect()
}

/// Of the mean of normalised candidates, as it was measured.
fn height(candidates: &[Candidate]) -> f64 {
    let measured: Vec<Vec<f64>> =
        candidates.iter().map(|c| c.curve.iter().map(|v| v * c.area).collect()).collect();
    let Some(first) = measured.first() else { return 0.0 };
    let mean = mean(measured.iter(), first.len());
    mean[peak_at(&mean)]
}

/// The rounds of clustering: the voxels of the artery, and how many curves each round left.
fn earliest(mut candidates: Vec<Candidate>) -> Option<(Vec<Candidate>, Vec<usize>)> {
    if candidates.is_empty() {
        return None;
    }
    let mut sizes = vec![candidates.len()];
    let mut arterial = candidates.clone();
    for round in 0..2 {
        if candidates.len() < 10 {
            break;
        }
        let clusters = k_means(&candidates, 5);
        // A handful of voxels that are alike by chance are no artery.
        let least = (candidates.len() / 200).max(3);
        let samples = candidates[0].curve.len();
        let moment = |members: &Vec<usize>| {
            first_moment(&mean(members.iter().map(|m| &candidates[*m].curve), samples))
        };
        let best = clusters
            .iter()
            .filter(|c| c.len() >= least)
            .min_by(|a, b| moment(a).total_cmp(&moment(b)))?
            .clone();
        candidates = best.into_iter().map(|m| candidates[m].clone()).collect();
        sizes.push(candidates.len());
        if round == 0 {
            arterial.clone_from(&candidates);
        }
    }
    let shape = mean(candidates.iter().map(|c| &c.curve), candidates[0].curve.len());
    let latest = first_moment_of_positive(&shape) + 1.0;
    arterial.retain(|c| first_moment_of_positive(&c.curve) <= latest);
    if arterial.is_empty() {
        arterial = candidates;
    }
    Some((whole(&arterial), sizes))
}

/// The members whose area is near that of the strongest three.
fn whole(candidates: &[Candidate]) -> Vec<Candidate> {
    let mut areas: Vec<f64> = candidates.iter().map(|c| c.area).collect();
    areas.sort_by(|a, b| b.total_cmp(a));
    let top = &areas[..areas.len().min(3)];
    let limit = WHOLE * top.iter().sum::<f64>() / top.len().max(1) as f64;
    candidates.iter().filter(|c| c.area >= limit).cloned().collect()
}

/// Peruzzo 2011, as the DSC toolbox has it: without the 40 % of least area, the 40 % of latest peak and the 5 %
/// most irregular, cut in two until at most six voxels are left; of the two the higher one, or the earlier one
/// where their peaks differ by less than 4 %.
pub(crate) fn peruzzo(scene: &Scene) -> Found {
    const LAST: usize = 6;
    const LEAST: usize = 4;
    const SAME_PEAK: f64 = 0.04;
    let mut candidates = strongest(scene, 0.60, 50);
    candidates.sort_by_key(|c| (peak_at(&c.curve), c.position));
    let early = (candidates.len() * 60).div_ceil(100);
    // Whole samples: all that peak together stay together.
    let latest = candidates.get(early.saturating_sub(1)).map(|c| peak_at(&c.curve))?;
    candidates.retain(|c| peak_at(&c.curve) <= latest);
    let dt_areas: Vec<f64> = candidates.iter().map(|c| c.area).collect();
    candidates.sort_by(|a, b| {
        let rough = |c: &Candidate| irregularity(&c.curve) / c.area.powi(2);
        rough(a).total_cmp(&rough(b)).then(a.position.cmp(&b.position))
    });
    candidates.truncate((dt_areas.len() * 95).div_ceil(100));
    let mut cuts = 0;
    while candidates.len() > LAST {
        let parts = k_means(&candidates, 2);
        let samples = candidates[0].curve.len();
        let centre = |p: &Vec<usize>| mean(p.iter().map(|m| &candidates[*m].curve), samples);
        let [a, b] = parts.as_slice() else { break };
        let (ca, cb) = (centre(a), centre(b));
        let (pa, pb) = (ca[peak_at(&ca)], cb[peak_at(&cb)]);
        let alike = (pa - pb).abs() < SAME_PEAK * pa.max(pb);
        let first = if alike { peak_at(&ca) <= peak_at(&cb) } else { pa > pb };
        let (mut chosen, other) = if first { (a, b) } else { (b, a) };
        if chosen.len() < LEAST {
            if other.len() < LEAST || other.len() == candidates.len() {
                break;
            }
            // Too few to be a vessel: noise.
            chosen = other;
        }
        candidates = chosen.iter().map(|m| candidates[*m].clone()).collect();
        cuts += 1;
        if cuts > 60 {
            break;
        }
    }
    if candidates.is_empty() {
        return None;
    }
    candidates.truncate(50);
    let how = format!("automatic (Peruzzo 2011): {} voxels after {cuts} cuts", candidates.len());
    Some((candidates.iter().map(|c| c.position).collect(), how))
}

/// The vein: the highest areas of the mask that are not earlier than the artery. Large veins have no partial
/// volume, so nothing has a higher area.
pub(crate) fn vein(scene: &Scene, aif: &Vessel) -> Found {
    let arterial = first_moment_of_positive(&aif.values);
    let veins = scene.veins.get_or_init(|| strongest(scene, 0.005, 20));
    let later = |c: &&Candidate| first_moment_of_positive(&c.curve) > arterial;
    // Tissue has less than a tenth of an artery's blood.
    let candidates: Vec<Candidate> =
        veins.iter().filter(later).filter(|c| c.area > 0.3 * aif.area).cloned().collect();
    if candidates.is_empty() {
        return None;
    }
    let chosen = positions(&whole(&candidates));
    let how = format!(
        "automatic: the {} voxels with the highest area that are later than the artery",
        chosen.len()
    );
    Some((chosen, how))
}

/// Over what is above 0: noise around 0 has weight late in the record.
fn first_moment_of_positive(curve: &[f64]) -> f64 {
    let high = curve[peak_at(curve)];
    let kept: Vec<f64> = curve.iter().map(|v| if *v > 0.1 * high { *v } else { 0.0 }).collect();
    first_moment(&kept)
}

/// The best voxel within a radius in the slice of a click: highest for its time (artery), largest (vein).
pub(crate) fn near(scene: &Scene, voxel: [u32; 3], radius_mm: f64, artery: bool) -> Option<usize> {
    let reach = [0, 1].map(|i| (radius_mm / scene.spacing_mm[i]).floor() as i64);
    let mut best: Option<(f64, usize)> = None;
    for dy in -reach[1]..=reach[1] {
        for dx in -reach[0]..=reach[0] {
            let mm = (dx as f64 * scene.spacing_mm[0]).hypot(dy as f64 * scene.spacing_mm[1]);
            let (x, y) = (i64::from(voxel[0]) + dx, i64::from(voxel[1]) + dy);
            if mm > radius_mm || x < 0 || y < 0 || x >= scene.dims[0] as i64 || y >= scene.dims[1] as i64 {
                continue;
            }
            let index = (voxel[2] as usize * scene.dims[1] + y as usize) * scene.dims[0] + x as usize;
            let Some(position) = scene.curves.find(index as u32) else { continue };
            let m = scene.moments;
            let score = if artery {
                f64::from(m.peak[position]) / (f64::from(m.peak_at[position]) + 1.0)
            } else {
                f64::from(m.area[position])
            };
            if best.is_none_or(|b| score > b.0) {
                best = Some((score, position));
            }
        }
    }
    best.map(|(_, position)| position)
}
