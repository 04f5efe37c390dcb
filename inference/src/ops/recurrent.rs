//! LSTM, GRU and RNN: one step after the other, in f64.
//!
//! Rare in imaging, so written for the formulas: gates are named as in the operators' text, sequences of a batch are
//! walked one at a time, which makes lengths and the reverse direction a matter of the order of steps.

use super::element::count;
use super::numbers::{floats, from_floats, integers};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, known, optional, required};
use crate::tensor::{Tensor, TensorInfo};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Rnn,
    Gru {
        linear_before_reset: bool,
    },
    Lstm {
        /// The forget gate is one minus the input gate.
        coupled: bool,
    },
}

impl Cell {
    const fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 3,
            Self::Lstm { .. } => 4,
        }
    }
}

/// A function of a gate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Relu,
    Tanh,
    Sigmoid,
    Softsign,
    Softplus,
    Affine(f64, f64),
    LeakyRelu(f64),
    ThresholdedRelu(f64),
    ScaledTanh(f64, f64),
    HardSigmoid(f64, f64),
    Elu(f64),
}

impl Function {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Affine(a, b) => a * x + b,
            Self::LeakyRelu(a) => {
                if x < 0.0 {
                    a * x
                } else {
                    x
                }
            }
            Self::ThresholdedRelu(a) => {
                if x > a {
                    x
                } else {
                    0.0
                }
            }
            Self::ScaledTanh(a, b) => a * (b * x).tanh(),
            Self::HardSigmoid(a, b) => (a * x + b).clamp(0.0, 1.0),
            Self::Elu(a) => {
                if x < 0.0 {
                    a * x.exp_m1()
                } else {
                    x
                }
            }
        }
    }
}

/// A recurrent layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    cell: Cell,
    /// For each direction its functions, and whether it runs backwards.
    directions: Vec<(Vec<Function>, bool)>,
    clip: Option<f64>,
    /// The batch is the first axis.
    batch_first: bool,
    outputs: usize,
}

pub fn parse_rnn(a: &Attributes<'_>) -> Result<Op, OpError> {
    parse(a, Cell::Rnn, &["Tanh"])
}

pub fn parse_gru(a: &Attributes<'_>) -> Result<Op, OpError> {
    let linear_before_reset = a.flag("linear_before_reset", false)?;
    parse(a, Cell::Gru { linear_before_reset }, &["Sigmoid", "Tanh"])
}

pub fn parse_lstm(a: &Attributes<'_>) -> Result<Op, OpError> {
    parse(a, Cell::Lstm { coupled: a.flag("input_forget", false)? }, &["Sigmoid", "Tanh", "Tanh"])
}

fn parse(a: &Attributes<'_>, cell: Cell, default: &[&'static str]) -> Result<Op, OpError> {
    let ways = match a.text("direction", "forward")? {
        "forward" => vec![false],
        "reverse" => vec![true],
        "bidirectional" => vec![false, true],
        other => return Err(OpError::invalid(format!("direction is {other:?}"))),
    };
    let named = a.texts("activations")?;
    let names: Vec<&str> = if named.is_empty() { default.repeat(ways.len()) } else { named };
    if names.len() != default.len() * ways.len() {
        return Err(OpError::invalid(format!("{} activations for {} directions", names.len(), ways.len())));
    }
    // Taken in order by the functions that have such a number.
    let mut alphas = a.maybe_floats("activation_alpha")?.unwrap_or_default().into_iter();
    let mut betas = a.maybe_floats("activation_beta")?.unwrap_or_default().into_iter();
    let mut alpha = |default: f32| f64::from(alphas.next().unwrap_or(default));
    let mut beta = |default: f32| f64::from(betas.next().unwrap_or(default));
    let functions: Vec<Function> = names
        .iter()
        .map(|name| {
            Ok(match name.to_ascii_lowercase().as_str() {
                "relu" => Function::Relu,
                "tanh" => Function::Tanh,
                "sigmoid" => Function::Sigmoid,
                "softsign" => Function::Softsign,
                "softplus" => Function::Softplus,
                "affine" => Function::Affine(alpha(1.0), beta(0.0)),
                "leakyrelu" => Function::LeakyRelu(alpha(0.01)),
                "thresholdedrelu" => Function::ThresholdedRelu(alpha(1.0)),
                "scaledtanh" => Function::ScaledTanh(alpha(1.0), beta(1.0)),
                "hardsigmoid" => Function::HardSigmoid(alpha(0.2), beta(0.5)),
                "elu" => Function::Elu(alpha(1.0)),
                _ => return Err(OpError::unsupported(format!("activation {name}"))),
            })
        })
        .collect::<Result<_, _>>()?;
    let directions = functions.chunks(default.len()).map(<[Function]>::to_vec).zip(ways).collect();
    Ok(Op::host(Recurrent {
        cell,
        directions,
        clip: a.maybe_float("clip")?.map(f64::from),
        batch_first: a.flag("layout", false)?,
        outputs: a.outputs(),
    }))
}

