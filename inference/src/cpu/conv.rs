//! Convolutions and transposed convolutions over 1 to 3 axes: groups, strides, dilations, any padding.
//!
//! Planes are copied once (see `gather`), a band of rows at a time so that the copies stay in the cache; the taps along
//! the depth each name a plane, and planes outside of the volume are left out of the sum instead of being stored as
//! zeros. Depth is walked in steps of the dilation: then three planes suffice for a kernel of three, however far apart
//! its taps lie.

use std::ops::Range;

use super::activation::Activation;
use super::gather::{Band, Line, Taps};
use super::tile::{Job, Packed, SLACK, Scratch, Source, Target, span};
use super::{CpuError, check_length, gemm, parallel};
use crate::window::Axis;

/// The channels of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Groups; divides both.
    pub groups: usize,
    /// Whether it is ConvTranspose.
    pub transposed: bool,
}

/// Weights in the order in which they are read, ready for any extent of the input.
#[derive(Clone, Debug)]
pub struct ConvKernel {
    shape: ConvShape,
    /// Kernel, stride and dilation per axis; depth, height, width.
    window: [(usize, usize, usize); 3],
    passes: Vec<Pass>,
}

/// The outputs that the same taps reach: all of a convolution, one residue class of a transposed one.
#[derive(Clone, Debug)]
struct Pass {
    taps: [Taps; 3],
    groups: Vec<Packed>,
}

/// Copies of about this many elements are kept per task: 1 MB, half of a current core's second level.
const COPY: usize = 1 << 18;
/// Products below which a second thread costs more than it brings.
const ALONE: usize = 1 << 18;

/// Rows of a band of which the copies fit the cache; `row` elements are copied for each, `reach` rows more.
fn rows_of_band(row: usize, reach: usize) -> usize {
    (COPY / row.max(1)).saturating_sub(reach).max(reach).max(8)
}

/// Bytes that a convolution takes beside input, output and weights, at most.
pub fn conv_scratch_bytes(shape: ConvShape, axes: &[Axis]) -> u64 {
    let Ok([z, y, x]) = three(axes) else { return 0 };
    if [z, y, x].iter().all(still) && !shape.transposed {
        return 0;
    }
    // Of a transposed one, each residue of the outputs is a pass of its own over less.
    let (phases, stride) = if shape.transposed {
        (1, [y.stride, x.stride])
    } else {
        (y.stride.min(y.kernel) * x.stride.min(x.kernel), [1, 1])
    };
    let reach = |axis: &Axis| (axis.kernel - 1) * axis.dilation / axis.stride + 1;
    let width = x.output.div_ceil(stride[1]) + reach(&x);
    let row = (shape.inputs / shape.groups.max(1))
        .saturating_mul(z.kernel)
        .saturating_mul(phases)
        .saturating_mul(width);
    let rows = rows_of_band(row, reach(&y)).min(y.output.div_ceil(stride[0])) + reach(&y);
    (row.saturating_mul(rows) + SLACK).saturating_mul(4 * parallel::threads()) as u64
}

const UNIT: Axis = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad_begin: 0, pad_end: 0 };

/// Depth, height and width; the missing ones have one element.
pub(super) fn three(axes: &[Axis]) -> Result<[Axis; 3], CpuError> {
    match *axes {
        [x] => Ok([UNIT, UNIT, x]),
        [y, x] => Ok([UNIT, y, x]),
        [z, y, x] => Ok([z, y, x]),
        _ => Err(CpuError::Rank(axes.len())),
    }
}

/// Whether an axis is left as it is.
fn still(axis: &Axis) -> bool {
    axis.kernel == 1 && axis.stride == 1 && axis.pad_begin == 0 && axis.pad_end == 0
}

impl ConvKernel {
    /// Orders `weights`: (outputs, inputs / groups, kernel…) for a convolution, (inputs, outputs / groups, kernel…) for
    /// a transposed one. Of the axes only kernel, stride and dilation are read.
    ///
    /// # Errors
    /// Groups that do not divide the channels, weights of another length, more than three axes.
    pub fn new(shape: ConvShape, axes: &[Axis], weights: &[f32]) -> Result<Self, CpuError> {
        let axes = three(axes)?;
        let ConvShape { inputs, outputs, groups, transposed } = shape;
        for channels in [inputs, outputs] {
            if groups == 0 || channels % groups != 0 {
                return Err(CpuError::Groups { channels, groups });
            }
        }
        let kernel = axes.map(|axis| axis.kernel);
        let (first, second) =
            if transposed { (inputs, outputs / groups) } else { (outputs, inputs / groups) };
        check_length("kernel", weights.len(), &[first, second, kernel[0], kernel[1], kernel[2]])?;
        let taps: Vec<[Taps; 3]> = if transposed {
            let [z, y, x] = axes.map(|axis| Taps::transposed(&axis));
            let planes = z.iter().flat_map(|z| y.iter().map(move |y| (z, y)));
            planes.flat_map(|(z, y)| x.iter().map(|x| [z.clone(), y.clone(), x.clone()])).collect()
        } else {
            vec![axes.map(|axis| Taps::direct(&axis))]
        };
        let passes = taps.into_iter().map(|taps| Pass::new(shape, kernel, taps, weights)).collect();
        let window = axes.map(|axis| (axis.kernel, axis.stride, axis.dilation));
        Ok(Self { shape, window, passes })
    }

