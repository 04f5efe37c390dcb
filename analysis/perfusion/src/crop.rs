//! The box around the voxels that are computed: what lies outside of it is neither smoothed nor sent to a device.

/// A box of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crop {
    /// Of the volume.
    dims: [usize; 3],
    /// The first voxel.
    first: [usize; 3],
    /// Voxels along columns, rows, slices.
    pub extent: [usize; 3],
}

impl Crop {
    /// Around these voxels; nothing around none.
    pub fn around(dims: [usize; 3], voxels: &[u32]) -> Self {
        let (mut first, mut end) = (dims, [0; 3]);
        for voxel in voxels {
            let v = *voxel as usize;
            let at = [v % dims[0], v / dims[0] % dims[1], v / dims[0] / dims[1]];
            for i in 0..3 {
                first[i] = first[i].min(at[i]);
                end[i] = end[i].max(at[i] + 1);
            }
        }
        Self { dims, first, extent: [0, 1, 2].map(|i| end[i].saturating_sub(first[i])) }
    }

    /// Where each line of the box begins in a frame.
    pub fn lines(&self) -> impl Iterator<Item = usize> + '_ {
        let ([x, y, z], [_, rows, slices]) = (self.first, self.extent);
        let [columns, all_rows, _] = self.dims;
        (0..slices * rows).map(move |i| ((z + i / rows) * all_rows + y + i % rows) * columns + x)
    }

    /// What of a frame lies within.
    pub fn of(&self, frame: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.extent.iter().product());
        self.lines().for_each(|start| out.extend_from_slice(&frame[start..start + self.extent[0]]));
        out
    }

    /// Where a voxel of the volume, which has to lie within, is in the box.
    pub fn place(&self, voxel: u32) -> u32 {
        let v = voxel as usize;
        let at = [v % self.dims[0], v / self.dims[0] % self.dims[1], v / self.dims[0] / self.dims[1]];
        let [x, y, z] = [0, 1, 2].map(|i| at[i] - self.first[i]);
        ((z * self.extent[1] + y) * self.extent[0] + x) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_holds_its_voxels_in_their_order() {
        let dims = [7, 6, 5];
        let index = |x: usize, y: usize, z: usize| ((z * 6 + y) * 7 + x) as u32;
        let voxels = [index(2, 4, 1), index(5, 1, 1), index(3, 3, 3)];
        let crop = Crop::around(dims, &voxels);
        assert_eq!((crop.first, crop.extent), ([2, 1, 1], [4, 4, 3]));
        let frame: Vec<f32> = (0..7 * 6 * 5).map(|i| i as f32).collect();
        let inside = crop.of(&frame);
        assert_eq!(inside.len(), 4 * 4 * 3);
        for voxel in voxels {
            assert_eq!(inside[crop.place(voxel) as usize], voxel as f32);
        }
        assert_eq!(Crop::around(dims, &[]).of(&frame), Vec::<f32>::new());
    }
}
