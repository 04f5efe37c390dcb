// An operand as it lies in the file, half floats, two to a word. Every half float has its f32.

@group(0) @binding(2) var<storage, read> operand: array<u32>;

fn operand_of(i: u32) -> f32 {
    let pair = unpack2x16float(operand[i / 2u]);
    return select(pair.x, pair.y, i % 2u == 1u);
}

/// Scale and zero point.
fn scale_of(channel: u32) -> vec2<f32> {
    return vec2<f32>(1.0, 0.0);
}
