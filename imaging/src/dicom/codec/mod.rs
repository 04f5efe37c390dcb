//! The codecs of encapsulated pixel data: one compressed frame in, samples of the format out.
//! Each checks the size its stream states against the header before it allocates.

mod bits;
mod jpeg;
mod jpeg2000;
mod jpegls;
mod rle;

use super::color::rgb_from_ybr;
use super::format::PixelFormat;
use super::inflate::inflate_frame;
use super::samples::Samples;
use super::syntax::Codec;

/// Decodes one frame; the error says what is wrong with the stream.
pub(super) fn decode(codec: Codec, bytes: &[u8], format: &PixelFormat) -> Result<Samples, String> {
    match codec {
        Codec::Rle => rle::decode(bytes, format).map(|s| finish(s, format)),
        Codec::DeflatedFrame | Codec::EncapsulatedNative => {
            // PS3.5 A.4.11 and A.4.13: each frame is stored as native pixel data is, only in fragments.
            if format.bits_allocated < 8 || format.subsampled() {
                return Err("bits or shared chroma in frames of their own are not supported".into());
            }
            let inflated;
            let plain = if codec == Codec::DeflatedFrame {
                inflated = inflate_frame(bytes, format.frame_bytes() + 1)?;
                &inflated
            } else {
                bytes
            };
            let mut samples = Samples::zeroed(format);
            let out = samples.bytes_mut();
            let n = out.len();
            out.copy_from_slice(plain.get(..n).ok_or("the frame is too short")?);
            if format.planar && format.samples_per_pixel == 3 {
                samples = samples.interleave();
            }
            Ok(finish(samples, format))
        }
        Codec::Jpeg => {
            let (mut samples, colour) = jpeg::decode(bytes, format)?;
            let ybr = format.photometric.starts_with("YBR_FULL");
            if colour == jpeg::Colour::Ybr || (colour == jpeg::Colour::AsHeader && ybr) {
                rgb_from_ybr(&mut samples);
            }
            samples.extend(format.bits_stored);
            Ok(samples)
        }
        Codec::JpegLs => jpegls::decode(bytes, format).map(|s| finish(s, format)),
        Codec::Jpeg2000 => {
            let mut samples = jpeg2000::decode(bytes, format)?;
            // YBR_RCT and YBR_ICT are the codec's own transforms and already undone; YBR_FULL is not.
            if format.samples_per_pixel == 3 && format.photometric.starts_with("YBR_FULL") {
                rgb_from_ybr(&mut samples);
            }
            Ok(samples)
        }
        Codec::Native | Codec::Unsupported => Err("there is no decoder for it".into()),
    }
}

/// What every codec without a colour model or sign of its own needs.
fn finish(mut samples: Samples, format: &PixelFormat) -> Samples {
    samples.extend(format.bits_stored);
    if format.samples_per_pixel == 3 && format.photometric.starts_with("YBR_FULL") {
        rgb_from_ybr(&mut samples);
    }
    samples
}
