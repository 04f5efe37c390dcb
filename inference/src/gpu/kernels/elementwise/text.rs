//! The WGSL of a chain.
//!
//! One `let` per step: the compiler sees the chain as it is, and a line of an error message names a step.

use std::fmt::Write;

use super::{Binary, Chain, Step, Ty, Unary};
use crate::gpu::fault::GpuFault;

fn name(ty: Ty) -> &'static str {
    match ty {
        Ty::F32 => "f32",
        Ty::I32 => "i32",
        Ty::U32 => "u32",
        Ty::Bool => "bool",
        Ty::F16 => "f16",
    }
}

/// In a buffer.
fn stored(ty: Ty) -> &'static str {
    if ty == Ty::Bool { "u32" } else { name(ty) }
}

/// `linear` tells which inputs have an element per thread.
pub(super) fn of(chain: &Chain, linear: &[bool]) -> Result<String, GpuFault> {
    let types = chain.types()?;
    let result = chain.result()?;
    let inputs = chain.inputs.len();
    let mut text = String::new();
    if result == Ty::F16 || chain.inputs.contains(&Ty::F16) {
        text.push_str("enable f16;\n");
    }
    text.push_str(&shaders::inference::ELEMENTWISE.source());
    text.push_str(
        "struct Params {\n    size: vec4<u32>,\n    extents: array<vec4<u32>, 2>,\n    strides: array<vec4<u32>, 12>,\n    \
         constants: array<vec4<f32>, 4>,\n}\n@group(0) @binding(0) var<uniform> params: Params;\n",
    );
    // Writing to a String cannot fail.
    for (i, ty) in chain.inputs.iter().enumerate() {
        let (at, ty) = (i + 1, stored(*ty));
        let _ = writeln!(text, "@group(0) @binding({at}) var<storage, read> in{i}: array<{ty}>;");
    }
    let (at, ty) = (inputs + 1, stored(result));
    let _ = writeln!(text, "@group(0) @binding({at}) var<storage, read_write> output: array<{ty}>;");
    text.push_str(
        "@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: \
         vec3<u32>, @builtin(local_invocation_index) local: u32) {\n    let thread = thread_of(wg, groups, local);\n    \
         if thread >= params.size.x { return; }\n",
    );
    if linear.contains(&false) {
        text.push_str("    var rest = thread;\n");
        let walked: Vec<usize> = (0..inputs).filter(|&i| !linear[i]).collect();
        walked.iter().for_each(|i| {
            let _ = writeln!(text, "    var at{i} = 0u;");
        });
        text.push_str(
            "    for (var axis = params.size.y; axis > 0u; axis--) {\n        let a = (axis - 1u) / 4u;\n        let b = \
             (axis - 1u) % 4u;\n        let index = rest % params.extents[a][b];\n        rest /= params.extents[a][b];\n",
        );
        walked.iter().for_each(|i| {
            let _ = writeln!(text, "        at{i} += index * params.strides[{}u + a][b];", 2 * i);
        });
        text.push_str("    }\n");
    }
    for (i, ty) in chain.inputs.iter().enumerate() {
        let at = if linear[i] { "thread".to_owned() } else { format!("at{i}") };
        let value = match ty {
            Ty::Bool => format!("in{i}[{at}] != 0u"),
            Ty::F16 => format!("f32(in{i}[{at}])"),
            _ => format!("in{i}[{at}]"),
        };
        let _ = writeln!(text, "    let v{i} = {value};");
    }
    for (i, step) in chain.steps.iter().enumerate() {
        let _ = writeln!(text, "    let v{} = {};", inputs + i, expression(*step, &types));
    }
    let last = types.len() - 1;
    let value = if result == Ty::Bool { format!("select(0u, 1u, v{last})") } else { format!("v{last}") };
    let _ = writeln!(text, "    output[thread] = {value};\n}}");
    Ok(text)
}

fn expression(step: Step, types: &[Ty]) -> String {
    match step {
        Step::Constant(i) => format!("params.constants[{}u][{}u]", i / 4, i % 4),
        Step::Select(c, a, b) => format!("select(v{b}, v{a}, v{c})"),
        Step::Cast(to, a) => cast(to, types[a], a),
        Step::Unary(op, a) => unary(op, a),
        Step::Binary(op, a, b) => binary(op, types[a], a, b),
    }
}

fn cast(to: Ty, from: Ty, a: usize) -> String {
    match (to, from) {
        _ if to == from => format!("v{a}"),
        (Ty::Bool, Ty::F32) => format!("(v{a} != 0.0)"),
        (Ty::Bool, Ty::I32) => format!("(v{a} != 0i)"),
        (Ty::Bool, _) => format!("(v{a} != 0u)"),
        _ => format!("{}(v{a})", name(to)),
    }
}

fn unary(op: Unary, a: usize) -> String {
    let call = |function: &str| format!("{function}(v{a})");
    match op {
        Unary::Abs => call("abs"),
        Unary::Neg => format!("-v{a}"),
        Unary::Sign => call("sign"),
        Unary::Floor => call("floor"),
        Unary::Ceil => call("ceil"),
        Unary::Round => call("round"),
        Unary::Sqrt => call("sqrt"),
        Unary::Exp => call("exp"),
        Unary::Expm1 => call("expm1_"),
        Unary::Log => call("log"),
        Unary::Erf => call("erf_"),
        Unary::Reciprocal => format!("(1.0 / v{a})"),
        Unary::Sigmoid => call("sigmoid_"),
        Unary::Tanh => call("tanh_"),
        Unary::Softplus => call("softplus_"),
        Unary::Not => format!("!v{a}"),
        Unary::BitNot => format!("~v{a}"),
        Unary::IsNan => call("is_nan"),
        Unary::IsInf => call("is_inf"),
    }
}

fn binary(op: Binary, ty: Ty, a: usize, b: usize) -> String {
    let infix = |operator: &str| format!("(v{a} {operator} v{b})");
    let call = |function: &str| format!("{function}(v{a}, v{b})");
    match op {
        Binary::Add => infix("+"),
        Binary::Sub => infix("-"),
        Binary::Mul => infix("*"),
        Binary::Div => infix("/"),
        Binary::Ratio => call("ratio_"),
        Binary::Pow if ty == Ty::F32 => call("pow_"),
        Binary::Pow => call("ipow_"),
        Binary::Mod if ty == Ty::F32 => call("mod_"),
        Binary::Mod => call("imod_"),
        Binary::Fmod => infix("%"),
        Binary::Min => call("min"),
        Binary::Max => call("max"),
        Binary::Equal => infix("=="),
        Binary::Less => infix("<"),
        Binary::LessOrEqual => infix("<="),
        Binary::Greater => infix(">"),
        Binary::GreaterOrEqual => infix(">="),
        // Both sides are values already: nothing is saved by not looking at the second.
        Binary::And | Binary::BitAnd => infix("&"),
        Binary::Or | Binary::BitOr => infix("|"),
        Binary::Xor => infix("!="),
        Binary::BitXor => infix("^"),
    }
}