/// Extents of a run.
#[derive(Clone, Copy)]
struct Sizes {
    length: usize,
    batch: usize,
    input: usize,
    hidden: usize,
}

/// What one direction multiplies with.
struct Weights<'a> {
    input: &'a [f64],
    hidden: &'a [f64],
    /// Biases of the input, then of the hidden state.
    bias: &'a [f64],
    /// Of the cell state, for the gates i, o and f (LSTM).
    peepholes: &'a [f64],
}

impl Recurrent {
    fn sizes(&self, x: &[usize], w: &[usize], r: &[usize]) -> Result<Sizes, OpError> {
        let fault = || OpError::invalid(format!("weights {w:?} and {r:?} do not fit an input {x:?}"));
        let (&[first, second, input], &[directions, rows, columns], &[directions_r, rows_r, hidden]) =
            (x, w, r)
        else {
            return Err(fault());
        };
        let (batch, length) = if self.batch_first { (first, second) } else { (second, first) };
        let want = hidden.checked_mul(self.cell.gates()).ok_or_else(fault)?;
        let fits = directions == self.directions.len() && directions == directions_r;
        if !fits || rows != want || rows_r != want || columns != input {
            return Err(fault());
        }
        Ok(Sizes { length, batch, input, hidden })
    }

    fn shapes(&self, Sizes { length, batch, hidden, .. }: Sizes) -> [Vec<usize>; 2] {
        let ways = self.directions.len();
        if self.batch_first {
            [vec![batch, length, ways, hidden], vec![batch, ways, hidden]]
        } else {
            [vec![length, ways, batch, hidden], vec![ways, batch, hidden]]
        }
    }

    fn clipped(&self, x: f64) -> f64 {
        self.clip.map_or(x, |limit| x.max(-limit).min(limit))
    }

    /// The next hidden state from an input, the last state and, for an LSTM, the cell state.
    fn step(
        &self,
        f: &[Function],
        w: &Weights<'_>,
        sizes: Sizes,
        x: &[f64],
        h: &[f64],
        c: &mut [f64],
    ) -> Vec<f64> {
        let n = sizes.hidden;
        let gates = self.cell.gates();
        let dot = |row: &[f64], v: &[f64]| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
        let from_input = |gate: usize, i: usize| {
            let row = gate * n + i;
            dot(&w.input[row * sizes.input..(row + 1) * sizes.input], x) + w.bias[row]
        };
        let from_hidden = |gate: usize, i: usize, h: &[f64]| {
            let row = gate * n + i;
            dot(&w.hidden[row * n..(row + 1) * n], h) + w.bias[gates * n + row]
        };
        let both = |gate: usize, i: usize| from_input(gate, i) + from_hidden(gate, i, h);
        let of = |f: Function, x: f64| f.of(self.clipped(x));
        match self.cell {
            Cell::Rnn => (0..n).map(|i| of(f[0], both(0, i))).collect(),
            Cell::Gru { linear_before_reset } => {
                let z: Vec<f64> = (0..n).map(|i| of(f[0], both(0, i))).collect();
                let r: Vec<f64> = (0..n).map(|i| of(f[0], both(1, i))).collect();
                let reset: Vec<f64> = r.iter().zip(h).map(|(r, h)| r * h).collect();
                let next = |i: usize| {
                    let hidden = if linear_before_reset {
                        r[i] * from_hidden(2, i, h)
                    } else {
                        from_hidden(2, i, &reset)
                    };
                    (1.0 - z[i]) * of(f[1], from_input(2, i) + hidden) + z[i] * h[i]
                };
                (0..n).map(next).collect()
            }
            Cell::Lstm { coupled } => (0..n)
                .map(|i| {
                    // Gates stand in the order i, o, f, c; peepholes in the order i, o, f.
                    let input = of(f[0], both(0, i) + w.peepholes[i] * c[i]);
                    let forget = if coupled {
                        1.0 - input
                    } else {
                        of(f[0], both(2, i) + w.peepholes[2 * n + i] * c[i])
                    };
                    let cell = forget * c[i] + input * of(f[1], both(3, i));
                    let output = of(f[0], both(1, i) + w.peepholes[n + i] * cell);
                    c[i] = cell;
                    output * f[2].of(cell)
                })
                .collect(),
        }
    }
}

