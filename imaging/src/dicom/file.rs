//! One DICOM file up to its pixels: preamble, meta group, data set (PS3.10 section 7).
//! What the meta group says is checked against the first element, because files without preamble, without
//! meta group or with the wrong transfer syntax are common and all readable.

use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;

use super::DicomError;
use super::dataset::{Encoding, Reader};
use super::inflate::InflateSource;
use super::syntax::{EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, TransferSyntax};
use super::window::{Window, read_full};
use crate::Source;
use crate::limits::Limits;

/// Where the pixel data lies in the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelLocation {
    /// (7FE0,0010), or (7FE0,0008) float, or (7FE0,0009) double.
    pub tag: Tag,
    /// As in the file, or by the dictionary.
    pub vr: VR,
    /// First byte of the value, in the file; in the inflated data set where [`TransferSyntax::deflated`].
    pub offset: u64,
    /// Length of the value; `None` for fragments.
    pub length: Option<u64>,
}

/// The header of a file. The pixels stay where they are.
#[derive(Clone, Debug)]
pub struct DicomFile {
    /// The main data set without pixel data and what follows it; text is decoded, numbers in text are not parsed.
    pub object: InMemDicomObject,
    /// The file meta group; empty where the file has none.
    pub meta: InMemDicomObject,
    /// How data set and pixels are encoded.
    pub transfer_syntax: TransferSyntax,
    /// Irregularities that were read over, for the user.
    pub warnings: Vec<String>,
    /// Where the pixels are, if there are any.
    pub pixel_data: Option<PixelLocation>,
    /// Where the data set starts in the file.
    pub(super) data_set_offset: u64,
}

/// Whether a file that starts like this is worth handing to [`read_header`]. 132 bytes decide.
pub fn looks_like_dicom(first_bytes: &[u8]) -> bool {
    first_bytes.get(128..132) == Some(b"DICM")
        || first_bytes.starts_with(b"DICM")
        || sniff(first_bytes).is_some()
}

/// Reads the header of a file in growing pieces, as far as pixel data and never into it.
pub fn read_header(source: &dyn Source, limits: &Limits) -> Result<DicomFile, DicomError> {
    if source.len() > limits.max_file_bytes {
        return Err(DicomError::Limit {
            what: "The length of the file",
            value: source.len(),
            limit: limits.max_file_bytes,
        });
    }
    let mut window = Window::new(source, 0);
    let head = window.peek(132)?;
    let start = if head.get(128..132) == Some(b"DICM") {
        132
    } else if head.starts_with(b"DICM") {
        4
    } else if sniff(head).is_some() {
        0
    } else {
        return Err(DicomError::NotDicom);
    };
    window.skip(start);

    let mut reader = Reader::new(&mut window, limits);
    let meta = reader.meta_group()?;
    let mut warnings = std::mem::take(&mut reader.warnings);
    if start != 132 {
        warnings.push("The file has no preamble.".into());
    }
    let data_set_offset = window.pos();
    let stated =
        meta.get(Tag(0x0002, 0x0010)).and_then(|e| e.to_str().ok()).map(|uid| TransferSyntax::from_uid(&uid));

    if let Some(syntax) = stated.as_ref().filter(|s| s.deflated) {
        let inflated = InflateSource::new(source, data_set_offset, limits);
        let mut window = Window::new(&inflated, 0);
        return finish(&mut window, limits, meta, syntax.clone(), warnings, data_set_offset);
    }
    let found = sniff(window.peek(16)?);
    let syntax = match (stated, found) {
        (None, found) => {
            let encoding = found.unwrap_or(Encoding { explicit_vr: false, big_endian: false });
            let mut syntax = TransferSyntax::from_uid(uid_of(encoding));
            warnings.push(format!("The file names no transfer syntax; it reads as {}.", syntax.name));
            syntax.uid.clear();
            syntax
        }
        (Some(mut syntax), Some(found))
            if (found.explicit_vr, found.big_endian) != (syntax.explicit_vr, syntax.big_endian) =>
        {
            warnings.push(format!(
                "The data set is not written as its transfer syntax {} says; it reads as {}.",
                syntax.name,
                TransferSyntax::from_uid(uid_of(found)).name
            ));
            syntax.explicit_vr = found.explicit_vr;
            syntax.big_endian = found.big_endian;
            syntax
        }
        (Some(syntax), _) => syntax,
    };
    finish(&mut window, limits, meta, syntax, warnings, data_set_offset)
}

fn finish(
    window: &mut Window<'_>,
    limits: &Limits,
    meta: InMemDicomObject,
    transfer_syntax: TransferSyntax,
    mut warnings: Vec<String>,
    data_set_offset: u64,
) -> Result<DicomFile, DicomError> {
    let mut reader = Reader::new(window, limits);
    let object = reader.main_data_set(Encoding {
        explicit_vr: transfer_syntax.explicit_vr,
        big_endian: transfer_syntax.big_endian,
    })?;
    warnings.append(&mut reader.warnings);
    let pixel_data = reader.pixel_data;
    if object.tags().next().is_none() && pixel_data.is_none() && meta.tags().next().is_none() {
        return Err(DicomError::NotDicom);
    }
    Ok(DicomFile { object, meta, transfer_syntax, warnings, pixel_data, data_set_offset })
}

fn uid_of(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding { big_endian: true, .. } => EXPLICIT_BE,
        Encoding { explicit_vr: true, .. } => EXPLICIT_LE,
        _ => IMPLICIT_LE,
    }
}

/// How a data set that starts like this is written, if it is one. Data sets start in a low even group,
/// because elements are in rising order (PS3.5 7.1).
fn sniff(bytes: &[u8]) -> Option<Encoding> {
    let head: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    let group_le = u16::from_le_bytes([head[0], head[1]]);
    let group_be = u16::from_be_bytes([head[0], head[1]]);
    let plausible = |group: u16| matches!(group, 0x0002 | 0x0004 | 0x0008 | 0x0010);
    let named = VR::from_binary([head[4], head[5]]).is_some();
    if plausible(group_le) && named {
        return Some(Encoding { explicit_vr: true, big_endian: false });
    }
    if plausible(group_be) && named {
        return Some(Encoding { explicit_vr: true, big_endian: true });
    }
    // Implicit VR: nothing names itself, so the length must be one that a first element has.
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let element = u16::from_le_bytes([head[2], head[3]]);
    (plausible(group_le) && element < 0x2000 && length <= 1024)
        .then_some(Encoding { explicit_vr: false, big_endian: false })
}

/// The bytes of the data set that pixel offsets refer to: the file, or the inflated data set.
pub(super) fn data_set_bytes(
    source: &dyn Source,
    file: &DicomFile,
    limits: &Limits,
    range: (u64, u64),
) -> Result<Vec<u8>, DicomError> {
    let (offset, length) = range;
    // Grown from what is there, not from what was promised.
    let mut bytes = Vec::new();
    let inflated;
    let source: &dyn Source = if file.transfer_syntax.deflated {
        inflated = InflateSource::new(source, file.data_set_offset, limits);
        &inflated
    } else {
        source
    };
    while (bytes.len() as u64) < length {
        let have = bytes.len();
        let step = (length - have as u64).min((have as u64).max(1 << 20)) as usize;
        bytes.resize(have + step, 0);
        let got = read_full(source, offset.saturating_add(have as u64), &mut bytes[have..])?;
        if got < step {
            bytes.truncate(have + got);
            break;
        }
    }
    Ok(bytes)
}
