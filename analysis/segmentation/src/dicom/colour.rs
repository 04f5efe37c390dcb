//! Recommended Display CIELab Value (PS3.3 C.10.7.1.1): sRGB to PCS Lab under D50 and back.
//!
//! Written out, because the encoding (16 bits, offset a and b) is DICOM's own and eight bits must come back.

/// sRGB to XYZ under D50, Bradford-adapted (ICC.1:2022, Annex E).
const XYZ_FROM_RGB: [[f64; 3]; 3] = [
    [0.436_065_7, 0.385_151_5, 0.143_078_4],
    [0.222_493_2, 0.716_887_0, 0.060_616_9],
    [0.013_923_9, 0.097_081_3, 0.714_099_4],
];
const WHITE: [f64; 3] = [0.964_202_9, 1.0, 0.824_905_1];

/// L, a, b as DICOM encodes them.
pub(super) fn lab_from_rgb(rgb: [u8; 3]) -> [u16; 3] {
    let linear = rgb.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    let f: [f64; 3] = std::array::from_fn(|k| {
        let xyz: f64 = XYZ_FROM_RGB[k].iter().zip(linear).map(|(m, c)| m * c).sum();
        let t = xyz / WHITE[k];
        if t > (6.0f64 / 29.0).powi(3) { t.cbrt() } else { t / (3.0 * (6.0f64 / 29.0).powi(2)) + 4.0 / 29.0 }
    });
    let (l, a, b) = (116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2]));
    let word = |value: f64| (value * 65535.0).round().clamp(0.0, 65535.0) as u16;
    [word(l / 100.0), word((a + 128.0) / 255.0), word((b + 128.0) / 255.0)]
}

/// The nearest colour of a screen.
pub(super) fn rgb_from_lab([l, a, b]: [u16; 3]) -> [u8; 3] {
    let part = |word: u16| f64::from(word) / 65535.0;
    let (l, a, b) = (part(l) * 100.0, part(a) * 255.0 - 128.0, part(b) * 255.0 - 128.0);
    let fy = (l + 16.0) / 116.0;
    let xyz: [f64; 3] = std::array::from_fn(|k| {
        let f = [fy + a / 500.0, fy, fy - b / 200.0][k];
        let t = if f > 6.0 / 29.0 { f.powi(3) } else { 3.0 * (6.0f64 / 29.0).powi(2) * (f - 4.0 / 29.0) };
        t * WHITE[k]
    });
    let matrix = glam::DMat3::from_cols_array_2d(&XYZ_FROM_RGB).transpose().inverse();
    (matrix * glam::DVec3::from(xyz)).to_array().map(|c| {
        let c = c.clamp(0.0, 1.0);
        let c = if c <= 0.003_130_8 { 12.92 * c } else { 1.055 * c.powf(1.0 / 2.4) - 0.055 };
        (c * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back_and_white_is_white() {
        assert_eq!(lab_from_rgb([0, 0, 0]), [0, 32896, 32896]);
        let white = lab_from_rgb([255, 255, 255]);
        assert!(
            white[0] >= 65530 && white[1].abs_diff(32896) < 20 && white[2].abs_diff(32896) < 20,
            "{white:?}"
        );
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(17) {
                for b in (0..=255).step_by(51) {
                    let rgb = [r as u8, g as u8, b as u8];
                    assert_eq!(rgb_from_lab(lab_from_rgb(rgb)), rgb);
                }
            }
        }
    }
}
