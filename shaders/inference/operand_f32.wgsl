// An operand as it lies in the file, in f32.

@group(0) @binding(2) var<storage, read> operand: array<f32>;

fn operand_of(i: u32) -> f32 {
    return operand[i];
}

/// Scale and zero point.
fn scale_of(channel: u32) -> vec2<f32> {
    return vec2<f32>(1.0, 0.0);
}
