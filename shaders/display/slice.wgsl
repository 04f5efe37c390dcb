// One panel: a plane or a thick slab of a volume, through the window, to 8-bit grey or colour.
// Trilinear interpolation is written out on textureLoad, because hardware filters round weights to 8 bits and
// cannot leave padding out. The CPU twin (display/slice/cpu.rs) states the same rules in the same order.

// What a pipeline is made for. Said when it is compiled and not in the parameters: a processor that plays the GPU
// walks through every branch of a shader, taken or not, and a GPU keeps registers for all of them.
override COLOUR: bool = false;   // red, green, blue
override LINEAR: bool = true;    // interpolate between voxels
override MASKED: bool = true;    // some voxels may hold no measurement
override SLAB: bool = true;      // more than one sample along the view
override OVERLAY: bool = false;  // marked voxels in their colour
override MAPPED: bool = false;   // levels through a table of colours

// params.mode.x
const FORMAT_INTEGER: u32 = 0u;
const FORMAT_FLOAT: u32 = 1u;
// params.mode.y
const SLAB_MAX: u32 = 0u;
const SLAB_MIN: u32 = 1u;
const SLAB_MEAN: u32 = 2u;
// params.mode.z
const VOI_LINEAR: u32 = 0u;
const VOI_SIGMOID: u32 = 1u;
const VOI_STEP: u32 = 2u;
const VOI_TABLE: u32 = 3u;
// params.mode.w
const BIT_INVERT: u32 = 1u;
const BIT_EMPTY: u32 = 2u;    // nothing of the volume can be seen

@group(0) @binding(1) var volume: texture_3d<i32>;
@group(0) @binding(2) var table: texture_2d<u32>;
/// One texel where there are no labels.
@group(0) @binding(3) var labels: texture_3d<u32>;

// params.overlay.w: style in the lowest two bits, width of the outline in pixels above them
const STYLE_FILL: u32 = 0u;
const STYLE_OUTLINE: u32 = 1u;

struct Sample {
    value: f32,
    valid: bool,
}

@vertex
fn cover(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // One triangle over the whole target; the scissor cuts out the panel.
    let x = f32(i32(index & 1u) * 4 - 1);
    let y = f32(i32(index >> 1u) * 4 - 1);
    return vec4<f32>(x, y, 0.0, 1.0);
}

fn load(voxel: vec3<i32>) -> i32 {
    return textureLoad(volume, texel_of(voxel), 0).x;
}

fn value_of(texel: i32) -> f32 {
    if params.mode.x == FORMAT_FLOAT {
        return bitcast<f32>(texel);
    }
    return f32(texel);
}

fn has_arrived(slice: i32) -> bool {
    let bit = u32(slice) >> params.wrap.z;
    let word = params.arrived[min(bit >> 7u, 15u)][(bit >> 5u) & 3u];
    return ((word >> (bit & 31u)) & 1u) == 1u;
}

/// A voxel that may hold no measurement: not arrived, padding, or not a finite number.
fn load_masked(voxel: vec3<i32>) -> Sample {
    return masked(voxel, load(voxel));
}

fn masked(voxel: vec3<i32>, texel: i32) -> Sample {
    // Told from the bits: shader compilers may assume that no float is NaN.
    if params.mode.x == FORMAT_FLOAT && (texel & 0x7f800000) == 0x7f800000 {
        return Sample(0.0, false);
    }
    let value = value_of(texel);
    let padded = value >= params.padding_and_table.x && value <= params.padding_and_table.y;
    return Sample(value, !padded && has_arrived(voxel.z));
}

/// `position` has half a voxel added, so its whole part is the nearest voxel.
fn is_inside(position: Fixed3) -> bool {
    return all(vec3<u32>(position.hi) < vec3<u32>(params.dims.xyz));
}

