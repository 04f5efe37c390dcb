// Bytes and half floats of a file to one word per element.
//
// A model's weights are uploaded as they are stored, a quarter or half of the size, and widened where they are used.

const U8: u32 = 0u;
const I8: u32 = 1u;
const F16: u32 = 2u;

struct Params {
    /// Words to write, format, unused.
    size: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

/// Bits of the f32 that equals a half float. By hand, because unpack2x16float is no default capability of naga.
fn widened(half_bits: u32) -> u32 {
    let sign_bit = (half_bits & 0x8000u) << 16u;
    let magnitude = half_bits & 0x7fffu;
    if magnitude >= 0x7c00u {
        return sign_bit | 0x7f800000u | (magnitude << 13u);
    }
    if magnitude < 0x0400u {
        // Subnormal: multiples of 2^-24.
        return sign_bit | bitcast<u32>(f32(magnitude) * 5.9604644775390625e-8);
    }
    return sign_bit | ((magnitude << 13u) + (112u << 23u));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    switch params.size.y {
        case 0u: { output[thread] = (input[thread / 4u] >> (thread % 4u * 8u)) & 0xffu; }
        case 1u: {
            let word = bitcast<i32>(input[thread / 4u] << (24u - thread % 4u * 8u));
            output[thread] = bitcast<u32>(word >> 24u);
        }
        default: {
            output[thread] = widened((input[thread / 2u] >> (thread % 2u * 16u)) & 0xffffu);
        }
    }
}
