//! One number per voxel: which structure it belongs to. Kept slice by slice, because most slices have none.
//!
//! Every change is stamped with a number that is never used twice, so whoever holds a copy (a texture, a drawn
//! picture) knows what to bring up to date without being told, even when the labels themselves were replaced.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::gpu::Gpu;
use crate::volume::{self, Layout};

/// The last stamp given. 0 is nobody's.
static STAMPS: AtomicU64 = AtomicU64::new(0);

fn next_stamp() -> u64 {
    STAMPS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Why a slice was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Not one label per voxel.
    #[error("slice {slice} has {expected} voxels, but {found} labels came for it")]
    WrongLength {
        /// Which slice.
        slice: u32,
        /// Columns times rows.
        expected: usize,
        /// As given.
        found: usize,
    },
    /// There is no such slice.
    #[error("labels came for slice {slice}, but the volume has {slices} slices, counted from 0")]
    NoSuchSlice {
        /// Which slice.
        slice: u32,
        /// How many there are.
        slices: u32,
    },
}

#[derive(Clone, Debug, Default)]
struct Slice {
    labels: Option<Box<[u8]>>,
    /// 0 where there are none: two absent slices are alike.
    stamp: u64,
}

/// The labels of one volume; all time points share them. A slice that was never given is 0 throughout.
#[derive(Clone, Debug)]
pub struct Labels {
    dims: [u32; 3],
    slices: Vec<Slice>,
    stamp: u64,
}

impl Labels {
    /// Every label 0, without memory for any.
    pub fn new(dims: [u32; 3]) -> Self {
        Self { dims, slices: vec![Slice::default(); dims[2] as usize], stamp: next_stamp() }
    }

    /// Columns, rows, slices.
    pub fn dims(&self) -> [u32; 3] {
        self.dims
    }

    /// The labels of a slice, row by row; `None` where all are 0.
    pub fn slice(&self, slice: u32) -> Option<&[u8]> {
        self.slices.get(slice as usize)?.labels.as_deref()
    }

    /// Puts labels in the place of a slice's. The same again are no change: comparing costs less than uploading.
    pub fn replace(&mut self, slice: u32, labels: Box<[u8]>) -> Result<(), LabelsError> {
        let [columns, rows, slices] = self.dims;
        let expected = columns as usize * rows as usize;
        if labels.len() != expected {
            return Err(LabelsError::WrongLength { slice, expected, found: labels.len() });
        }
        let Some(place) = self.slices.get_mut(slice as usize) else {
            return Err(LabelsError::NoSuchSlice { slice, slices });
        };
        if place.labels.as_ref() != Some(&labels) {
            self.stamp = next_stamp();
            *place = Slice { labels: Some(labels), stamp: self.stamp };
        }
        Ok(())
    }

    /// Makes every label of a slice 0 and frees its memory.
    pub fn clear(&mut self, slice: u32) {
        if let Some(place) = self.slices.get_mut(slice as usize).filter(|place| place.labels.is_some()) {
            *place = Slice::default();
            self.stamp = next_stamp();
        }
    }

    /// The stamp of a slice's last change; 0 where all labels are 0.
    pub fn slice_revision(&self, slice: u32) -> u64 {
        self.slices.get(slice as usize).map_or(0, |place| place.stamp)
    }

    /// The stamp of the last change of any slice.
    pub fn revision(&self) -> u64 {
        self.stamp
    }
}

/// Labels on the GPU, laid out as the volume's voxels are.
pub(crate) struct LabelTexture {
    texture: wgpu::Texture,
    pub(crate) view: wgpu::TextureView,
    /// Stamps of what it holds.
    held: Vec<u64>,
}

