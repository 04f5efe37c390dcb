//! The affine of a NIfTI file, chosen and computed as nibabel does, then turned from RAS to LPS.
//!
//! nifti1.h offers three methods; nibabel's order (sform, qform, pixdim) is the one that users of Python
//! compare with, so it is followed to the letter, repairs included.

use scene::{DAffine3, DMat3, DVec3};

/// The fields that place a volume.
pub(super) struct Placement {
    pub dims: [u32; 3],
    /// qfac and the three spacings.
    pub pixdim: [f64; 4],
    pub qform_code: i32,
    pub sform_code: i32,
    pub quaternion: [f64; 3],
    pub offset: [f64; 3],
    pub srow: [[f64; 4]; 3],
}

/// To LPS millimetres; `unit_mm` is the length of one unit of the header.
pub(super) fn world_from_voxel(p: &Placement, unit_mm: f64, warnings: &mut Vec<String>) -> DAffine3 {
    let zooms = zooms(p, warnings);
    let usable = |a: &DAffine3| a.is_finite() && a.matrix3.determinant().is_normal();
    let mut ras = None;
    if p.sform_code > 0 {
        ras = Some(sform(p)).filter(usable);
        if ras.is_none() {
            warnings.push("The sform does not span a volume and was not used.".into());
        }
    }
    if ras.is_none() && p.qform_code > 0 {
        ras = qform(p, zooms).filter(usable);
        if ras.is_none() {
            warnings.push("The qform is no rotation and was not used.".into());
        }
    }
    let ras = ras.unwrap_or_else(|| {
        warnings.push(
            "The file names no orientation (sform_code and qform_code are 0): left and right are a guess."
                .into(),
        );
        base(p.dims, zooms)
    });
    let lps = DMat3::from_diagonal(DVec3::new(-unit_mm, -unit_mm, unit_mm));
    DAffine3::from_mat3_translation(lps * ras.matrix3, lps * ras.translation)
}

/// nibabel `_chk_pixdims`: 0 becomes 1, negative becomes positive.
fn zooms(p: &Placement, warnings: &mut Vec<String>) -> DVec3 {
    let fix = |z: f64| if z == 0.0 || !z.is_finite() { 1.0 } else { z.abs() };
    let stated = [p.pixdim[1], p.pixdim[2], p.pixdim[3]];
    let fixed = stated.map(fix);
    // Only worth a word where the spacing is used.
    if fixed != stated && p.sform_code <= 0 {
        warnings.push(format!("pixdim is {stated:?}, which is no spacing; {fixed:?} mm is used."));
    }
    DVec3::from_array(fixed)
}

fn sform(p: &Placement) -> DAffine3 {
    let column = |c: usize| DVec3::new(p.srow[0][c], p.srow[1][c], p.srow[2][c]);
    DAffine3 { matrix3: DMat3::from_cols(column(0), column(1), column(2)), translation: column(3) }
}

/// nifti1.h, method 2; nibabel `get_qform`.
fn qform(p: &Placement, zooms: DVec3) -> Option<DAffine3> {
    let [b, c, d] = p.quaternion;
    let w2 = 1.0 - (b * b + c * c + d * d);
    // nibabel `quaternion_threshold`: float32 rounding may leave it just below 0.
    let a = if w2 < 0.0 { (w2 > -3.0 * f64::from(f32::EPSILON)).then_some(0.0)? } else { w2.sqrt() };
    // `quat2mat` divides by the norm, which is not 1 when `a` was clipped.
    let s = 2.0 / (a * a + b * b + c * c + d * d);
    let rotation = DMat3::from_cols(
        DVec3::new(1.0 - s * (c * c + d * d), s * (b * c + a * d), s * (b * d - a * c)),
        DVec3::new(s * (b * c - a * d), 1.0 - s * (b * b + d * d), s * (c * d + a * b)),
        DVec3::new(s * (b * d + a * c), s * (c * d - a * b), 1.0 - s * (b * b + c * c)),
    );
    // nibabel `_chk_qfac`: anything but -1 is 1.
    let qfac = if p.pixdim[0] == -1.0 { -1.0 } else { 1.0 };
    let scaled = rotation * DMat3::from_diagonal(DVec3::new(zooms.x, zooms.y, zooms.z * qfac));
    Some(DAffine3 { matrix3: scaled, translation: DVec3::from_array(p.offset) })
}

/// nibabel `get_base_affine`: centred, first axis to the left.
fn base(dims: [u32; 3], zooms: DVec3) -> DAffine3 {
    let zooms = DVec3::new(-zooms.x, zooms.y, zooms.z);
    let origin = DVec3::from_array(dims.map(|n| (f64::from(n) - 1.0) / 2.0));
    DAffine3 { matrix3: DMat3::from_diagonal(zooms), translation: -origin * zooms }
}
