//! A graph taken apart into slabs: every layer computes a few planes at a time, as soon as the planes that they need are
//! there, and planes that nothing needs any more go.
//!
//! A network of convolutions over a volume holds two whole layers otherwise, which for 30 channels on 256³ voxels are
//! 4 GB. Tiles with halos would compute the halos again, half of a slab and more for a network that sees 46 planes far;
//! here nothing is computed twice, and each number by the same sums as in one piece. What needs a whole volume at once
//! (statistics of an instance, say) gets it, with everything before it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::Plan;
use crate::graph::{Graph, Node, ValueId};
use crate::ops::conv::{Conv, ConvTranspose};
use crate::ops::norm::BatchNorm;
use crate::ops::planes::Planes;
use crate::ops::pool::Pool;
use crate::ops::{Op, axis};
use crate::tensor::TensorInfo;
use crate::window::{AutoPad, Axis, WindowAttributes};

/// Nodes of a taken-apart graph, and of the part of the graph that is: the walk is recursive.
const MOST_NODES: usize = 1 << 15;
const MOST_LOCAL: usize = 300;

/// A part of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index of the output.
    pub output: usize,
    /// Along which parts follow one another.
    pub axis: usize,
    /// Its first plane.
    pub first: usize,
}

/// A graph in slabs.
pub(super) struct Streamed {
    pub graph: Graph,
    /// Values that are parts of outputs, in the order in which they are made.
    pub parts: HashMap<ValueId, Part>,
}

/// `planned`, a plan for the whole, in slabs of about so many planes of the largest volume; `None` where nothing of it
/// can be taken apart.
pub(super) fn stream(planned: &Plan, planes: usize) -> Option<Streamed> {
    let graph = &planned.graph;
    let mut makers = HashMap::new();
    for &at in &planned.steps {
        graph.nodes[at].outputs.iter().flatten().for_each(|&id| {
            makers.insert(id, at);
        });
    }
    let mut stream = Stream {
        from: graph,
        plan: planned,
        planes,
        largest: 1,
        makers,
        local: HashSet::new(),
        whole: HashMap::new(),
        pieces: HashMap::new(),
        out: Graph {
            values: graph.values.clone(),
            inputs: graph.inputs.clone(),
            constants: planned.constants.clone(),
            packed: planned.packed.clone(),
            opset: graph.opset,
            ..Graph::default()
        },
    };
    stream.find_local();
    let fits = !stream.local.is_empty() && stream.local.len() <= MOST_LOCAL;
    fits.then(|| stream.outputs()).flatten()
}

struct Stream<'a> {
    from: &'a Graph,
    plan: &'a Plan,
    planes: usize,
    /// The most planes that a value in parts has.
    largest: usize,
    makers: HashMap<ValueId, usize>,
    /// Nodes that are computed in parts.
    local: HashSet<usize>,
    whole: HashMap<ValueId, ValueId>,
    pieces: HashMap<(ValueId, usize), ValueId>,
    out: Graph,
}

/// Taps beyond the padding see at least one element, so a part of the input is never empty.
fn reaches(axis: &Axis) -> bool {
    let window = (axis.kernel - 1) * axis.dilation;
    axis.pad_begin <= window && axis.pad_end <= window
}

