// Weights as they are computed with: [group][block][tap][input channel][quad of output channels].

@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;

fn weight_of(i: u32, zero: vec4<f32>) -> vec4<f32> {
    return weights[i];
}

fn scale_of(channel: u32) -> f32 {
    return 1.0;
}

fn zeros_of(channel: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
