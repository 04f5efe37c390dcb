// Where a voxel lies when an axis exceeds the limit of a 3D texture (mammograms: 4736 columns, limit 2048):
// voxels follow one another through a texture whose width and height are powers of two.

fn texel_of(voxel: vec3<i32>) -> vec3<i32> {
    let v = vec3<u32>(voxel);
    let index = (v.z * u32(params.dims.y) + v.y) * u32(params.dims.x) + v.x;
    let row = index >> params.wrap.x;
    return vec3<i32>(vec3<u32>(
        index & ((1u << params.wrap.x) - 1u),
        row & ((1u << params.wrap.y) - 1u),
        row >> params.wrap.y,
    ));
}