impl Stream<'_> {
    fn info(&self, value: ValueId) -> Option<&TensorInfo> {
        self.plan.infos.get(value)?.as_ref()
    }

    fn input(&self, at: usize, input: usize) -> Option<ValueId> {
        self.from.nodes[at].inputs.get(input).copied().flatten()
    }

    /// The axis along which a value is taken apart: the first of space.
    fn axis(&self, value: ValueId) -> usize {
        let maker = self.makers.get(&value).map(|&at| &self.from.nodes[at].op);
        if matches!(maker, Some(Op::Labels(_) | Op::ConvLabels(_))) { 1 } else { 2 }
    }

    fn extent(&self, value: ValueId) -> Option<usize> {
        self.info(value)?.shape.get(self.axis(value)).copied()
    }

    /// Marks the nodes that need no more of their input than some planes around those that they make, and that nothing
    /// before a node that needs all is among them: those are cheapest in one piece.
    fn find_local(&mut self) {
        let mut whole: HashSet<ValueId> = HashSet::new();
        for &at in self.plan.steps.iter().rev() {
            let node = &self.from.nodes[at];
            let wanted_whole = node.outputs.iter().flatten().any(|id| whole.contains(id));
            if !wanted_whole && self.is_local(at) == Some(true) {
                self.local.insert(at);
            } else {
                whole.extend(node.inputs.iter().flatten());
            }
        }
        let made = self.local.iter().filter_map(|&at| self.made(at));
        self.largest = made.filter_map(|id| self.extent(id)).max().unwrap_or(1);
    }

    /// The one output of a node.
    fn made(&self, at: usize) -> Option<ValueId> {
        match self.from.nodes[at].outputs[..] {
            [Some(id)] => Some(id),
            _ => None,
        }
    }

    fn is_local(&self, at: usize) -> Option<bool> {
        let out = self.made(at)?;
        let labels = matches!(self.from.nodes[at].op, Op::Labels(_) | Op::ConvLabels(_));
        let rank = self.info(out)?.shape.len() + usize::from(labels);
        let extent = self.extent(out)?;
        // Operands may lack the axis, have one element there, or as many as the result.
        let fits = |id: &ValueId| {
            let Some(info) = self.info(*id) else { return false };
            let along = 2usize.checked_sub(rank.saturating_sub(info.shape.len()));
            let own = along.and_then(|axis| info.shape.get(axis).copied()).unwrap_or(1);
            own == 1 || (own == extent && info.shape.len() == rank)
        };
        let weights = || self.plan.is_constant(self.input(at, 1)?).then_some(());
        let space = rank >= 4 && extent > 1;
        Some(
            space
                && match &self.from.nodes[at].op {
                    Op::Unary(_) | Op::Clip(_) | Op::Cast(_) | Op::Labels(_) => true,
                    Op::Identity(op) => !op.mask,
                    Op::Binary(_) | Op::Variadic(_) | Op::Where(_) => {
                        self.from.nodes[at].inputs.iter().flatten().all(fits)
                    }
                    Op::BatchNorm(BatchNorm { training, .. }) => !training,
                    Op::Softmax(op) => !op.flatten && axis(op.axis, rank).ok()? == 1,
                    Op::Concat(op) => axis(op.axis, rank).ok()? == 1,
                    Op::ConvLabels(_) => weights().is_some(),
                    Op::Conv(_) => {
                        weights()?;
                        reaches(self.axes(at)?.first()?)
                    }
                    Op::ConvTranspose(_) => weights().is_some(),
                    Op::Pool(op) => {
                        let first = *self.axes(at)?.first()?;
                        let window = (first.kernel - 1) * first.dilation + 1;
                        let last = (first.output - 1) * first.stride + window;
                        !op.indices
                            && reaches(&first)
                            && last <= first.input + first.pad_begin + first.pad_end
                    }
                    _ => false,
                },
        )
    }

    /// The axes of space of a window over a node's first input.
    fn axes(&self, at: usize) -> Option<Vec<Axis>> {
        let shape = |input: usize| Some(self.info(self.input(at, input)?)?.shape.as_slice());
        match &self.from.nodes[at].op {
            Op::Conv(op) => Some(op.shape(shape(0)?, shape(1)?).ok()?.axes),
            Op::ConvTranspose(op) => Some(op.shape(shape(0)?, shape(1)?).ok()?.axes),
            Op::Pool(op) => op.axes(shape(0)?).ok(),
            _ => None,
        }
    }

    fn outputs(mut self) -> Option<Streamed> {
        let mut parts = HashMap::new();
        let outputs = self.from.outputs.clone();
        let mut made = Vec::with_capacity(outputs.len());
        for (at, (name, value)) in outputs.iter().enumerate() {
            let in_parts = self.makers.get(value).is_some_and(|maker| self.local.contains(maker));
            if !in_parts {
                made.push((name.clone(), self.whole(*value)?));
                continue;
            }
            let (extent, step, axis) = (self.extent(*value)?, self.step(*value)?, self.axis(*value));
            for piece in 0..extent.div_ceil(step) {
                let id = self.piece(*value, piece)?;
                // A value that is two outputs has its parts once: the second is a copy.
                let id = if parts.contains_key(&id) { self.copied(id, axis, piece, *value)? } else { id };
                parts.insert(id, Part { output: at, axis, first: piece * step });
            }
            made.push((name.clone(), self.out.value(name)));
        }
        self.out.outputs = made;
        Some(Streamed { graph: self.out, parts })
    }

    fn copied(&mut self, id: ValueId, axis: usize, piece: usize, of: ValueId) -> Option<ValueId> {
        let (extent, step) = (self.extent(of)?, self.step(of)?);
        let count = step.min(extent - piece * step);
        Some(self.planes(vec![id], Planes { axis, first: 0, count }))
    }

    /// Planes of a part.
    fn step(&self, value: ValueId) -> Option<usize> {
        Some((self.planes * self.extent(value)?).div_ceil(self.largest).max(1))
    }

    /// All of a value.
    fn whole(&mut self, value: ValueId) -> Option<ValueId> {
        let Some(&at) = self.makers.get(&value) else { return Some(value) };
        if let Some(&id) = self.whole.get(&value) {
            return Some(id);
        }
        if self.local.contains(&at) {
            let all = self.extent(value)?;
            return self.range(value, 0..all);
        }
        let mut node = self.from.nodes[at].clone();
        for input in node.inputs.iter_mut().flatten() {
            *input = self.whole(*input)?;
        }
        node.outputs.iter().flatten().for_each(|&id| {
            self.whole.insert(id, id);
        });
        node.part_of = Some(at);
        self.push(node)?;
        Some(value)
    }

    fn push(&mut self, node: Node) -> Option<()> {
        (self.out.nodes.len() < MOST_NODES).then(|| self.out.nodes.push(node))
    }

    fn planes(&mut self, from: Vec<ValueId>, op: Planes) -> ValueId {
        let id = self.out.value("planes");
        self.out.nodes.push(Node {
            name: "planes".into(),
            op_type: "Planes".into(),
            op: Op::Planes(op),
            inputs: from.into_iter().map(Some).collect(),
            outputs: vec![Some(id)],
            part_of: None,
        });
        id
    }

    /// These planes of a value and no others.
    fn range(&mut self, value: ValueId, range: Range<usize>) -> Option<ValueId> {
        let (extent, along) = (self.extent(value)?, self.axis(value));
        let in_parts = self.makers.get(&value).is_some_and(|at| self.local.contains(at));
        if !in_parts {
            let whole = self.whole(value)?;
            if range == (0..extent) {
                return Some(whole);
            }
            let op = Planes { axis: along, first: range.start, count: range.len() };
            return Some(self.planes(vec![whole], op));
        }
        let step = self.step(value)?;
        let pieces = range.start / step..range.end.div_ceil(step);
        let first = pieces.start * step;
        let exact = pieces.len() == 1 && range.start == first && range.end == extent.min(first + step);
        let ids: Vec<_> = pieces.map(|piece| self.piece(value, piece)).collect::<Option<_>>()?;
        if exact {
            return ids.first().copied();
        }
        Some(self.planes(ids, Planes { axis: along, first: range.start - first, count: range.len() }))
    }

    /// Part number `piece` of a value that is made in parts.
    fn piece(&mut self, value: ValueId, piece: usize) -> Option<ValueId> {
        if let Some(&id) = self.pieces.get(&(value, piece)) {
            return Some(id);
        }
        let at = *self.makers.get(&value)?;
        let (extent, step) = (self.extent(value)?, self.step(value)?);
        let range = piece * step..extent.min((piece + 1) * step);
        let node = self.from.nodes[at].clone();
        let axes = self.axes(at);
        let (op, wanted) = match (&node.op, axes.as_deref()) {
            (Op::Conv(op), Some(axes)) => {
                let (wanted, window) = windowed(axes, &range)?;
                (Op::Conv(Conv { window, ..op.clone() }), Some(wanted))
            }
            (Op::Pool(op), Some(axes)) => {
                let (wanted, window) = windowed(axes, &range)?;
                (Op::Pool(Pool { window, ..op.clone() }), Some(wanted))
            }
            (Op::ConvTranspose(op), Some(axes)) => {
                let (wanted, op) = transposed(op, axes, &range)?;
                (Op::ConvTranspose(op), Some(wanted))
            }
            (op, _) => (op.clone(), None),
        };
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for (place, input) in node.inputs.iter().enumerate() {
            let Some(input) = *input else {
                inputs.push(None);
                continue;
            };
            let rank = self.info(value)?.shape.len() + usize::from(self.axis(value) == 1);
            let alike = self.info(input)?.shape.len() == rank && self.extent(input) == Some(extent);
            inputs.push(Some(match &wanted {
                Some(wanted) if place == 0 => self.range(input, wanted.clone())?,
                // Weights, and what is the same for all planes.
                Some(_) => self.whole(input)?,
                None if alike => self.range(input, range.clone())?,
                None => self.whole(input)?,
            }));
        }
        let id = self.out.value(&node.name);
        self.push(Node { op, inputs, outputs: vec![Some(id)], part_of: Some(at), ..node })?;
        self.pieces.insert((value, piece), id);
        Some(id)
    }
}