    /// Weights, inputs and outputs where an output is a sum over the channels of one input element.
    pub(super) fn pointwise(&self, axes: &[Axis; 3]) -> Option<(&Packed, usize, usize)> {
        let ConvShape { inputs, outputs, groups, transposed } = self.shape;
        let plain = !transposed && groups == 1 && self.window == [(1, 1, 1); 3] && axes.iter().all(still);
        let weights = self.passes.first()?.groups.first()?;
        plain.then_some((weights, inputs, outputs))
    }

    /// Convolves `input` (batch, channels, spatial…) to (batch, outputs, spatial…). `bias` has one element per output
    /// channel, or none.
    ///
    /// # Errors
    /// Slices of another length than the axes say, and axes of another window than the kernel was made for.
    pub fn run(
        &self,
        input: &[f32],
        batch: usize,
        axes: &[Axis],
        bias: &[f32],
        activation: Activation,
    ) -> Result<Vec<f32>, CpuError> {
        let axes = three(axes)?;
        let ConvShape { inputs, outputs, groups, .. } = self.shape;
        if axes.map(|axis| (axis.kernel, axis.stride, axis.dilation)) != self.window {
            return Err(CpuError::Window);
        }
        let [from, to] = [axes.map(|axis| axis.input), axes.map(|axis| axis.output)];
        check_length("input", input.len(), &[batch, inputs, from[0], from[1], from[2]])?;
        if !bias.is_empty() {
            check_length("bias", bias.len(), &[outputs])?;
        }
        let total = crate::tensor::elements(&[batch, outputs, to[0], to[1], to[2]])
            .ok_or(CpuError::Size("convolution's output"))?;
        let mut output = vec![0.0; total];
        if total == 0 {
            return Ok(output);
        }
        let volume: usize = from.iter().product();
        if !self.shape.transposed && axes.iter().all(still) && inputs / groups > 1 {
            let (per_input, per_output) = (volume * inputs / groups, volume * outputs / groups);
            for (i, output) in output.chunks_mut(per_output).enumerate() {
                let group = i % groups;
                let bias = if bias.is_empty() { bias } else { &bias[group * outputs / groups..] };
                let data = &input[i * per_input..(i + 1) * per_input];
                let weights = &self.passes[0].groups[group];
                gemm::product(
                    weights,
                    gemm::Operand { data, pitch: volume, columns: volume },
                    bias,
                    activation,
                    output,
                );
            }
            return Ok(output);
        }
        let call = Call { kernel: self, input, axes, bias, activation, planes: volume / axes[0].input };
        let tasks = call.tasks(batch, &mut output);
        parallel::each(tasks, |task| call.run(task));
        Ok(output)
    }
}

impl Pass {
    fn new(shape: ConvShape, kernel: [usize; 3], taps: [Taps; 3], weights: &[f32]) -> Self {
        let (inputs, outputs) = (shape.inputs / shape.groups, shape.outputs / shape.groups);
        let [z, y, x] = taps.each_ref().map(|taps| &taps.taps);
        let plane = y.len() * x.len();
        let groups = (0..shape.groups)
            .map(|group| {
                Packed::new(outputs, z.len() * inputs * plane, |o, k| {
                    let (z, rest) = (z[k / (inputs * plane)].index, k % (inputs * plane));
                    let (i, rest) = (rest / plane, rest % plane);
                    let (y, x) = (y[rest / x.len()].index, x[rest % x.len()].index);
                    let pair = if shape.transposed {
                        (group * inputs + i) * outputs + o
                    } else {
                        (group * outputs + o) * inputs + i
                    };
                    weights[((pair * kernel[0] + z) * kernel[1] + y) * kernel[2] + x]
                })
            })
            .collect();
        Self { taps, groups }
    }
}

