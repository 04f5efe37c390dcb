//! Settings in the browser's own storage, on this device only.
//! A blocked or broken store is no fault: the page runs with its defaults.

use super::Settings;

const KEY: &str = "isocenter.settings.v1";

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

pub fn load() -> Settings {
    storage().and_then(|s| s.get_item(KEY).ok().flatten()).map_or_else(Settings::default, |text| parse(&text))
}

pub fn save(settings: &Settings) {
    if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(settings)) {
        // A full or forbidden store only costs the memory of a setting.
        let _ = storage.set_item(KEY, &text);
    }
}

/// Unknown or broken fields fall back to their defaults, one by one.
fn parse(text: &str) -> Settings {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::gesture::MouseProfile;

    #[test]
    fn settings_survive_a_round_trip_and_an_older_page() {
        let s = Settings { mouse: MouseProfile::HorosLike, single_keys: false, ..Settings::default() };
        assert_eq!(parse(&serde_json::to_string(&s).unwrap()), s);
        assert_eq!(parse(r#"{"mouse":"horos_like"}"#).mouse, MouseProfile::HorosLike);
        assert_eq!(parse("not json"), Settings::default());
    }
}