/// The planes of the input that a window over it needs for these of its output, and the window over those planes.
fn windowed(axes: &[Axis], range: &Range<usize>) -> Option<(Range<usize>, WindowAttributes)> {
    let first = axes.first()?;
    // Counted from the padding.
    let begin = range.start * first.stride;
    let end = (range.end - 1) * first.stride + (first.kernel - 1) * first.dilation + 1;
    let wanted = begin.saturating_sub(first.pad_begin)..end.saturating_sub(first.pad_begin).min(first.input);
    let pads = [first.pad_begin.saturating_sub(begin), end.saturating_sub(first.pad_begin + first.input)];
    (!wanted.is_empty()).then(|| (wanted, attributes(axes, pads)))
}

/// The window with other padding along the first axis.
fn attributes(axes: &[Axis], [begin, end]: [usize; 2]) -> WindowAttributes {
    let list = |f: fn(&Axis) -> usize| axes.iter().map(|axis| f(axis) as i64).collect::<Vec<_>>();
    let (mut begins, mut ends) = (list(|a| a.pad_begin), list(|a| a.pad_end));
    (begins[0], ends[0]) = (begin as i64, end as i64);
    WindowAttributes {
        auto_pad: AutoPad::NotSet,
        kernel: list(|a| a.kernel),
        strides: list(|a| a.stride),
        dilations: list(|a| a.dilation),
        pads: [begins, ends].concat(),
        ceil: false,
    }
}