fn sample_linear(position: Fixed3) -> f32 {
    let p = fixed_minus_half(position);
    let f = fixed_fraction(p);
    let last = params.dims.xyz - vec3<i32>(1);
    let a = clamp(p.hi, vec3<i32>(0), last);
    let b = clamp(p.hi + vec3<i32>(1), vec3<i32>(0), last);
    let v000 = value_of(load(a));
    let v100 = value_of(load(vec3<i32>(b.x, a.y, a.z)));
    let v010 = value_of(load(vec3<i32>(a.x, b.y, a.z)));
    let v110 = value_of(load(vec3<i32>(b.x, b.y, a.z)));
    let v001 = value_of(load(vec3<i32>(a.x, a.y, b.z)));
    let v101 = value_of(load(vec3<i32>(b.x, a.y, b.z)));
    let v011 = value_of(load(vec3<i32>(a.x, b.y, b.z)));
    let v111 = value_of(load(b));
    let v00 = v000 + (v100 - v000) * f.x;
    let v10 = v010 + (v110 - v010) * f.x;
    let v01 = v001 + (v101 - v001) * f.x;
    let v11 = v011 + (v111 - v011) * f.x;
    let v0 = v00 + (v10 - v00) * f.y;
    let v1 = v01 + (v11 - v01) * f.y;
    return v0 + (v1 - v0) * f.z;
}

/// The nearest voxel decides whether there is a value; neighbours without one have no weight.
fn sample_masked(position: Fixed3) -> Sample {
    let nearest = load_masked(position.hi);
    if !LINEAR {
        return nearest;
    }
    if !nearest.valid {
        return nearest;
    }
    let p = fixed_minus_half(position);
    let f = fixed_fraction(p);
    let last = params.dims.xyz - vec3<i32>(1);
    var sum = 0.0;
    var weights = 0.0;
    var all_valid = true;
    for (var corner = 0u; corner < 8u; corner++) {
        let upper = vec3<u32>(corner & 1u, (corner >> 1u) & 1u, corner >> 2u);
        let voxel = clamp(p.hi + vec3<i32>(upper), vec3<i32>(0), last);
        let w = select(vec3<f32>(1.0) - f, f, upper == vec3<u32>(1u));
        let s = load_masked(voxel);
        all_valid = all_valid && s.valid;
        if s.valid {
            // Weighed as a difference from the nearest voxel: equal neighbours give exactly their value.
            sum += w.x * w.y * w.z * (s.value - nearest.value);
            weights += w.x * w.y * w.z;
        }
    }
    if all_valid {
        return Sample(sample_linear(position), true);
    }
    // The nearest voxel weighs at least 1/8.
    return Sample(nearest.value + sum / weights, true);
}

fn sample_at(position: Fixed3) -> Sample {
    if MASKED {
        return sample_masked(position);
    }
    if LINEAR {
        return Sample(sample_linear(position), true);
    }
    return Sample(value_of(load(position.hi)), true);
}

/// First and last sample that may lie between two voxels: bounds from f32, widened by what f32 may be wrong.
fn sample_range(first: Fixed3, away: Fixed3, count: i32, low: vec3<i32>, end: vec3<i32>) -> vec2<i32> {
    let p = fixed_approximate(first);
    let d = fixed_approximate(away);
    let lower = vec3<f32>(low);
    let upper = vec3<f32>(end);
    var lo = 0.0;
    var hi = f32(count - 1);
    for (var axis = 0; axis < 3; axis++) {
        let step = abs(d[axis]);
        if step > 1e-6 {
            let slack = 2.0 + (abs(p[axis]) + upper[axis]) * 1e-6 / step;
            let enter = (lower[axis] - p[axis]) / d[axis];
            let leave = (upper[axis] - p[axis]) / d[axis];
            lo = max(lo, min(enter, leave) - slack);
            hi = min(hi, max(enter, leave) + slack);
        }
    }
    return vec2<i32>(i32(floor(lo)), min(i32(ceil(max(hi, -1.0))), count - 1));
}

fn sample_slab(first: Fixed3, away: Fixed3, count: i32) -> Sample {
    let range = sample_range(first, away, count, vec3<i32>(0), params.dims.xyz);
    var position = fixed_add(first, fixed_times(away, u32(range.x)));
    var result = 0.0;
    var samples = 0.0;
    for (var k = range.x; k <= range.y; k++) {
        if is_inside(position) {
            let s = sample_at(position);
            if s.valid {
                if params.mode.y == SLAB_MEAN {
                    result += s.value;
                } else if samples == 0.0 {
                    result = s.value;
                } else if params.mode.y == SLAB_MAX {
                    result = max(result, s.value);
                } else {
                    result = min(result, s.value);
                }
                samples += 1.0;
            }
        }
        position = fixed_add(position, away);
    }
    if samples == 0.0 {
        return Sample(0.0, false);
    }
    if params.mode.y == SLAB_MEAN {
        result = result / samples;
    }
    return Sample(result, true);
}