impl LabelTexture {
    /// All 0: textures begin so on WebGPU, and wgpu sees to it on WebGL2.
    pub(crate) async fn allocate(gpu: &Gpu, size: wgpu::Extent3d, slices: u32) -> Result<Self, String> {
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let texture = gpu.device.create_texture(&descriptor("labels", size));
        if let Some(error) = scope.pop().await {
            return Err(error.to_string());
        }
        let view = texture.create_view(&Default::default());
        Ok(Self { texture, view, held: vec![0; slices as usize] })
    }

    /// What takes its place where a volume has none.
    pub(crate) fn none(gpu: &Gpu) -> wgpu::TextureView {
        let size = wgpu::Extent3d { width: 1, height: 1, depth_or_array_layers: 1 };
        gpu.device.create_texture(&descriptor("no labels", size)).create_view(&Default::default())
    }

    /// Copies the slices that differ from what it holds; returns how many.
    pub(crate) fn update(&mut self, gpu: &Gpu, layout: Layout, labels: &Labels) -> u32 {
        let [columns, rows, _] = labels.dims;
        let length = columns as usize * rows as usize;
        let mut zeros = Vec::new();
        let mut copied = 0;
        for (held, slice) in self.held.iter_mut().zip(0..) {
            let stamp = labels.slice_revision(slice);
            if *held == stamp {
                continue;
            }
            let texels = labels.slice(slice).unwrap_or_else(|| {
                zeros.resize(length, 0);
                &zeros
            });
            let first = u64::from(slice) * length as u64;
            volume::write_texels(gpu, &self.texture, [columns, rows], layout, 1, first, texels);
            *held = stamp;
            copied += 1;
        }
        copied
    }
}

fn descriptor(label: &'static str, size: wgpu::Extent3d) -> wgpu::TextureDescriptor<'static> {
    wgpu::TextureDescriptor {
        label: Some(label),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D3,
        format: wgpu::TextureFormat::R8Uint,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_slice_has_a_stamp_of_its_own() {
        let mut labels = Labels::new([3, 2, 4]);
        assert_eq!((labels.slice(1), labels.slice_revision(1)), (None, 0));
        let before = labels.revision();
        labels.replace(1, vec![5; 6].into()).unwrap();
        let first = labels.slice_revision(1);
        assert_eq!(labels.slice(1), Some(&[5; 6][..]));
        assert!(first > before && labels.revision() == first && labels.slice_revision(0) == 0);
        labels.replace(1, vec![5; 6].into()).unwrap();
        assert_eq!((labels.slice_revision(1), labels.revision()), (first, first), "the same again");
        labels.replace(1, [5, 5, 5, 5, 5, 4].into()).unwrap();
        assert!(labels.slice_revision(1) > first);
        // A copy is what it was copied from, until one of them changes.
        let copy = labels.clone();
        assert_eq!((copy.revision(), copy.slice_revision(1)), (labels.revision(), labels.slice_revision(1)));
        let before = labels.revision();
        labels.clear(1);
        assert!(labels.revision() > before && labels.slice_revision(1) == 0 && labels.slice(1).is_none());
        let before = labels.revision();
        labels.clear(2);
        labels.clear(400);
        assert_eq!(labels.revision(), before, "nothing was there to clear");
        // Others that take their place have nothing in common with them.
        let mut others = Labels::new([3, 2, 4]);
        assert_ne!(others.revision(), labels.revision());
        others.replace(1, vec![6; 6].into()).unwrap();
        assert_ne!(others.slice_revision(1), copy.slice_revision(1));
    }

    #[test]
    fn labels_that_do_not_fit_are_refused_with_the_value() {
        let mut labels = Labels::new([3, 2, 4]);
        let short = labels.replace(0, vec![1; 5].into()).unwrap_err();
        assert_eq!(short.to_string(), "slice 0 has 6 voxels, but 5 labels came for it");
        let far = labels.replace(4, vec![1; 6].into()).unwrap_err();
        assert_eq!(far, LabelsError::NoSuchSlice { slice: 4, slices: 4 });
        assert_eq!((0..5).filter(|z| labels.slice(*z).is_some()).count(), 0);
    }
}