impl Kernel for Recurrent {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let [x, w, r] = [known(inputs, 0)?.info, known(inputs, 1)?.info, known(inputs, 2)?.info];
        let [all, last] = self.shapes(self.sizes(&x.shape, &w.shape, &r.shape)?);
        let shapes = [all, last.clone(), last].into_iter().take(self.outputs);
        Ok(Some(shapes.map(|shape| TensorInfo { dtype: x.dtype, shape }).collect()))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let [x, w, r] = [required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?];
        let sizes @ Sizes { length, batch, input, hidden } = self.sizes(x.shape(), w.shape(), r.shape())?;
        let (ways, rows) = (self.directions.len(), self.cell.gates() * hidden);
        let given = |at: usize, what: &'static str, want: usize| -> Result<Vec<f64>, OpError> {
            let list = optional(inputs, at).map_or(Ok(vec![0.0; want]), |tensor| floats(tensor, what))?;
            if list.len() == want {
                Ok(list)
            } else {
                Err(OpError::invalid(format!("{what} has {} elements, not {want}", list.len())))
            }
        };
        let (x_values, w, r) =
            (floats(x, "the input")?, floats(w, "the weights")?, floats(r, "the recurrence")?);
        let bias = given(3, "the bias", ways * 2 * rows)?;
        let states = given(5, "the first hidden state", ways * batch * hidden)?;
        let lstm = matches!(self.cell, Cell::Lstm { .. });
        let cells = if lstm {
            given(6, "the first cell state", ways * batch * hidden)?
        } else {
            vec![0.0; ways * batch * hidden]
        };
        let peepholes =
            if lstm { given(7, "the peepholes", ways * 3 * hidden)? } else { vec![0.0; ways * 3 * hidden] };
        let lengths = match optional(inputs, 4) {
            None => vec![length; batch],
            Some(lengths) => integers(lengths, "the lengths")?
                .into_iter()
                .map(|l| usize::try_from(l).ok().filter(|&l| l <= length))
                .collect::<Option<_>>()
                .ok_or_else(|| OpError::invalid(format!("a sequence is longer than {length}")))?,
        };
        if lengths.len() != batch {
            return Err(OpError::invalid(format!("{} lengths for {batch} sequences", lengths.len())));
        }
        let [all_shape, last_shape] = self.shapes(sizes);
        let mut all = vec![0.0; count(&all_shape)?];
        let (mut last, mut last_cell) = (vec![0.0; count(&last_shape)?], vec![0.0; count(&last_shape)?]);
        for (d, (functions, backwards)) in self.directions.iter().enumerate() {
            let weights = Weights {
                input: &w[d * rows * input..(d + 1) * rows * input],
                hidden: &r[d * rows * hidden..(d + 1) * rows * hidden],
                bias: &bias[d * 2 * rows..(d + 1) * 2 * rows],
                peepholes: &peepholes[d * 3 * hidden..(d + 1) * 3 * hidden],
            };
            for (b, &steps) in lengths.iter().enumerate() {
                let state = if self.batch_first { b * ways + d } else { d * batch + b } * hidden;
                let mut h = states[state..state + hidden].to_vec();
                let mut c = cells[state..state + hidden].to_vec();
                for step in 0..steps {
                    let t = if *backwards { steps - 1 - step } else { step };
                    let from = if self.batch_first { b * length + t } else { t * batch + b } * input;
                    h = self.step(functions, &weights, sizes, &x_values[from..from + input], &h, &mut c);
                    let to = if self.batch_first {
                        (b * length + t) * ways + d
                    } else {
                        (t * ways + d) * batch + b
                    } * hidden;
                    all[to..to + hidden].copy_from_slice(&h);
                }
                last[state..state + hidden].copy_from_slice(&h);
                last_cell[state..state + hidden].copy_from_slice(&c);
            }
        }
        let dtype = x.dtype();
        let mut out = vec![from_floats(all_shape, all, dtype)?];
        out.push(from_floats(last_shape.clone(), last, dtype)?);
        out.push(from_floats(last_shape, last_cell, dtype)?);
        out.truncate(self.outputs);
        Ok(out)
    }
}