/// Red, green, blue and alpha of a label, from the lowest byte on, four labels to a vector.
fn paint_of(label: u32) -> u32 {
    return params.palette[label >> 2u][label & 3u];
}

/// 1 + the label of the voxel nearest to a position if it is marked, else 0. Positions outside the volume are
/// outside the box.
fn mark_at(position: Fixed3) -> u32 {
    let voxel = position.hi;
    if any(voxel < params.box_from.xyz) || any(voxel >= params.box_to.xyz) {
        return 0u;
    }
    let texel = load(voxel);
    // Compared as whole numbers: adapters may flush tiny floats to 0. The bits of floats of one sign are ordered;
    // with the others flipped, negative ones lie below.
    var key = texel;
    if params.mode.x == FORMAT_FLOAT {
        key = texel ^ bitcast<i32>(bitcast<u32>(texel >> 31u) >> 1u);
    }
    if key < params.overlay.x || key > params.overlay.y {
        return 0u;
    }
    if MASKED {
        if !masked(voxel, texel).valid {
            return 0u;
        }
    }
    var label = 0u;
    if params.overlay.z == 1 {
        label = textureLoad(labels, texel_of(voxel), 0).x & 0xffu;
    }
    if (paint_of(label) >> 24u) == 0u {
        return 0u;
    }
    return label + 1u;
}

/// The highest mark along a ray, in its own walk: what lies outside the box is not even visited.
fn mark_along(first: Fixed3, away: Fixed3, count: i32) -> u32 {
    let range = sample_range(first, away, count, params.box_from.xyz, params.box_to.xyz);
    var position = fixed_add(first, fixed_times(away, u32(range.x)));
    var mark = 0u;
    for (var k = range.x; k <= range.y; k++) {
        mark = max(mark, mark_at(position));
        position = fixed_add(position, away);
    }
    return mark;
}

/// Whether a pixel of this mark has another one within the width of the outline, to either side, above or below.
fn is_edge(at: Fixed3, right: Fixed3, down: Fixed3, mark: u32) -> bool {
    let width = u32(params.overlay.w) >> 2u;
    let x = fixed_times(right, width);
    let y = fixed_times(down, width);
    return mark_at(fixed_add(at, x)) != mark || mark_at(fixed_subtract(at, x)) != mark
        || mark_at(fixed_add(at, y)) != mark || mark_at(fixed_subtract(at, y)) != mark;
}

/// Levels under the colour of a mark. Products of levels are whole numbers, exact in f32.
fn paint_over(levels: vec3<f32>, paint: u32, alpha: f32) -> vec3<f32> {
    let colour = vec3<f32>(vec3<u32>(paint & 0xffu, (paint >> 8u) & 0xffu, (paint >> 16u) & 0xffu));
    let sum = levels * (255.0 - alpha) + colour * alpha;
    return floor(sum * (1.0 / 255.0) + vec3<f32>(0.5));
}

/// PS3.3 C.11.2, with rescale and window already folded into one centre and scale by the host.
fn grey_of(value: f32) -> f32 {
    if params.mode.z == VOI_TABLE {
        let last = params.panel.z * params.panel.w - 1;
        let index = floor(value * params.padding_and_table.z + params.padding_and_table.w + 0.5);
        let entry = i32(clamp(index, 0.0, f32(last)));
        return f32(textureLoad(table, vec2<i32>(entry % params.panel.z, entry / params.panel.z), 0).x);
    }
    let distance = (value - params.voi.x) - params.voi.y;
    let t = distance * params.voi.z;
    var y = clamp(t + params.voi.w, 0.0, 1.0);
    if params.mode.z == VOI_SIGMOID {
        y = 1.0 / (1.0 + exp(clamp(-4.0 * t, -80.0, 80.0)));
    } else if params.mode.z == VOI_STEP {
        y = select(0.0, 1.0, t > 0.0);
    }
    return floor(y * 255.0 + 0.5);
}

/// The colour of a grey level, four levels to a vector.
fn colour_of(grey: f32) -> vec3<f32> {
    let level = u32(grey);
    let entry = params.colours[level >> 2u][level & 3u];
    return vec3<f32>(vec3<u32>(entry & 0xffu, (entry >> 8u) & 0xffu, (entry >> 16u) & 0xffu));
}

