//! From the frames of a stack to slots: slice by position along the normal, time point by rule.
//!
//! Whatever finds no slot becomes a stack of its own if it is more than a few images, else a named
//! left-over: no frame disappears.

use std::fmt::Write as _;

use scene::DVec3;

use super::geometry::{geometry, picture};
use super::split::placed;
use super::time::{self, Split};
use super::{Candidate, FrameRef, Stack};

/// Positions closer than this are one slice; a tenth of the finest spacing that scanners make.
const SAME_POSITION_MM: f64 = 0.01;

/// Fewer left-over images than this are duplicates, more are worth a look of their own.
const OWN_STACK: usize = 3;

/// A stack, and frames that are no part of it, each with the reason.
pub(super) struct Placed {
    pub stack: Stack,
    pub left_over: Vec<(FrameRef, String)>,
}

/// One or more stacks from frames that can share a grid.
pub(super) fn place(mut members: Vec<Candidate>) -> Vec<Placed> {
    let mut out = Vec::new();
    let mut note = None;
    while !members.is_empty() {
        let (mut placed, rest) = if placed(&members[0]) {
            place_slices(&members)
        } else {
            (place_pictures(&mut members), Vec::new())
        };
        if let Some(note) = note.take() {
            placed.stack.warnings.push(note);
        }
        let few = rest.len() < OWN_STACK;
        if few {
            for c in &rest {
                let at = c.frame.position.unwrap_or(DVec3::ZERO);
                let reason = format!(
                    "Duplicate: another image of the series lies at the same position ({:.2}, {:.2}, {:.2}) mm.",
                    at.x, at.y, at.z
                );
                placed.left_over.push((c.at, reason));
            }
            if !rest.is_empty() {
                placed.stack.warnings.push(format!(
                    "{} at the same position as another; the first by acquisition is shown.",
                    count(rest.len(), "duplicate image", "duplicate images")
                ));
            }
            out.push(placed);
            return out;
        }
        placed.stack.warnings.push(format!(
            "{} images lie at positions that are already taken and nothing tells time points apart; they are listed as a stack of their own.",
            rest.len()
        ));
        note = Some("Second images at positions of another stack of this series.".to_owned());
        out.push(placed);
        members = rest;
    }
    out
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Frames without a place: a cine is time, everything else is a list of pictures.
fn place_pictures(members: &mut [Candidate]) -> Placed {
    // PS3.3 C.7.6.1: without positions only Instance Number (0020,0013) orders images.
    members.sort_by_key(|c| (c.instance.instance_number.unwrap_or(i32::MAX), c.at));
    let first = members[0];
    let n = members.len() as u32;
    let cine = members.len() > 1
        && members.iter().all(|c| c.at.instance == first.at.instance && c.frame.time.cine_s.is_some());
    let (slices, time_points) = if cine { (1, n) } else { (n, 1) };
    let mut warnings = Vec::new();
    if first.frame.spacing.is_none() {
        let capture = first.frame.position.is_some();
        let why = if capture { "The pixel spacing is missing or zero" } else { "No pixel spacing" };
        warnings.push(format!("{why}: lengths are in pixels."));
    }
    let grid = picture(first.frame, [first.pixels.columns, first.pixels.rows, slices], &mut warnings);
    let times_s =
        if cine { members.iter().filter_map(|c| c.frame.time.cine_s).collect() } else { Vec::new() };
    Placed {
        stack: Stack {
            series: 0,
            slots: members.iter().map(|c| Some(c.at)).collect(),
            grid,
            time_points,
            times_s,
            time_rule: cine.then(|| "frame time (0018,1063)".into()),
            warnings,
        },
        left_over: Vec::new(),
    }
}

/// Frames with a place, and those for which no slot was left.
fn place_slices<'a>(members: &[Candidate<'a>]) -> (Placed, Vec<Candidate<'a>>) {
    let first = members[0];
    let (Some(orientation), Some(spacing)) = (first.frame.orientation, first.frame.spacing) else {
        return (place_pictures(&mut members.to_vec()), Vec::new());
    };
    let normal = orientation[0].cross(orientation[1]);
    let depth = |c: &Candidate| c.frame.position.unwrap_or(DVec3::ZERO).dot(normal);
    let mut sorted = members.to_vec();
    // Within a slice by acquisition, so that "the first" means something.
    sorted.sort_by(|a, b| {
        depth(a).total_cmp(&depth(b)).then_with(|| {
            let key = |c: &Candidate| {
                (
                    c.frame.time.acquisition_s.unwrap_or(f64::MAX),
                    c.instance.instance_number.unwrap_or(i32::MAX),
                )
            };
            let (ka, kb) = (key(a), key(b));
            ka.0.total_cmp(&kb.0).then(ka.1.cmp(&kb.1)).then(a.at.cmp(&b.at))
        })
    });
    let same = SAME_POSITION_MM.min(0.05 * spacing.column_mm.min(spacing.row_mm));
    let mut positions: Vec<DVec3> = Vec::new();
    let mut position_of = Vec::with_capacity(sorted.len());
    for c in &sorted {
        let p = c.frame.position.unwrap_or(DVec3::ZERO);
        match positions.last() {
            Some(last) if (p - *last).dot(normal) <= same => {}
            _ => positions.push(p),
        }
        position_of.push(positions.len() - 1);
    }
    let split = time::split(&sorted, &position_of, positions.len());
    let g =
        geometry(&positions, first.frame, orientation, spacing, [first.pixels.columns, first.pixels.rows]);
    let slices = g.grid.dims()[2] as usize;
    let mut warnings = g.warnings;
    let Split { time_of, count: time_points, rule, times_s, note } = split.unwrap_or_else(|| Split {
        time_of: vec![Some(0); sorted.len()],
        count: 1,
        rule: String::new(),
        times_s: Vec::new(),
        note: None,
    });
    let mut slots: Vec<Option<FrameRef>> = vec![None; slices * time_points];
    let mut rest = Vec::new();
    for ((c, position), time) in sorted.iter().zip(&position_of).zip(&time_of) {
        let z = g.slice_of_position.get(*position).map_or(0, |z| *z as usize);
        let slot = time.map(|t| t * slices + z).and_then(|i| slots.get_mut(i));
        match slot {
            Some(slot) if slot.is_none() => *slot = Some(c.at),
            _ => rest.push(*c),
        }
    }
    if time_points > 1 {
        warnings.extend(note);
        note_incomplete(&slots, &g.slice_of_position, slices, time_points, &mut warnings);
        if times_s.is_empty() && !rule.starts_with("diffusion") {
            warnings.push(format!(
                "The time points were told apart by {rule}; their times in seconds are not known."
            ));
        }
    }
    let stack = Stack {
        series: 0,
        slots,
        grid: g.grid,
        time_points: time_points as u32,
        times_s,
        time_rule: (time_points > 1).then_some(rule),
        warnings,
    };
    (Placed { stack, left_over: Vec::new() }, rest)
}

/// Time points without all slices, with their numbers.
fn note_incomplete(
    slots: &[Option<FrameRef>],
    slice_of_position: &[u32],
    slices: usize,
    time_points: usize,
    warnings: &mut Vec<String>,
) {
    let all = slice_of_position.len();
    let mut text = String::new();
    let mut incomplete = 0;
    for t in 0..time_points {
        let there = slice_of_position.iter().filter(|z| slots[t * slices + **z as usize].is_some()).count();
        if there < all {
            incomplete += 1;
            // Ten examples say it; a hundred would bury the other warnings.
            if incomplete <= 10 {
                let _ = write!(text, "{}{} has {there}", if text.is_empty() { "" } else { ", " }, t + 1);
            }
        }
    }
    if incomplete > 0 {
        let more = if incomplete > 10 { ", ..." } else { "" };
        warnings.push(format!(
            "{incomplete} of {time_points} time points are incomplete: of {all} slices time point {text}{more}."
        ));
    }
}
