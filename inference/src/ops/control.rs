//! If, Loop and Scan: operators that hold graphs.
//!
//! Their bodies run on the host, as often as the data says; what a body takes from around it comes behind the node's
//! own inputs, in the same order for each of its bodies. An If whose condition is constant never gets here.

use std::sync::Arc;

use crate::exec::evaluate;
use crate::graph::Graph;
use crate::ops::element::{count, tensor};
use crate::ops::layout::{concat, permute};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, axis, ints, optional, required};
use crate::same_dtype;
use crate::tensor::{Data, Tensor};

/// Rounds of a loop; a damaged file may ask for 2^63.
const MOST_ROUNDS: usize = 1 << 20;

#[derive(Clone, Debug)]
struct If {
    then: Arc<Graph>,
    otherwise: Arc<Graph>,
}

#[derive(Clone, Debug)]
struct Loop {
    body: Arc<Graph>,
    /// Values that go from one round to the next.
    carried: usize,
}

#[derive(Clone, Debug)]
struct Scan {
    body: Arc<Graph>,
    /// Values that go from one round to the next.
    carried: usize,
    /// Tensors that are cut into slices.
    scanned: usize,
    input_axes: Vec<i64>,
    input_backward: Vec<bool>,
    output_axes: Vec<i64>,
    output_backward: Vec<bool>,
}

pub fn parse_if(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(If { then: a.body("then_branch")?, otherwise: a.body("else_branch")? }))
}

pub fn parse_loop(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Loop { body: a.body("body")?, carried: a.inputs().saturating_sub(2) }))
}

pub fn parse_scan(a: &Attributes<'_>) -> Result<Op, OpError> {
    let scanned = usize::try_from(a.int("num_scan_inputs", 0)?).unwrap_or(0);
    let body = a.body("body")?;
    let carried = a
        .inputs()
        .checked_sub(scanned)
        .filter(|_| scanned > 0)
        .ok_or_else(|| OpError::invalid(format!("num_scan_inputs is {scanned}")))?;
    let made = body.outputs.len().saturating_sub(carried);
    let list = |name: &str, n: usize| -> Result<Vec<i64>, OpError> {
        let list = a.ints(name)?;
        match list.len() {
            0 => Ok(vec![0; n]),
            len if len == n => Ok(list),
            len => Err(OpError::invalid(format!("{name} has {len} entries for {n} tensors"))),
        }
    };
    let backward = |name: &str, n: usize| Ok::<_, OpError>(list(name, n)?.iter().map(|&d| d == 1).collect());
    Ok(Op::host(Scan {
        input_axes: list("scan_input_axes", scanned)?,
        input_backward: backward("scan_input_directions", scanned)?,
        output_axes: list("scan_output_axes", made)?,
        output_backward: backward("scan_output_directions", made)?,
        body,
        carried,
        scanned,
    }))
}

/// The inputs from `at` on, all of which must be there.
fn rest(inputs: &[Option<&Tensor>], at: usize) -> Result<Vec<Arc<Tensor>>, OpError> {
    (at..inputs.len()).map(|i| Ok(Arc::new(required(inputs, i)?.clone()))).collect()
}

fn truth(tensor: &Tensor) -> Result<bool, OpError> {
    match tensor.data() {
        Data::Bool(v) => v.first().copied().ok_or_else(|| OpError::invalid("the condition has no element")),
        data => Err(OpError::Type { what: "the condition", got: data.dtype() }),
    }
}

