//! The text of a PDF, as a reader could select it: what a report shows is compared by its words.
//!
//! For files that our own writer made, whose content streams are not compressed; a test that reads another kind
//! of file panics.

#![allow(clippy::unwrap_used, reason = "only tests read with it")]

/// All strings that a PDF shows, in their order: `(...) Tj` and `<hex> Tj` of its uncompressed content streams.
pub fn shown(pdf: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(end) = pdf[at..].windows(3).position(|w| w == b" Tj").map(|p| at + p - 1) {
        out.push(if pdf[end] == b'>' { hexadecimal(&pdf[..end]) } else { literal(&pdf[..end]) });
        at = end + 4;
    }
    out
}

fn hexadecimal(before: &[u8]) -> String {
    let start = before.iter().rposition(|b| *b == b'<').unwrap() + 1;
    let digits = std::str::from_utf8(&before[start..]).unwrap();
    let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
    (0..digits.len() / 2).map(|i| char::from(byte(i))).collect()
}

/// Back to the bracket that opens it: balanced ones in between are not escaped (PDF 1.7, 7.3.4.2).
fn literal(before: &[u8]) -> String {
    let mut depth = 1;
    let opens = |i: &usize| {
        let escaped = before[i - 1] == b'\\';
        match before[*i] {
            b')' if !escaped => depth += 1,
            b'(' if !escaped => depth -= 1,
            _ => {}
        }
        depth == 0
    };
    let start = (1..before.len()).rev().find(opens).unwrap() + 1;
    let mut bytes = before[start..].iter();
    let mut text = String::new();
    while let Some(byte) = bytes.next() {
        text.push(char::from(if *byte == b'\\' { *bytes.next().unwrap() } else { *byte }));
    }
    text
}
