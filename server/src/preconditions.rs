//! Conditional requests, ranges and encodings: what the request's headers ask of a file.
//!
//! Pure functions over header text, so that each rule of RFC 9110 is tested by value.

/// RFC 9110 13.1.2: `If-None-Match` compares weakly, a list or `*`.
pub(crate) fn none_match_hits(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// RFC 9110 12.5.3: whether `br` is acceptable.
pub(crate) fn accepts_brotli(header: &str) -> bool {
    let quality = |wanted: &str| {
        header.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let q = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            Some(q.unwrap_or(0.0))
        })
    };
    quality("br").or_else(|| quality("*")).is_some_and(|q| q > 0.0)
}

/// What a `Range` header asks of a file of `len` bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RangeRequest {
    /// Absent, not understood, or several parts: RFC 9110 14.2 lets a server send the whole.
    Whole,
    /// First and last byte, both within the file.
    Part(u64, u64),
    /// RFC 9110 15.5.17
    Unsatisfiable,
}

/// RFC 9110 14.1.2: `bytes=first-last`, `bytes=first-`, `bytes=-suffix`.
pub(crate) fn range(header: &str, len: u64) -> RangeRequest {
    let Some(spec) = header.trim().strip_prefix("bytes=") else { return RangeRequest::Whole };
    let Some((first, last)) = spec.split_once('-') else { return RangeRequest::Whole };
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (number(first), number(last)) {
        (Some(first), _) if first >= len && (last.is_empty() || number(last).is_some()) => {
            RangeRequest::Unsatisfiable
        }
        (Some(first), None) if last.is_empty() => RangeRequest::Part(first, len - 1),
        (Some(first), Some(last)) if first <= last => RangeRequest::Part(first, last.min(len - 1)),
        (None, Some(0)) if first.is_empty() => RangeRequest::Unsatisfiable,
        (None, Some(_)) if first.is_empty() && len == 0 => RangeRequest::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => RangeRequest::Part(len.saturating_sub(suffix), len - 1),
        _ => RangeRequest::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_value() {
        use RangeRequest::{Part, Unsatisfiable, Whole};
        let cases = [
            ("bytes=0-0", Part(0, 0)),
            ("bytes=0-9", Part(0, 9)),
            ("bytes=9-", Part(9, 9)),
            ("bytes=3-99", Part(3, 9)),
            ("bytes=-4", Part(6, 9)),
            ("bytes=-99", Part(0, 9)),
            ("bytes=-0", Unsatisfiable),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-12", Unsatisfiable),
            ("bytes=5-4", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("lines=0-1", Whole),
            ("bytes=99999999999999999999-", Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(range(header, 10), expected, "{header}");
        }
        assert_eq!(range("bytes=0-", 0), Unsatisfiable);
        assert_eq!(range("bytes=-1", 0), Unsatisfiable);
    }

    #[test]
    fn entity_tags_compare_weakly_and_whole() {
        for hit in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "*"] {
            assert!(none_match_hits(hit, "\"a\""), "{hit}");
        }
        for miss in ["\"b\"", "a", "\"aa\"", ""] {
            assert!(!none_match_hits(miss, "\"a\""), "{miss}");
        }
    }

    #[test]
    fn brotli_is_sent_only_where_it_is_acceptable() {
        for yes in ["br", "gzip, deflate, br", "gzip;q=1, BR;q=0.5", "*"] {
            assert!(accepts_brotli(yes), "{yes}");
        }
        for no in ["", "gzip", "br;q=0", "br;q=0, *", "*;q=0", "brotli", "br;q=x"] {
            assert!(!accepts_brotli(no), "{no}");
        }
    }
}
