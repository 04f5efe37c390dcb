// What stands for a sample that lies outside of the image: the lowest number.
//
// Not NaN, which compilers may take for anything. `OUTSIDE` in `inference/src/gpu/kernels/sample.rs`.

const OUTSIDE: u32 = 0xff7fffffu;
