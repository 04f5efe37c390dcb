//! YBR_FULL to RGB (PS3.3 C.7.6.3.1.2), for pixels whose codec leaves them as stored.
//! In f32 with the coefficients of the standard and rounding half up, which is what the reference bytes have.

use super::samples::Samples;

pub(super) fn rgb_from_ybr(samples: &mut Samples) {
    // Defined for 8 bits only; other depths in YBR are not used and stay as they are.
    if let Samples::U8(v) = samples {
        for pixel in v.as_chunks_mut::<3>().0 {
            *pixel = rgb(*pixel);
        }
    }
}

fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const G_CB: f32 = (-0.114 * 1.772 / 0.587) as f32;
    const G_CR: f32 = (-0.299 * 1.402 / 0.587) as f32;
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let level = |x: f32| (x + 0.5).floor().clamp(0.0, 255.0) as u8;
    [level(y + 1.402 * cr), level(y + G_CB * cb + G_CR * cr), level(y + 1.772 * cb)]
}

/// Native YBR_FULL_422: `Y1 Y2 Cb Cr` for two pixels becomes `Y1 Cb Cr Y2 Cb Cr`.
pub(super) fn expand_422(bytes: &[u8], out: &mut [u8]) {
    for (two, four) in out.as_chunks_mut::<6>().0.iter_mut().zip(bytes.as_chunks::<4>().0) {
        let [y1, y2, cb, cr] = *four;
        *two = [y1, cb, cr, y2, cb, cr];
    }
}
