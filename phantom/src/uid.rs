//! Unique identifiers derived from names.
//!
//! The root 2.25 takes any UUID as a decimal number (PS3.5 B.2) and needs no registration. Deriving it from
//! a name keeps the files the same on every run.

/// `2.25.<decimal>` for a name such as `cardiac/series/1`. At most 44 characters (the limit is 64).
pub fn uid(name: &str) -> String {
    // FNV-1a, 128 bit: public constants, and collisions among a few thousand names are out of question.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in b"isocenter-phantom/".iter().chain(name.as_bytes()) {
        hash ^= u128::from(*byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    // RFC 9562: version 8 (custom) in bits 76..80, variant 10 in bits 62..64, so that it is a real UUID.
    hash = (hash & !(0xf << 76)) | (8 << 76);
    hash = (hash & !(0x3 << 62)) | (2 << 62);
    format!("2.25.{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn valid_repeatable_and_distinct() {
        let mut seen = HashSet::new();
        for i in 0..5_000 {
            let u = uid(&format!("study/series/{i}"));
            assert!(u.len() <= 64 && u.starts_with("2.25.") && !u[5..].starts_with('0'), "{u}");
            assert!(u[5..].bytes().all(|b| b.is_ascii_digit()));
            assert!(seen.insert(u));
        }
        assert_eq!(uid("a"), uid("a"));
    }
}
