// A run at or above the threshold, and the keys of a table: what the kernels over candidates share. The kernel
// that holds this declares `params` with `flags`, and `keys`.

const WIDE: u32 = 1u;       // keys take 32 bits and stand for floats

struct Piece {
    /// Index in the volume of the first voxel, and one past the last.
    start: u32,
    end: u32,
    /// Of the first voxel.
    first_key: u32,
    /// Number over all slices.
    component: u32,
}

fn key_at(index: u32) -> i32 {
    if (params.flags & WIDE) != 0u {
        return bitcast<i32>(keys[index]);
    }
    return bitcast<i32>(keys[index / 2u] << (16u * (1u - index % 2u))) >> 16u;
}
