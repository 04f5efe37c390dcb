// Positions in 1/2^32 of a voxel, as two words per axis.
// Whole-number arithmetic gives every backend the same bits, so no sample can fall on another side of a
// voxel's edge on WebGPU, WebGL2 or the CPU, however large the volume or oblique the plane.

struct Fixed3 {
    /// Whole voxels, rounded down.
    hi: vec3<i32>,
    /// The rest, in 1/2^32 voxel.
    lo: vec3<u32>,
}

// Booleans are converted, not selected: `select` of integers becomes a `mix` that WebGL2 lacks.
fn fixed_add(a: Fixed3, b: Fixed3) -> Fixed3 {
    let lo = a.lo + b.lo;
    let carry = vec3<i32>(lo < b.lo);
    return Fixed3(a.hi + b.hi + carry, lo);
}

/// `a * n` modulo 2^64, for n < 2^16 (a pixel or sample index): no partial product leaves 32 bits.
fn fixed_times(a: Fixed3, n: u32) -> Fixed3 {
    let middle = (a.lo >> vec3<u32>(16u)) * n + (((a.lo & vec3<u32>(0xffffu)) * n) >> vec3<u32>(16u));
    return Fixed3(a.hi * i32(n) + vec3<i32>(middle >> vec3<u32>(16u)), a.lo * n);
}

fn fixed_subtract(a: Fixed3, b: Fixed3) -> Fixed3 {
    let borrow = vec3<i32>(a.lo < b.lo);
    return Fixed3(a.hi - b.hi - borrow, a.lo - b.lo);
}

/// Half a voxel less.
fn fixed_minus_half(a: Fixed3) -> Fixed3 {
    let borrow = vec3<i32>(a.lo < vec3<u32>(0x80000000u));
    return Fixed3(a.hi - borrow, a.lo - vec3<u32>(0x80000000u));
}

/// The fraction cut to the 24 bits that f32 holds exactly: 0 <= f < 1.
fn fixed_fraction(a: Fixed3) -> vec3<f32> {
    return vec3<f32>(a.lo >> vec3<u32>(8u)) * (1.0 / 16777216.0);
}

/// Near value, for bounds that are widened by their own error.
fn fixed_approximate(a: Fixed3) -> vec3<f32> {
    return vec3<f32>(a.hi) + vec3<f32>(a.lo) * (1.0 / 4294967296.0);
}