fn colour_at_voxel(voxel: vec3<i32>) -> vec3<f32> {
    let texel = bitcast<u32>(load(voxel));
    return vec3<f32>(vec3<u32>(texel & 0xffu, (texel >> 8u) & 0xffu, (texel >> 16u) & 0xffu));
}

fn colour_at(position: Fixed3) -> vec3<f32> {
    if !LINEAR {
        return colour_at_voxel(position.hi);
    }
    let p = fixed_minus_half(position);
    let f = fixed_fraction(p);
    let last = params.dims.xyz - vec3<i32>(1);
    let a = clamp(p.hi, vec3<i32>(0), last);
    let b = clamp(p.hi + vec3<i32>(1), vec3<i32>(0), last);
    let c000 = colour_at_voxel(a);
    let c100 = colour_at_voxel(vec3<i32>(b.x, a.y, a.z));
    let c010 = colour_at_voxel(vec3<i32>(a.x, b.y, a.z));
    let c110 = colour_at_voxel(vec3<i32>(b.x, b.y, a.z));
    let c001 = colour_at_voxel(vec3<i32>(a.x, a.y, b.z));
    let c101 = colour_at_voxel(vec3<i32>(b.x, a.y, b.z));
    let c011 = colour_at_voxel(vec3<i32>(a.x, b.y, b.z));
    let c111 = colour_at_voxel(b);
    let c00 = c000 + (c100 - c000) * f.x;
    let c10 = c010 + (c110 - c010) * f.x;
    let c01 = c001 + (c101 - c001) * f.x;
    let c11 = c011 + (c111 - c011) * f.x;
    let c0 = c00 + (c10 - c00) * f.y;
    let c1 = c01 + (c11 - c01) * f.y;
    return floor(c0 + (c1 - c0) * f.z + vec3<f32>(0.5));
}

@fragment
fn draw(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {
    if (params.mode.w & BIT_EMPTY) != 0u {
        return params.background;
    }
    let pixel = vec2<u32>(vec2<i32>(at.xy) - params.panel.xy);
    let origin = Fixed3(params.origin_hi.xyz, params.origin_lo.xyz);
    let right = Fixed3(params.right_hi.xyz, params.right_lo.xyz);
    let down = Fixed3(params.down_hi.xyz, params.down_lo.xyz);
    let first = fixed_add(fixed_add(origin, fixed_times(right, pixel.x)), fixed_times(down, pixel.y));

    if COLOUR {
        if !is_inside(first) || !has_arrived(first.hi.z) {
            return params.background;
        }
        let colour = colour_at(first);
        let shown = select(colour, vec3<f32>(255.0) - colour, vec3<bool>((params.mode.w & BIT_INVERT) != 0u));
        return vec4<f32>(shown / 255.0, 1.0);
    }

    var s = Sample(0.0, false);
    if SLAB {
        s = sample_slab(first, Fixed3(params.away_hi.xyz, params.away_lo.xyz), params.dims.w);
    } else if is_inside(first) {
        s = sample_at(first);
    }
    if !s.valid {
        return params.background;
    }
    let grey = grey_of(s.value);
    let level = select(grey, 255.0 - grey, (params.mode.w & BIT_INVERT) != 0u);
    var shown = vec3<f32>(level);
    if MAPPED {
        shown = colour_of(level);
    }
    if OVERLAY {
        var mark = 0u;
        if SLAB {
            mark = mark_along(first, Fixed3(params.away_hi.xyz, params.away_lo.xyz), params.dims.w);
        } else {
            mark = mark_at(first);
        }
        if mark > 0u {
            let paint = paint_of(mark - 1u);
            var alpha = f32(paint >> 24u);
            if !SLAB {
                let style = u32(params.overlay.w) & 3u;
                if style != STYLE_FILL {
                    if is_edge(first, right, down, mark) {
                        alpha = 255.0;
                    } else if style == STYLE_OUTLINE {
                        alpha = 0.0;
                    }
                }
            }
            return vec4<f32>(paint_over(shown, paint, alpha) / 255.0, 1.0);
        }
    }
    return vec4<f32>(shown / 255.0, 1.0);
}
