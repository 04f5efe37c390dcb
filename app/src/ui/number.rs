//! Numbers as people type them.
//! In one place, so that a comma is a point in every field.

/// The number in a field; `None` where there is none.
pub fn typed_number(text: &str) -> Option<f64> {
    text.trim().replace(',', ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_a_point_and_words_are_no_number() {
        assert_eq!([" 1,5 ", "-0.25", "3e2"].map(typed_number), [Some(1.5), Some(-0.25), Some(300.0)]);
        assert_eq!(["", "1,5,0", "HU"].map(typed_number), [None; 3]);
    }
}
