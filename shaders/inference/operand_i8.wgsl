// An operand as it lies in the file, signed bytes, four to a word.

@group(0) @binding(2) var<storage, read> operand: array<u32>;
/// Scale and zero point of each output channel.
@group(0) @binding(5) var<storage, read> scales: array<vec2<f32>>;

fn operand_of(i: u32) -> f32 {
    return f32(bitcast<i32>(operand[i / 4u] << (24u - i % 4u * 8u)) >> 24u);
}

/// Scale and zero point.
fn scale_of(channel: u32) -> vec2<f32> {
    return scales[channel];
}