impl Kernel for If {
    fn infer(&self, _: &[Option<Known<'_>>]) -> Inferred {
        Ok(None)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let body = if truth(required(inputs, 0)?)? { &self.then } else { &self.otherwise };
        evaluate(body, rest(inputs, 1)?)
    }
}

/// Tensors of one shape as one tensor with a new axis `at`.
fn stack(slices: &[Tensor], at: i64) -> Result<Tensor, OpError> {
    let first = slices.first().ok_or_else(|| OpError::invalid("a loop without rounds makes no slices"))?;
    let at = axis(at, first.shape().len() + 1)?;
    let with_axis: Vec<Tensor> = slices
        .iter()
        .map(|t| {
            let mut shape = t.shape().to_vec();
            if at > shape.len() {
                return Err(OpError::invalid("the slices are of different shapes"));
            }
            shape.insert(at, 1);
            Ok(Tensor::new(shape, t.data().clone())?)
        })
        .collect::<Result<_, OpError>>()?;
    concat(&with_axis.iter().collect::<Vec<_>>(), at as i64)
}

/// Splits what a body gave into what is carried on and what is collected.
fn collect(
    mut made: Vec<Tensor>,
    carried: usize,
    slices: &mut [Vec<Tensor>],
) -> Result<Vec<Arc<Tensor>>, OpError> {
    if made.len() != carried + slices.len() {
        return Err(OpError::invalid(format!("the body gives {} values", made.len())));
    }
    let new = made.split_off(carried);
    slices.iter_mut().zip(new).for_each(|(list, t)| list.push(t));
    Ok(made.into_iter().map(Arc::new).collect())
}

impl Kernel for Loop {
    fn infer(&self, _: &[Option<Known<'_>>]) -> Inferred {
        Ok(None)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let most = match optional(inputs, 0) {
            Some(t) => ints(t)?.first().copied().unwrap_or(0),
            None => i64::MAX,
        };
        let mut go_on = match optional(inputs, 1) {
            Some(t) => truth(t)?,
            None => true,
        };
        let mut carried = rest(&inputs[..(2 + self.carried).min(inputs.len())], 2.min(inputs.len()))?;
        let captures = rest(inputs, (2 + self.carried).min(inputs.len()))?;
        let collected = self
            .body
            .outputs
            .len()
            .checked_sub(1 + self.carried)
            .ok_or_else(|| OpError::invalid("the body gives too few values"))?;
        let mut slices = vec![Vec::new(); collected];
        let mut round = 0i64;
        while go_on && round < most {
            if round as usize >= MOST_ROUNDS {
                return Err(OpError::invalid(format!("the loop does not end within {MOST_ROUNDS} rounds")));
            }
            let mut given =
                vec![Arc::new(tensor(vec![], vec![round])?), Arc::new(tensor(vec![], vec![go_on])?)];
            given.append(&mut carried);
            given.extend(captures.iter().cloned());
            let mut made = evaluate(&self.body, given)?;
            if made.is_empty() {
                return Err(OpError::invalid("the body gives no condition"));
            }
            go_on = truth(&made.remove(0))?;
            carried = collect(made, self.carried, &mut slices)?;
            round += 1;
        }
        let mut out: Vec<Tensor> = carried.into_iter().map(Arc::unwrap_or_clone).collect();
        for list in &slices {
            out.push(stack(list, 0)?);
        }
        Ok(out)
    }
}

/// Slice `i` along an axis, without that axis.
fn slice(t: &Tensor, at: usize, i: usize) -> Result<Tensor, OpError> {
    let shape = t.shape();
    let outer = count(&shape[..at])?;
    let inner = count(&shape[at + 1..])?;
    let extent = shape[at];
    let data = same_dtype!(t.data(), v => {
        let mut out = Vec::with_capacity(outer * inner);
        for o in 0..outer {
            out.extend_from_slice(&v[(o * extent + i) * inner..][..inner]);
        }
        out
    });
    let mut rest = shape.to_vec();
    rest.remove(at);
    Ok(Tensor::new(rest, data)?)
}

impl Kernel for Scan {
    fn infer(&self, _: &[Option<Known<'_>>]) -> Inferred {
        Ok(None)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let own = self.carried + self.scanned;
        if inputs.len() < own {
            return Err(OpError::Missing { input: inputs.len() });
        }
        let mut carried = rest(&inputs[..self.carried], 0)?;
        let captures = rest(inputs, own)?;
        let mut scanned = Vec::with_capacity(self.scanned);
        for k in 0..self.scanned {
            let t = required(inputs, self.carried + k)?;
            let at = axis(self.input_axes[k], t.shape().len())?;
            scanned.push((t, at, self.input_backward[k]));
        }
        let rounds = scanned.first().map_or(0, |(t, at, _)| t.shape()[*at]);
        if scanned.iter().any(|(t, at, _)| t.shape()[*at] != rounds) || rounds > MOST_ROUNDS {
            return Err(OpError::invalid("the scanned tensors are of different lengths"));
        }
        let mut slices = vec![Vec::new(); self.output_axes.len()];
        for round in 0..rounds {
            let mut given = std::mem::take(&mut carried);
            for &(t, at, backward) in &scanned {
                let i = if backward { rounds - 1 - round } else { round };
                given.push(Arc::new(slice(t, at, i)?));
            }
            given.extend(captures.iter().cloned());
            carried = collect(evaluate(&self.body, given)?, self.carried, &mut slices)?;
        }
        let mut out: Vec<Tensor> = carried.into_iter().map(Arc::unwrap_or_clone).collect();
        for (k, mut list) in slices.into_iter().enumerate() {
            if self.output_backward[k] {
                list.reverse();
            }
            let stacked = stack(&list, 0)?;
            let rank = stacked.shape().len();
            let at = axis(self.output_axes[k], rank)?;
            let mut order: Vec<usize> = (1..rank).collect();
            order.insert(at, 0);
            out.push(permute(&stacked, &order)?);
        }
        Ok(out)
    }
}
