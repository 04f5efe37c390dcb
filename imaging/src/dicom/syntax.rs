//! Transfer syntaxes (PS3.5 section 10 and annex A): how the data set is encoded and which codec the pixels need.
//! Tables of our own rather than the registry of dicom-rs: ours say what *we* decode, on every target, and the
//! registry would link all its codecs into the page.

/// How pixel data is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Native,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
    DeflatedFrame,
    EncapsulatedNative,
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
    /// Whether the pixels lie in the file as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.codec == Codec::Native && !self.deflated
    }

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
            // No decoder for browsers: see codec/jpeg2000.rs.
            ".4.201" | ".4.202" | ".4.203" if cfg!(target_arch = "wasm32") => (Unsupported, false),
            ".4.90" | ".4.92" | ".4.201" | ".4.202" => (Jpeg2000, false),
            ".4.91" | ".4.93" | ".4.203" => (Jpeg2000, true),
            ".8.1" => (DeflatedFrame, false),
            ".1.98" => (EncapsulatedNative, false),
            _ => (Unsupported, false),
        };
        let known = NAMES.iter().find(|(known, _)| *known == tail).map(|(_, name)| *name);
        // GE's private syntax: data set implicit little endian, pixels big endian. dicom-rs does not list it.
        let ge = uid == "1.2.840.113619.5.2";
        Self {
            uid: uid.to_owned(),
            name: if ge {
                "Implicit VR Little Endian with big endian pixels (GE private)"
            } else {
                known.unwrap_or("unknown")
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

/// PS3.6 table A-1: what follows 1.2.840.10008.1.2, and the name.
#[rustfmt::skip]
const NAMES: &[(&str, &str)] = &[
    ("", "Implicit VR Little Endian"),
    (".1", "Explicit VR Little Endian"),
    (".1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    (".1.99", "Deflated Explicit VR Little Endian"),
    (".2", "Explicit VR Big Endian"),
    (".4.50", "JPEG Baseline (Process 1)"),
    (".4.51", "JPEG Extended (Process 2 and 4)"),
    (".4.52", "JPEG Extended (Process 3 and 5)"),
    (".4.53", "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)"),
    (".4.54", "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)"),
    (".4.55", "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)"),
    (".4.56", "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)"),
    (".4.57", "JPEG Lossless, Non-Hierarchical (Process 14)"),
    (".4.58", "JPEG Lossless, Non-Hierarchical (Process 15)"),
    (".4.59", "JPEG Extended, Hierarchical (Process 16 and 18)"),
    (".4.60", "JPEG Extended, Hierarchical (Process 17 and 19)"),
    (".4.61", "JPEG Spectral Selection, Hierarchical (Process 20 and 22)"),
    (".4.62", "JPEG Spectral Selection, Hierarchical (Process 21 and 23)"),
    (".4.63", "JPEG Full Progression, Hierarchical (Process 24 and 26)"),
    (".4.64", "JPEG Full Progression, Hierarchical (Process 25 and 27)"),
    (".4.65", "JPEG Lossless, Hierarchical (Process 28)"),
    (".4.66", "JPEG Lossless, Hierarchical (Process 29)"),
    (".4.70", "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])"),
    (".4.80", "JPEG-LS Lossless Image Compression"),
    (".4.81", "JPEG-LS Lossy (Near-Lossless) Image Compression"),
    (".4.90", "JPEG 2000 Image Compression (Lossless Only)"),
    (".4.91", "JPEG 2000 Image Compression"),
    (".4.92", "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)"),
    (".4.93", "JPEG 2000 Part 2 Multi-component Image Compression"),
    (".4.94", "JPIP Referenced"),
    (".4.95", "JPIP Referenced Deflate"),
    (".4.100", "MPEG2 Main Profile / Main Level"),
    (".4.100.1", "Fragmentable MPEG2 Main Profile / Main Level"),
    (".4.101", "MPEG2 Main Profile / High Level"),
    (".4.101.1", "Fragmentable MPEG2 Main Profile / High Level"),
    (".4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    (".4.102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    (".4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    (".4.103.1", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    (".4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
    (".4.104.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
    (".4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
    (".4.105.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
    (".4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    (".4.106.1", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    (".4.107", "HEVC/H.265 Main Profile / Level 5.1"),
    (".4.108", "HEVC/H.265 Main 10 Profile / Level 5.1"),
    (".4.201", "High-Throughput JPEG 2000 Image Compression (Lossless Only)"),
    (".4.202", "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)"),
    (".4.203", "High-Throughput JPEG 2000 Image Compression"),
    (".4.204", "JPIP HTJ2K Referenced"),
    (".4.205", "JPIP HTJ2K Referenced Deflate"),
    (".4.110", "JPEG XL Lossless"),
    (".4.111", "JPEG XL JPEG Recompression"),
    (".4.112", "JPEG XL"),
    (".5", "RLE Lossless"),
    (".6.1", "RFC 2557 MIME encapsulation"),
    (".6.2", "XML Encoding"),
    (".7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video"),
    (".7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video"),
    (".7.3", "SMPTE ST 2110-30 PCM Digital Audio"),
    (".8.1", "Deflated Image Frame Compression"),
    ("0", "Papyrus 3 Implicit VR Little Endian"),
];
