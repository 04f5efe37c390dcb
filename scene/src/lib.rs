//! The pure mathematics that reader, renderer and page share: where a voxel lies, what a view looks at,
//! how a value becomes grey, how long a line is.
//!
//! It stands below every other crate because the page must place its crosshair exactly where the
//! renderer draws the voxel: one formula, one place. World coordinates are DICOM patient coordinates in
//! millimetres (PS3.3 C.7.6.2.1.1): +x to the patient's Left, +y Posterior, +z Superior (LPS).
//! A transform is named destination first: `world_from_voxel * voxel = world`.

pub mod colormap;
pub mod grid;
pub mod measure;
pub mod view;
pub mod window;

pub use colormap::{Colormap, Colours};
pub use glam::{DAffine3, DMat3, DVec2, DVec3};
pub use grid::{Frame, Grid, GridError, LengthUnit};
pub use view::{Interpolation, Plane, Slab, SlabMode, View, Viewport};
pub use window::{VoiFunction, Window};
