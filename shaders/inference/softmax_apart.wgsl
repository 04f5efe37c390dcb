// The values of softmax lie in a tensor of their own.

@group(0) @binding(1) var<storage, read> input: array<Element>;

fn value_of(i: u32) -> f32 {
    return f32(input[i]);
}
