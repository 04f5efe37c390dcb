//! Exact sums of floats, as the kernel leaves them, rounded to the nearest f64.
//!
//! Floats of any size may meet in one sum and threads add in any order; only an exact sum is the same each time.

/// Sums of 64 bits that stand 32 bits apart; the first counts multiples of the smallest float, 2^-149.
pub(super) const LIMBS: usize = 9;

/// The nearest f64 of a sum; ties to even.
pub(super) fn round(words: &[u32]) -> f64 {
    // In words of 32 bits: two more for what the last limb holds above its 32 bits, and the sign.
    let mut digits = [0u32; LIMBS + 2];
    let mut carry: i128 = 0;
    for (i, digit) in digits.iter_mut().enumerate() {
        if let Some(limb) = words.get(2 * i..2 * i + 2) {
            carry += i128::from((u64::from(limb[0]) | u64::from(limb[1]) << 32) as i64);
        }
        *digit = carry as u32;
        carry >>= 32;
    }
    let negative = carry < 0;
    if negative {
        // Two's complement: the magnitude is the complement plus one.
        let mut carry = true;
        for digit in &mut digits {
            (*digit, carry) = (!*digit).overflowing_add(u32::from(carry));
        }
    }
    let Some(top) = digits.iter().rposition(|d| *d != 0) else { return 0.0 };
    // Three words hold the 53 bits of an f64 and the next; of the rest it matters whether it is 0.
    let word = |below: usize| top.checked_sub(below).map_or(0, |i| digits[i]);
    let rest = digits[..top.saturating_sub(2)].iter().any(|d| *d != 0);
    let high = u128::from(word(0)) << 64 | u128::from(word(1)) << 32 | u128::from(word(2));
    let magnitude = (high << 1 | u128::from(rest)) as f64;
    let value = magnitude * 2f64.powi(32 * (top as i32 - 2) - 149 - 1);
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that hold a sum of `(limb, value)`.
    fn words(parts: &[(usize, i64)]) -> Vec<u32> {
        let mut limbs = [0i64; LIMBS];
        parts.iter().for_each(|(i, v)| limbs[*i] += v);
        limbs.iter().flat_map(|l| [*l as u32, (*l >> 32) as u32]).collect()
    }

    #[test]
    fn sums_are_rounded_once_and_keep_their_sign() {
        let unit = 2f64.powi(-149);
        assert_eq!(round(&words(&[])), 0.0);
        assert_eq!(round(&words(&[(0, 5)])), 5.0 * unit);
        assert_eq!(round(&words(&[(0, -5)])), -5.0 * unit);
        assert_eq!(round(&words(&[(1, -1), (0, 1)])), -(2f64.powi(32) - 1.0) * unit);
        // What cancels leaves nothing behind.
        assert_eq!(round(&words(&[(8, 7), (8, -7), (3, 1)])), 2f64.powi(96 - 149));
        // A tie goes to even, and a last bit far below breaks it.
        let half = (1i64 << 53) + 1;
        assert_eq!(round(&words(&[(4, half)])), 2f64.powi(53 + 128 - 149));
        assert_eq!(round(&words(&[(4, half), (0, 1)])), (2f64.powi(53) + 2.0) * 2f64.powi(128 - 149));
        assert_eq!(round(&words(&[(8, i64::MAX)])), 2f64.powi(63 + 256 - 149));
    }
}
