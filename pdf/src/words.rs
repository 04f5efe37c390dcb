//! Words into lines and letters into bytes.
//!
//! Helvetica's letters are not measured: lines are broken by their number of letters, which suits body text.

/// Windows-1252, as the fonts are set up.
pub(crate) fn encoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' | '\u{a0}'..='\u{ff}' => out.push(c as u32 as u8),
            '\u{2265}' => out.extend(b">="),
            '\u{2264}' => out.extend(b"<="),
            '\u{2013}' | '\u{2014}' => out.push(b'-'),
            _ => out.push(b'?'),
        }
    }
    out
}

/// Lines of at most so many letters, broken between words.
pub(crate) fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = lines
            .last()
            .is_none_or(|l| l.is_empty() || l.chars().count() + 1 + word.chars().count() <= letters);
        match lines.last_mut() {
            Some(line) if fits => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_letters_encoded() {
        let lines = wrapped("one two three four", 9);
        assert_eq!(lines, ["one two", "three", "four"]);
        assert_eq!(wrapped("", 9), [""]);
        assert_eq!(encoded("5 mm³ ≥ é 東"), b"5 mm\xb3 >= \xe9 ?");
    }
}
