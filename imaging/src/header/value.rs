//! Values out of a data set, or nothing: absent, empty and malformed read the same here.
//!
//! Headers in the wild are wrong in every way; a helper that cannot fail keeps the extraction readable,
//! and what must be there is checked once where it is needed.

use dicom_core::Tag;
use dicom_core::value::Value;
use dicom_object::InMemDicomObject;
use scene::DVec3;

/// One text, without padding.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let value = object.get(tag)?.to_str().ok()?;
    let trimmed = value.trim_matches(|c: char| c == ' ' || c == '\0');
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// All values of a text.
pub(super) fn texts(object: &InMemDicomObject, tag: Tag) -> Vec<String> {
    let Some(values) = object.get(tag).and_then(|e| e.value().to_multi_str().ok().map(|v| v.to_vec())) else {
        return Vec::new();
    };
    values.iter().map(|v| v.trim_matches(|c: char| c == ' ' || c == '\0').to_owned()).collect()
}

/// All numbers; empty if one of them is not a finite number.
pub(super) fn numbers(object: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    let Some(values) = object.get(tag).and_then(|e| e.value().to_multi_float64().ok()) else {
        return Vec::new();
    };
    if values.iter().all(|v| v.is_finite()) { values } else { Vec::new() }
}

/// The first number.
pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Option<f64> {
    numbers(object, tag).first().copied()
}

/// The first number, if it is whole.
pub(super) fn integer(object: &InMemDicomObject, tag: Tag) -> Option<i32> {
    let n = number(object, tag)?;
    (n.fract() == 0.0 && n.abs() <= f64::from(i32::MAX)).then_some(n as i32)
}

/// Three numbers from `start` on.
pub(super) fn point(values: &[f64], start: usize) -> Option<DVec3> {
    Some(DVec3::new(*values.get(start)?, *values.get(start + 1)?, *values.get(start + 2)?))
}

/// Items of a sequence.
pub(super) fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    match object.get(tag).map(|e| e.value()) {
        Some(Value::Sequence(sequence)) => sequence.items(),
        _ => &[],
    }
}

/// First item of a sequence.
pub(super) fn item(object: &InMemDicomObject, tag: Tag) -> Option<&InMemDicomObject> {
    items(object, tag).first()
}

/// DA (PS3.5 6.2) as days since a fixed day, for differences only.
fn days(date: &str) -> Option<f64> {
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    let (y, m, d) = (digits.get(0..4)?, digits.get(4..6)?, digits.get(6..8)?);
    let (mut y, m, d): (i64, i64, i64) = (y.parse().ok()?, m.parse().ok()?, d.parse().ok()?);
    // Days from civil: the year begins in March so that the leap day is its last.
    y -= i64::from(m <= 2);
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    Some((y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year) as f64)
}

/// TM (PS3.5 6.2) as seconds since midnight; the ACR-NEMA form with colons is read too.
pub(super) fn seconds(time: &str) -> Option<f64> {
    let clean: String = time.trim().chars().filter(|c| *c != ':').collect();
    let (whole, fraction) = clean.split_once('.').unwrap_or((&clean, ""));
    let part = |range: std::ops::Range<usize>| whole.get(range).map_or(Some(0.0), |s| s.parse::<f64>().ok());
    if whole.len() < 2 || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    Some(part(0..2)? * 3600.0 + part(2..4)? * 60.0 + part(4..6)? + fraction)
}

/// Date and time as seconds; the date may be missing.
pub(super) fn moment(date: Option<&str>, time: Option<&str>) -> Option<f64> {
    Some(date.and_then(days).unwrap_or(0.0) * 86_400.0 + seconds(time?)?)
}

/// DT (PS3.5 6.2) as seconds; the offset from UTC is the same within a series and left out.
pub(super) fn date_time(value: &str) -> Option<f64> {
    let value = value.split(['+', '-', '&']).next()?;
    moment(value.get(0..8), value.get(8..))
}

/// DA as `YYYY-MM-DD`; other forms as they stand.
pub fn display_date(date: &str) -> String {
    match (date.get(0..4), date.get(4..6), date.get(6..8)) {
        (Some(y), Some(m), Some(d)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{y}-{m}-{d}")
        }
        _ => date.replace('.', "-"),
    }
}

/// TM as `HH:MM:SS`.
pub(super) fn display_time(time: &str) -> String {
    match seconds(time) {
        Some(s) => {
            format!("{:02}:{:02}:{:02}", (s / 3600.0) as u32, (s / 60.0) as u32 % 60, s as u32 % 60)
        }
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_and_days_follow_each_other() {
        assert_eq!(seconds("235959.5"), Some(86_399.5));
        assert_eq!(seconds("07"), Some(25_200.0));
        assert_eq!(seconds("07:08:09"), Some(25_689.0));
        assert_eq!(seconds(""), None);
        let before = moment(Some("20231231"), Some("235959")).unwrap();
        let after = moment(Some("20240101"), Some("000001")).unwrap();
        assert_eq!(after - before, 2.0);
        let leap = days("20240301").unwrap() - days("20240228").unwrap();
        let plain = days("20230301").unwrap() - days("20230228").unwrap();
        assert_eq!((leap, plain), (2.0, 1.0));
        assert_eq!(date_time("20240101000001.25+0100").unwrap() - before, 2.25);
    }

    #[test]
    fn dates_are_shown_as_people_write_them() {
        assert_eq!(display_date("20240229"), "2024-02-29");
        assert_eq!(display_date("2024.02.29"), "2024-02-29");
        assert_eq!(display_time("091545.123"), "09:15:45");
    }
}
