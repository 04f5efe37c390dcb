//! Bytes of one element value to a `PrimitiveValue` of dicom-rs.
//! Text stays text (DS, IS, dates too): whoever needs the number parses it and can name the element that is wrong.

use dicom_core::value::C;
use dicom_core::{PrimitiveValue, Tag, VR};

use super::charset::Charset;

/// Never fails: a length that is no multiple of the width loses its tail.
pub(super) fn primitive(vr: VR, bytes: &[u8], big_endian: bool, charset: &Charset) -> PrimitiveValue {
    if bytes.is_empty() {
        return PrimitiveValue::Empty;
    }
    macro_rules! numbers {
        ($variant:ident, $type:ty) => {{
            const WIDTH: usize = size_of::<$type>();
            PrimitiveValue::$variant(
                bytes
                    .as_chunks::<WIDTH>()
                    .0
                    .iter()
                    .map(|c| if big_endian { <$type>::from_be_bytes(*c) } else { <$type>::from_le_bytes(*c) })
                    .collect::<C<$type>>(),
            )
        }};
    }
    match vr {
        VR::US | VR::OW => numbers!(U16, u16),
        VR::SS => numbers!(I16, i16),
        VR::UL | VR::OL => numbers!(U32, u32),
        VR::SL => numbers!(I32, i32),
        VR::UV | VR::OV => numbers!(U64, u64),
        VR::SV => numbers!(I64, i64),
        VR::FL | VR::OF => numbers!(F32, f32),
        VR::FD | VR::OD => numbers!(F64, f64),
        VR::AT => PrimitiveValue::Tags(
            bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|c| {
                    let half =
                        |b: [u8; 2]| if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
                    Tag(half([c[0], c[1]]), half([c[2], c[3]]))
                })
                .collect(),
        ),
        VR::OB | VR::UN | VR::SQ => PrimitiveValue::U8(bytes.iter().copied().collect()),
        // PS3.5 6.2: a backslash is part of the text here, and leading spaces count.
        VR::ST | VR::LT | VR::UT | VR::UR => PrimitiveValue::Str(trim_end(&charset.decode(bytes)).to_owned()),
        VR::SH | VR::LO | VR::PN | VR::UC => strings(&charset.decode(bytes)),
        // AE AS CS DA DS DT IS TM UI: the default repertoire, whatever (0008,0005) says.
        _ => strings(&bytes.iter().map(|b| char::from(*b)).collect::<String>()),
    }
}

fn strings(text: &str) -> PrimitiveValue {
    let text = trim_end(text);
    if text.contains('\\') {
        PrimitiveValue::Strs(text.split('\\').map(|part| trim_end(part).to_owned()).collect())
    } else {
        PrimitiveValue::from(text)
    }
}

fn trim_end(text: &str) -> &str {
    text.trim_end_matches(['\0', ' '])
}
