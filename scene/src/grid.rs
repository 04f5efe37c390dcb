//! A regular grid of voxels placed in the world.
//!
//! Voxel centres lie at integer indices, as DICOM's Image Position (Patient) names the centre of the
//! first voxel (PS3.3 C.7.6.2.1.1); the volume therefore reaches from -0.5 to dims - 0.5.

use glam::{DAffine3, DMat3, DVec3};
use serde::{Deserialize, Serialize};

/// What one world unit of a grid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// The spacing is known: lengths are millimetres.
    Millimetre,
    /// No spacing was given: one world unit is one pixel and no millimetre may be shown.
    Pixel,
}

/// What the world axes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Patient coordinates (LPS): planes and edge letters are meaningful.
    Patient,
    /// A picture without a patient orientation (secondary capture, PNG): only its own plane exists.
    Image,
}

/// Why a grid could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    #[error("the volume has no voxels: dimensions are {0} x {1} x {2}")]
    Empty(u32, u32, u32),
    #[error(
        "the voxel axes do not span a volume: world_from_voxel has determinant {0}. The spacing or the orientation is zero or not a number."
    )]
    Singular(f64),
}

/// Dimensions `[columns, rows, slices]` and the transform that places voxel indices in the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    dims: [u32; 3],
    world_from_voxel: DAffine3,
    voxel_from_world: DAffine3,
    pub length_unit: LengthUnit,
    pub frame: Frame,
}

impl Grid {
    /// A grid is only made when it can be inverted; everything downstream relies on that.
    pub fn new(
        dims: [u32; 3],
        world_from_voxel: DAffine3,
        length_unit: LengthUnit,
        frame: Frame,
    ) -> Result<Self, GridError> {
        let [columns, rows, slices] = dims;
        if columns == 0 || rows == 0 || slices == 0 {
            return Err(GridError::Empty(columns, rows, slices));
        }
        let determinant = world_from_voxel.matrix3.determinant();
        if !determinant.is_normal() || !world_from_voxel.translation.is_finite() {
            return Err(GridError::Singular(determinant));
        }
        let voxel_from_world = world_from_voxel.inverse();
        Ok(Self { dims, world_from_voxel, voxel_from_world, length_unit, frame })
    }

    /// A picture without known spacing: one world unit per pixel, origin at the first pixel's centre.
    pub fn picture(columns: u32, rows: u32, frames: u32) -> Result<Self, GridError> {
        Self::new([columns, rows, frames], DAffine3::IDENTITY, LengthUnit::Pixel, Frame::Image)
    }

    pub fn dims(&self) -> [u32; 3] {
        self.dims
    }

    pub fn world_from_voxel(&self) -> DAffine3 {
        self.world_from_voxel
    }

    pub fn voxel_from_world(&self) -> DAffine3 {
        self.voxel_from_world
    }

    pub fn voxel_count(&self) -> usize {
        self.dims.iter().map(|&n| n as usize).product()
    }

    /// Distance between neighbouring voxel centres along each index axis.
    pub fn spacing(&self) -> [f64; 3] {
        let m: DMat3 = self.world_from_voxel.matrix3;
        [m.x_axis.length(), m.y_axis.length(), m.z_axis.length()]
    }

    /// World position of the middle of the volume.
    pub fn centre_world(&self) -> DVec3 {
        let d = DVec3::new(f64::from(self.dims[0]), f64::from(self.dims[1]), f64::from(self.dims[2]));
        self.world_from_voxel.transform_point3((d - DVec3::ONE) * 0.5)
    }

    /// The eight outer corners of the volume (voxel edges, not centres) in the world.
    pub fn corners_world(&self) -> [DVec3; 8] {
        let d = self.dims.map(|n| f64::from(n) - 0.5);
        std::array::from_fn(|i| {
            let pick = |bit: usize, hi: f64| if i >> bit & 1 == 1 { hi } else { -0.5 };
            self.world_from_voxel.transform_point3(DVec3::new(pick(0, d[0]), pick(1, d[1]), pick(2, d[2])))
        })
    }

    /// The voxel whose cell holds `world`, or `None` outside the volume.
    pub fn voxel_at(&self, world: DVec3) -> Option<[u32; 3]> {
        let v = self.voxel_from_world.transform_point3(world);
        let mut index = [0u32; 3];
        for (axis, out) in index.iter_mut().enumerate() {
            let i = (v[axis] + 0.5).floor();
            if !(i >= 0.0 && i < f64::from(self.dims[axis])) {
                return None;
            }
            *out = i as u32;
        }
        Some(index)
    }

    /// `world_from_voxel` as 16 numbers, row major, for JSON and for people who compare with nibabel.
    pub fn world_from_voxel_row_major(&self) -> [f64; 16] {
        let m = self.world_from_voxel.matrix3;
        let t = self.world_from_voxel.translation;
        [
            m.x_axis.x, m.y_axis.x, m.z_axis.x, t.x, //
            m.x_axis.y, m.y_axis.y, m.z_axis.y, t.y, //
            m.x_axis.z, m.y_axis.z, m.z_axis.z, t.z, //
            0.0, 0.0, 0.0, 1.0,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voxel_at_takes_the_cell_not_the_corner() {
        let m = DAffine3::from_mat3_translation(
            DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25)),
            DVec3::new(10.0, -20.0, 30.0),
        );
        let g = Grid::new([22, 23, 30], m, LengthUnit::Millimetre, Frame::Patient).unwrap();
        assert_eq!(g.voxel_at(DVec3::new(10.0, -20.0, 30.0)), Some([0, 0, 0]));
        assert_eq!(g.voxel_at(DVec3::new(10.0 - 0.374, -20.0, 30.0)), Some([0, 0, 0]));
        assert_eq!(g.voxel_at(DVec3::new(10.0 - 0.376, -20.0, 30.0)), None);
        assert_eq!(g.voxel_at(DVec3::new(10.0, -20.0 + 22.49 * 2.5, 30.0)), Some([0, 22, 0]));
        assert_eq!(g.voxel_at(DVec3::new(10.0, -20.0 + 22.51 * 2.5, 30.0)), None);
        assert_eq!(g.spacing(), [0.75, 2.5, 7.25]);
    }

    #[test]
    fn a_flat_or_nan_grid_is_refused() {
        let flat = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(1.0, 0.0, 1.0)));
        assert!(matches!(
            Grid::new([2, 2, 2], flat, LengthUnit::Millimetre, Frame::Patient),
            Err(GridError::Singular(_))
        ));
        let nan = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(1.0, f64::NAN, 1.0)));
        assert!(Grid::new([2, 2, 2], nan, LengthUnit::Millimetre, Frame::Patient).is_err());
        assert!(Grid::picture(0, 4, 1).is_err());
    }
}
