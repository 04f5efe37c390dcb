// Where a voxel lies when the volume fits the limits of a 3D texture: at its own index.

fn texel_of(voxel: vec3<i32>) -> vec3<i32> {
    return voxel;
}
