//! Which of several images at one place belongs to which time point.
//!
//! The standard offers several attributes and scanners fill them as they like, so the rules are tried in
//! order and the one that explained the data is named to the user. A rule explains the data exactly when
//! its values, as many as there are images at the fullest place, occur at most once at every place.

use super::Candidate;
use crate::header::FrameTime;

/// One way to tell time points apart.
struct Rule {
    name: &'static str,
    value: fn(&FrameTime) -> Option<f64>,
    /// From a value to seconds; 0 where values are no times.
    seconds: f64,
}

const RULES: [Rule; 5] = [
    Rule { name: "temporal position identifier (0020,0100)", value: |t| t.temporal_position, seconds: 0.0 },
    Rule { name: "acquisition time (0008,0032)", value: |t| t.acquisition_s, seconds: 1.0 },
    Rule { name: "content time (0008,0033)", value: |t| t.content_s, seconds: 1.0 },
    Rule { name: "trigger time (0018,1060)", value: |t| t.trigger_ms, seconds: 1e-3 },
    Rule { name: "diffusion b-value (0018,9087)", value: |t| t.b_value, seconds: 0.0 },
];

/// Time points of a stack.
pub(super) struct Split {
    /// Time point of every candidate; `None` for those that found no place.
    pub time_of: Vec<Option<usize>>,
    /// Number of time points.
    pub count: usize,
    /// Told to the user.
    pub rule: String,
    /// Seconds from the first; empty where unknown.
    pub times_s: Vec<f64>,
    /// What the values were, where they are no times.
    pub note: Option<String>,
}

/// Splits candidates whose slice is `slice_of` (of `slices`), or `None` where nothing tells them apart.
pub(super) fn split(candidates: &[Candidate], slice_of: &[usize], slices: usize) -> Option<Split> {
    let mut at_slice = vec![0usize; slices];
    slice_of.iter().for_each(|z| at_slice[*z] += 1);
    let fullest = at_slice.iter().copied().max().unwrap_or(0);
    if fullest < 2 {
        return None;
    }
    // Temporal positions are the scanner's own word and hold even where most slices of one are missing.
    if let Some(split) = exact(&RULES[0], candidates, slice_of, fullest) {
        return Some(split);
    }
    // A few doubled slices are no second time point, whatever their times say.
    let repeated = at_slice.iter().filter(|n| **n > 1).count();
    if repeated * 2 < slices {
        return None;
    }
    if let Some(split) = RULES[1..].iter().find_map(|rule| exact(rule, candidates, slice_of, fullest)) {
        return Some(split);
    }
    RULES.iter().find_map(|rule| ranked(rule, candidates, slice_of, fullest)).or_else(|| {
        let number = |c: &Candidate| c.instance.instance_number.map(f64::from);
        let time_of = rank(candidates, slice_of, number)?;
        Some(Split {
            time_of,
            count: fullest,
            rule: "instance number (0020,0013)".into(),
            times_s: Vec::new(),
            note: None,
        })
    })
}

/// Values that name the same time point at every slice.
fn exact(rule: &Rule, candidates: &[Candidate], slice_of: &[usize], fullest: usize) -> Option<Split> {
    let values: Vec<f64> = candidates.iter().map(|c| (rule.value)(&c.frame.time)).collect::<Option<_>>()?;
    let mut distinct = values.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let stated = rule.name.starts_with("temporal");
    if distinct.len() < fullest || (distinct.len() > fullest && !stated) {
        return None;
    }
    let time_of: Vec<usize> =
        values.iter().map(|v| distinct.binary_search_by(|d| d.total_cmp(v)).ok()).collect::<Option<_>>()?;
    let mut cells: Vec<(usize, usize)> = time_of.iter().copied().zip(slice_of.iter().copied()).collect();
    cells.sort_unstable();
    cells.windows(2).all(|w| w[0] != w[1]).then_some(())?;
    let times_s = if rule.seconds > 0.0 {
        distinct.iter().map(|v| (v - distinct[0]) * rule.seconds).collect()
    } else if stated {
        times_of_positions(candidates, &time_of, distinct.len())
    } else {
        Vec::new()
    };
    let note = rule.name.starts_with("diffusion").then(|| {
        format!(
            "The volumes are b-values, not times: {} s/mm².",
            distinct.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
        )
    });
    Some(Split {
        time_of: time_of.into_iter().map(Some).collect(),
        count: distinct.len(),
        rule: rule.name.into(),
        times_s,
        note,
    })
}

/// Values that differ from slice to slice but order the images at each.
fn ranked(rule: &Rule, candidates: &[Candidate], slice_of: &[usize], fullest: usize) -> Option<Split> {
    let time_of = rank(candidates, slice_of, |c| (rule.value)(&c.frame.time))?;
    let times_s = if rule.seconds > 0.0 {
        let mean = |t: usize| {
            let at: Vec<f64> = candidates
                .iter()
                .zip(&time_of)
                .filter(|(_, time)| **time == Some(t))
                .filter_map(|(c, _)| (rule.value)(&c.frame.time))
                .collect();
            at.iter().sum::<f64>() / at.len().max(1) as f64 * rule.seconds
        };
        let first = mean(0);
        let times: Vec<f64> = (0..fullest).map(|t| mean(t) - first).collect();
        if increasing(&times) { times } else { Vec::new() }
    } else {
        Vec::new()
    };
    let rule = format!("{}, in its order at each slice", rule.name);
    Some(Split { time_of, count: fullest, rule, times_s, note: None })
}

/// Rank of every candidate among those of its slice; nothing if a value is absent or equal to another.
fn rank(
    candidates: &[Candidate],
    slice_of: &[usize],
    value: impl Fn(&Candidate) -> Option<f64>,
) -> Option<Vec<Option<usize>>> {
    let values: Vec<f64> = candidates.iter().map(value).collect::<Option<_>>()?;
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| slice_of[*a].cmp(&slice_of[*b]).then(values[*a].total_cmp(&values[*b])));
    let mut time_of = vec![None; candidates.len()];
    let mut rank = 0;
    for (i, &c) in order.iter().enumerate() {
        rank = match i.checked_sub(1).map(|before| order[before]) {
            Some(before) if slice_of[before] == slice_of[c] => {
                (values[before] < values[c]).then_some(rank + 1)?
            }
            _ => 0,
        };
        time_of[c] = Some(rank);
    }
    Some(time_of)
}

/// Times of temporal positions: from the acquisition times if these increase, else Temporal Resolution
/// (0020,0110).
fn times_of_positions(candidates: &[Candidate], time_of: &[usize], count: usize) -> Vec<f64> {
    for value in [|t: &FrameTime| t.acquisition_s, |t: &FrameTime| t.trigger_ms.map(|ms| ms / 1000.0)] {
        let mut earliest = vec![f64::INFINITY; count];
        for (c, &t) in candidates.iter().zip(time_of) {
            earliest[t] = earliest[t].min(value(&c.frame.time).unwrap_or(f64::NAN));
        }
        let times: Vec<f64> = earliest.iter().map(|t| t - earliest[0]).collect();
        if increasing(&times) {
            return times;
        }
    }
    match candidates.iter().find_map(|c| c.frame.time.temporal_resolution_ms).filter(|ms| *ms > 0.0) {
        Some(ms) => (0..count).map(|t| t as f64 * ms / 1000.0).collect(),
        None => Vec::new(),
    }
}

fn increasing(times: &[f64]) -> bool {
    times.iter().all(|t| t.is_finite()) && times.windows(2).all(|w| w[0] < w[1])
}
