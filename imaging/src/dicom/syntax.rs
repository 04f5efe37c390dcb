//! Transfer syntaxes (PS3.5 section 10 and annex A): how the data set is encoded and which codec the pixels need.
//! A table of our own rather than the registry of dicom-rs, because ours says what *we* decode, on every target.

use dicom_transfer_syntax_registry::{TransferSyntaxIndex as _, TransferSyntaxRegistry};

/// How pixel data is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Native,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
    DeflatedFrame,
    Unsupported,
}

/// What (0002,0010) says, or what was found where it is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferSyntax {
    /// (0002,0010) without padding; empty where the file has none.
    pub uid: String,
    /// Its name in PS3.6 table A-1.
    pub name: &'static str,
    /// Whether the pixels went through a lossy codec of this syntax.
    pub lossy: bool,
    /// Whether the pixels are in fragments.
    pub encapsulated: bool,
    /// Whether elements carry their VR.
    pub explicit_vr: bool,
    /// Whether numbers are big endian.
    pub big_endian: bool,
    /// Whether the whole data set is deflated.
    pub deflated: bool,
    pub(super) codec: Codec,
}

pub(super) const IMPLICIT_LE: &str = "1.2.840.10008.1.2";
pub(super) const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
pub(super) const EXPLICIT_BE: &str = "1.2.840.10008.1.2.2";

impl TransferSyntax {
    /// Looks a UID up. An unknown one is taken as explicit little endian and encapsulated, so that its header can be shown.
    pub fn from_uid(uid: &str) -> Self {
        use Codec::*;
        let uid = uid.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        let tail = uid.strip_prefix("1.2.840.10008.1.2").unwrap_or("?");
        let (codec, lossy) = match tail {
            "" | ".1" | ".1.99" | ".2" => (Native, false),
            ".5" => (Rle, false),
            ".4.50" | ".4.51" => (Jpeg, true),
            // Retired processes: the coded stream says which process it is, so one decoder serves all of them.
            ".4.52" | ".4.53" | ".4.54" | ".4.55" | ".4.56" => (Jpeg, true),
            ".4.57" | ".4.58" | ".4.70" => (Jpeg, false),
            ".4.80" => (JpegLs, false),
            ".4.81" => (JpegLs, true),
            ".4.90" | ".4.92" | ".4.201" | ".4.202" => (Jpeg2000, false),
            ".4.91" | ".4.93" | ".4.203" => (Jpeg2000, true),
            ".8.1" => (DeflatedFrame, false),
            _ => (Unsupported, false),
        };
        let known = TransferSyntaxRegistry.get(uid).map(|ts| ts.name());
        // GE's private syntax: data set implicit little endian, pixels big endian. dicom-rs does not list it.
        let ge = uid == "1.2.840.113619.5.2";
        Self {
            uid: uid.to_owned(),
            name: match tail {
                ".8.1" => "Deflated Image Frame Compression",
                _ if ge => "Implicit VR Little Endian with big endian pixels (GE private)",
                _ => known.unwrap_or("unknown"),
            },
            lossy,
            encapsulated: !ge && codec != Native,
            explicit_vr: !ge && uid != IMPLICIT_LE,
            big_endian: uid == EXPLICIT_BE,
            deflated: tail == ".1.99",
            codec: if ge { Native } else { codec },
        }
    }

    pub(super) fn pixels_big_endian(&self) -> bool {
        self.big_endian || self.uid == "1.2.840.113619.5.2"
    }
}