/// A convolution of an input.
struct Call<'a> {
    kernel: &'a ConvKernel,
    input: &'a [f32],
    axes: [Axis; 3],
    bias: &'a [f32],
    activation: Activation,
    /// Elements of one input plane.
    planes: usize,
}

/// A part of the output and where it is written.
struct Task<'b> {
    batch: usize,
    groups: Range<usize>,
    tiles: Range<usize>,
    z: Range<usize>,
    y: Range<usize>,
    /// For each group and plane, the rows `y` of each channel of the tiles.
    cells: Vec<Vec<&'b mut [f32]>>,
}

impl Call<'_> {
    /// Cuts the output into tasks: rows in bands whose copies fit the cache, then as many parts as there are threads.
    fn tasks<'b>(&self, batch: usize, output: &'b mut [f32]) -> Vec<Task<'b>> {
        let ConvShape { inputs, outputs, groups, .. } = self.kernel.shape;
        let [depth, height, width] = self.axes.map(|axis| axis.output);
        let (inputs, outputs) = (inputs / groups, outputs / groups);
        let pass = &self.kernel.passes[0];
        let products = pass.groups[0].depth * outputs * groups * batch * depth * height * width;
        let threads = parallel::threads();
        let wanted = if products < ALONE { 1 } else { threads * if products < ALONE * 64 { 1 } else { 2 } };

        let [z, y, x] = &pass.taps;
        let row = inputs * z.taps.len() * y.phases.len() * x.phases.len() * (self.axes[2].output + x.reach);
        let fitting = rows_of_band(row, y.reach);
        let parts = parallel::split(groups, if groups > 1 { wanted.div_ceil(batch) } else { 1 });
        let mut units = batch * parts.len();
        let bands = height.div_ceil(fitting).max(wanted.div_ceil(units).min(height / 4)).max(1);
        let bands = parallel::split(height, bands);
        units *= bands.len();
        let slabs = parallel::split(depth, wanted.div_ceil(units).min(depth / 4).max(1));
        units *= slabs.len();
        let tiles = &pass.groups[0].tiles;
        let shares = parallel::split(tiles.len(), wanted.div_ceil(units).min(tiles.len()));

        let mut tasks = Vec::new();
        for batch in 0..batch {
            for groups in &parts {
                for tiles in &shares {
                    for z in &slabs {
                        for y in &bands {
                            let cells = (0..groups.len() * z.len()).map(|_| Vec::new()).collect();
                            let (groups, tiles) = (groups.clone(), tiles.clone());
                            tasks.push(Task { batch, groups, tiles, z: z.clone(), y: y.clone(), cells });
                        }
                    }
                }
            }
        }
        let find = |ranges: &[Range<usize>], at| ranges.partition_point(|range| range.end <= at);
        for (i, mut plane) in output.chunks_mut(height * width).enumerate() {
            let (rest, slice) = (i / depth, i % depth);
            let (rest, channel) = (rest / outputs, rest % outputs);
            let (batch, group) = (rest / groups, rest % groups);
            let tile = tiles.partition_point(|tile| tile.end <= channel);
            let (part, share, slab) = (find(&parts, group), find(&shares, tile), find(&slabs, slice));
            for (b, band) in bands.iter().enumerate() {
                let (head, tail) = plane.split_at_mut(band.len() * width);
                plane = tail;
                let task = (((batch * parts.len() + part) * shares.len() + share) * slabs.len() + slab)
                    * bands.len()
                    + b;
                let task = &mut tasks[task];
                let cell = (group - task.groups.start) * task.z.len() + slice - task.z.start;
                task.cells[cell].push(head);
            }
        }
        tasks
    }

    fn run(&self, mut task: Task<'_>) {
        let mut memory = Memory::default();
        for pass in &self.kernel.passes {
            let lines = [0, 1, 2].map(|axis| pass.taps[axis].line(&self.axes[axis]));
            let rows = lines[1].within(&task.y, pass.taps[1].output_stride);
            if rows.is_empty() || lines[2].count == 0 {
                continue;
            }
            for group in task.groups.clone() {
                self.pass(&mut task, pass, lines, &rows, group, &mut memory);
            }
        }
    }

    /// The outputs of one pass and group in a task.
    fn pass(
        &self,
        task: &mut Task<'_>,
        pass: &Pass,
        lines: [Line; 3],
        rows: &Range<usize>,
        group: usize,
        memory: &mut Memory,
    ) {
        let ConvShape { inputs: all_inputs, outputs: all_outputs, groups, .. } = self.kernel.shape;
        let (inputs, outputs) = (all_inputs / groups, all_outputs / groups);
        let [z_taps, y, x] = &pass.taps;
        let band = Band {
            y,
            x,
            line_y: lines[1],
            line_x: lines[2],
            row: rows.start,
            height: rows.len() + y.reach,
            width: lines[2].count + x.reach,
        };
        let slot = inputs * band.elements();
        let Memory { copy, holds, base, offsets, order, scratch } = memory;
        let slots = z_taps.taps.len().max(1);
        if copy.len() < slots * slot + SLACK {
            copy.resize(slots * slot + SLACK, 0.0);
        }
        holds.clear();
        holds.resize(slots, None);
        base.clear();
        for input in 0..inputs {
            for y in &y.taps {
                base.extend(x.taps.iter().map(|x| input * band.elements() + band.offset(y, x)));
            }
        }
        let reach = base.iter().max().map_or(0, |most| most + (slots - 1) * slot);

        // Outputs whose taps meet the same planes follow each other.
        let step = z_taps.output_stride;
        let distance = z_taps.distance();
        order.clear();
        order.extend(lines[0].within(&task.z, step));
        order.sort_unstable_by_key(|j| ((j * z_taps.stride) % distance, *j));

        let bias =
            if self.bias.is_empty() { self.bias } else { &self.bias[group * outputs..(group + 1) * outputs] };
        let width = self.axes[2].output;
        let at = (lines[1].first + rows.start * y.output_stride - task.y.start) * width + lines[2].first;
        let flat = self.flat(rows.len(), lines[2].count, band.width);
        for &j in order.iter() {
            // Residues that no tap reaches hold the bias: there is nothing to copy.
            let plane_of = |tap: &_| z_taps.input(&lines[0], j, tap).filter(|_| !base.is_empty());
            let inside: Vec<(usize, usize)> =
                z_taps.taps.iter().enumerate().filter_map(|(i, tap)| Some((i, plane_of(tap)?))).collect();
            offsets.clear();
            for &(_, plane) in &inside {
                let held = holds.iter().position(|&held| held == Some(plane));
                let free = || {
                    let needed = |held: &Option<usize>| inside.iter().any(|&(_, plane)| *held == Some(plane));
                    holds.iter().position(|held| !needed(held))
                };
                let Some(place) = held.or_else(free) else { continue };
                if held.is_none() {
                    for (input, copy) in
                        copy[place * slot..(place + 1) * slot].chunks_exact_mut(band.elements()).enumerate()
                    {
                        let channel = task.batch * all_inputs + group * inputs + input;
                        let from = (channel * self.axes[0].input + plane) * self.planes;
                        band.fill(&self.input[from..from + self.planes], copy);
                    }
                    holds[place] = Some(plane);
                }
                offsets.extend(base.iter().map(|offset| place * slot + offset));
            }
            // Planes advance by taps, so those inside are neighbours in the order of the weights.
            let first = inside.first().map_or(0, |&(i, _)| i * base.len());
            let out = lines[0].first + j * step;
            let cell = &mut task.cells[(group - task.groups.start) * task.z.len() + out - task.z.start];
            let mut job = Job {
                source: Source::Rows { data: copy, offsets, reach, gather: false },
                weights: &pass.groups[group],
                k: (first, first + offsets.len()),
                tiles: (task.tiles.start, task.tiles.end),
                bias,
                activation: self.activation,
                target: Target {
                    at,
                    pitch: band.width,
                    width: lines[2].count,
                    row_step: y.output_stride * width,
                    step: x.output_stride,
                },
            };
            if flat {
                span(&job, 0, (rows.len() - 1) * band.width + lines[2].count, cell, scratch);
            } else {
                for row in 0..rows.len() {
                    job.target.at = at + row * job.target.row_step;
                    span(&job, row * band.width, lines[2].count, cell, scratch);
                }
            }
        }
    }

    /// Whether rows are cheaper computed as one run over the copy, with the columns between them thrown away.
    fn flat(&self, rows: usize, columns: usize, pitch: usize) -> bool {
        let lanes = super::tile::lanes();
        ((rows - 1) * pitch + columns).div_ceil(lanes) < rows * columns.div_ceil(lanes)
    }
}

/// What a task keeps from one pass to the next.
#[derive(Default)]
struct Memory {
    copy: Vec<f32>,
    /// The plane that each slot of the copy holds.
    holds: Vec<Option<usize>>,
    base: Vec<usize>,
    offsets: Vec<usize>,
    order: Vec<usize>,
    scratch: Scratch,
}
