//! Specific Character Set (0008,0005): bytes of a text value to a `String` (PS3.3 C.12.1.1.2, PS3.5 6.1).
//! The tables are those of dicom-rs; the switching by escape sequence (ISO 2022), which dicom-rs lacks, is ours.
//! Decoding never fails: an undecodable byte becomes U+FFFD, because a damaged name must not hide a picture.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec as _};

/// The character sets that are active in a data set.
#[derive(Clone, Debug)]
pub(super) struct Charset {
    /// Value 1: what is active before any escape sequence.
    first: SpecificCharacterSet,
    /// Whether escape sequences may switch: more than one value, or a value named `ISO 2022 ...`.
    switching: bool,
    /// Whether the file named none; then non-ASCII bytes break the standard and are guessed.
    unstated: bool,
}

impl Default for Charset {
    fn default() -> Self {
        Self { first: SpecificCharacterSet::ISO_IR_6, switching: false, unstated: true }
    }
}

const ESC: u8 = 0x1B;

impl Charset {
    /// From the raw value of (0008,0005); the second field names a term that is not known.
    pub fn parse(value: &str) -> (Self, Option<String>) {
        let terms: Vec<&str> = value.split('\\').map(|t| t.trim_matches(['\0', ' '])).collect();
        let mut unknown = None;
        let first = match terms.first().copied().unwrap_or("") {
            "" => SpecificCharacterSet::ISO_IR_6,
            term => lookup(term).unwrap_or_else(|| {
                unknown = Some(term.to_owned());
                SpecificCharacterSet::ISO_IR_192
            }),
        };
        let switching = terms.len() > 1 || terms.iter().any(|t| t.contains("2022"));
        (Self { first, switching, unstated: terms.iter().all(|t| t.is_empty()) }, unknown)
    }

    /// Text of a whole value, still with its backslashes.
    pub fn decode(&self, bytes: &[u8]) -> String {
        if bytes.iter().all(|b| b.is_ascii() && *b != ESC) && self.first.name() != "ISO_IR 13" {
            return String::from_utf8_lossy(bytes).into_owned();
        }
        if self.switching && bytes.contains(&ESC) {
            return self.decode_switching(bytes);
        }
        if self.unstated {
            // Such files break the standard; most are Latin-1 or UTF-8, and UTF-8 proves itself.
            return match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
            };
        }
        decode_with(&self.first, bytes)
    }

    // PS3.5 6.1.2.5.3: after a delimiter the code elements are those of value 1 again.
    fn decode_switching(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut active = Active::First;
        let mut rest = bytes;
        while !rest.is_empty() {
            if rest[0] == ESC
                && let Some((length, next)) = designation(rest)
            {
                rest = &rest[length..];
                active = next;
                continue;
            }
            // Inside a 94x94 set in G0 every byte below 0x7F is half of a character, also 0x5C.
            let in_g0 = matches!(active, Active::Jis(_));
            let delimiter = |b: &u8| matches!(*b, b'\r' | b'\n' | 0x0C | b'\t' | b'\\' | b'^' | b'=');
            let end = 1 + rest[1..]
                .iter()
                .position(|b| *b == ESC || (!in_g0 && delimiter(b)))
                .unwrap_or(rest.len() - 1);
            if !in_g0 && delimiter(&rest[0]) {
                active = Active::First;
            }
            match &active {
                Active::First => text.push_str(&decode_with(&self.first, &rest[..end])),
                Active::Code(term) => match lookup(term) {
                    Some(set) => text.push_str(&decode_with(&set, &rest[..end])),
                    None => text.push_str(&String::from_utf8_lossy(&rest[..end])),
                },
                Active::Jis(escape) => {
                    // The codec for ISO IR 87 reads ISO-2022-JP and so wants its escapes.
                    let stream = [*escape, &rest[..end], b"\x1b(B"].concat();
                    text.push_str(
                        &lookup("ISO_IR 87").map_or_else(String::new, |s| decode_with(&s, &stream)),
                    );
                }
            }
            rest = &rest[end..];
        }
        text
    }
}

enum Active {
    First,
    Code(&'static str),
    Jis(&'static [u8]),
}

// PS3.3 tables C.12-3 and C.12-4: escape sequence -> code element.
fn designation(bytes: &[u8]) -> Option<(usize, Active)> {
    const TABLE: &[(&[u8], &str)] = &[
        (b"\x1b(B", "ISO_IR 6"),
        (b"\x1b(J", "ISO_IR 13"),
        (b"\x1b)I", "ISO_IR 13"),
        (b"\x1b-A", "ISO_IR 100"),
        (b"\x1b-B", "ISO_IR 101"),
        (b"\x1b-C", "ISO_IR 109"),
        (b"\x1b-D", "ISO_IR 110"),
        (b"\x1b-L", "ISO_IR 144"),
        (b"\x1b-G", "ISO_IR 127"),
        (b"\x1b-F", "ISO_IR 126"),
        (b"\x1b-H", "ISO_IR 138"),
        (b"\x1b-M", "ISO_IR 148"),
        (b"\x1b-T", "ISO_IR 166"),
        (b"\x1b$)C", "ISO_IR 149"),
        (b"\x1b$)A", "GBK"),
    ];
    if bytes.starts_with(b"\x1b$B") {
        return Some((3, Active::Jis(b"\x1b$B")));
    }
    if bytes.starts_with(b"\x1b$(D") {
        return Some((4, Active::Jis(b"\x1b$(D")));
    }
    TABLE.iter().find(|(escape, _)| bytes.starts_with(escape)).map(|(escape, term)| {
        let active = if *term == "ISO_IR 6" { Active::First } else { Active::Code(term) };
        (escape.len(), active)
    })
}

fn lookup(term: &str) -> Option<SpecificCharacterSet> {
    // Seen in the wild: underscores, missing spaces and lower case. pydicom repairs the same.
    let tidy = term.trim().to_ascii_uppercase();
    let digits: String = tidy.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or("").to_owned();
    SpecificCharacterSet::from_code(&tidy).or_else(|| match tidy.as_str() {
        "ISO_IR 148" | "ISO 2022 IR 148" => None,
        "ISO 2022 IR 159" => SpecificCharacterSet::from_code("ISO_IR 87"),
        "UTF-8" | "UTF8" => Some(SpecificCharacterSet::ISO_IR_192),
        _ if tidy.contains("ISO") => SpecificCharacterSet::from_code(&format!("ISO_IR {digits}")),
        _ => None,
    })
}

fn decode_with(set: &SpecificCharacterSet, bytes: &[u8]) -> String {
    set.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}
