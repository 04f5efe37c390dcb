// What all kernels of inference share: which thread this is.
//
// A dispatch has at most 65,535 workgroups along one axis, so threads are counted over x and y.

const GROUP: u32 = 64u;

fn thread_of(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * GROUP + local;
}