/// The same for a transposed convolution: tap `k` lays input `i` down at `i · stride + k · dilation - pad`.
fn transposed(
    op: &ConvTranspose,
    axes: &[Axis],
    range: &Range<usize>,
) -> Option<(Range<usize>, ConvTranspose)> {
    let first = axes.first()?;
    let (stride, window) = (first.stride, (first.kernel - 1) * first.dilation);
    let from = (range.start + first.pad_begin).saturating_sub(window).div_ceil(stride);
    // Not behind the first output, so that what is cut off is never less than nothing.
    let from = from.min((range.start + first.pad_begin) / stride).min(first.input - 1);
    let to = ((range.end - 1 + first.pad_begin) / stride + 1).min(first.input).max(from + 1);
    // Outputs that are cut off at the ends; behind the last tap there may be some that no input reaches.
    let mut cut = Vec::with_capacity(axes.len());
    for (i, axis) in axes.iter().enumerate() {
        let (inputs, outputs, begin) = if i == 0 {
            (to - from, range.len(), (range.start + axis.pad_begin).checked_sub(from * stride)?)
        } else {
            (axis.input, axis.output, axis.pad_begin)
        };
        let full = (inputs - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
        cut.push((begin, full.saturating_sub(begin + outputs), (begin + outputs).saturating_sub(full)));
    }
    let list = |f: fn(&(usize, usize, usize)) -> usize| cut.iter().map(|c| f(c) as i64).collect::<Vec<_>>();
    let window =
        WindowAttributes { pads: [list(|c| c.0), list(|c| c.1)].concat(), ..attributes(axes, [0, 0]) };
    let op = ConvTranspose { window, output_padding: list(|c| c.2), output_shape: Vec::new(), ..op.clone() };
    Some((from..to, op))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(
        input: usize,
        output: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
        pad: [usize; 2],
    ) -> Axis {
        Axis { input, output, kernel, stride, dilation, pad_begin: pad[0], pad_end: pad[1] }
    }

    #[test]
    fn the_planes_of_a_window_and_what_is_left_of_its_padding() {
        let axes = [axis(20, 20, 3, 1, 4, [4, 4])];
        let (wanted, window) = windowed(&axes, &(0..5)).unwrap();
        assert_eq!((wanted, window.pads), (0..9, vec![4, 0]));
        let (wanted, window) = windowed(&axes, &(2..5)).unwrap();
        assert_eq!((wanted, window.pads), (0..9, vec![2, 0]));
        let (wanted, window) = windowed(&axes, &(17..20)).unwrap();
        assert_eq!((wanted, window.pads), (13..20, vec![0, 4]));
        let strided = [axis(9, 5, 3, 2, 1, [1, 1])];
        let (wanted, window) = windowed(&strided, &(2..4)).unwrap();
        assert_eq!((wanted, window.pads), (3..8, vec![0, 0]));
    }

    #[test]
    fn the_inputs_of_a_transposed_window_and_the_outputs_cut_off() {
        let op = ConvTranspose {
            window: WindowAttributes::default(),
            group: 1,
            output_padding: vec![],
            output_shape: vec![],
            activation: None,
        };
        for (kernel, stride, dilation, pad, extra) in
            [(2, 2, 1, 0, 0), (3, 2, 1, 1, 1), (1, 3, 1, 0, 2), (4, 2, 2, 3, 0), (3, 1, 1, 1, 0)]
        {
            let input = 7;
            let full = (input - 1) * stride + (kernel - 1) * dilation + 1;
            let output = full + extra - 2 * pad;
            let axes = [axis(input, output, kernel, stride, dilation, [pad, pad])];
            for start in 0..output {
                for end in start + 1..=output {
                    let (wanted, part) = transposed(&op, &axes, &(start..end)).unwrap();
                    // Every input that reaches an output of the range is there.
                    for i in 0..input {
                        let reached = (0..kernel).any(|k| {
                            let at = (i * stride + k * dilation) as i64 - pad as i64;
                            (start as i64..end as i64).contains(&at)
                        });
                        assert!(!reached || wanted.contains(&i), "{i} for {start}..{end}");
                    }
                    let shape = part.shape(&[1, 1, wanted.len()], &[1, 1, kernel]).unwrap();
                    assert_eq!(shape.output[2], end - start);
                    // The first output is the one that was asked for.
                    let first = wanted.start * stride + shape.axes[0].pad_begin;
                    assert_eq!(first, start + pad);
                }
            }
        }
    }
}
