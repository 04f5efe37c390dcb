//! Decisions out of a saved report: the reader goes on where the report was made.

use leptos::prelude::Update;
use serde::de::DeserializeOwned;
use web_sys::File;

use crate::ctx::Ctx;
use crate::state::Workspace;

/// The text of a chosen file.
pub async fn text_of(file: &File) -> Result<String, String> {
    let text = wasm_bindgen_futures::JsFuture::from(file.text()).await.ok().and_then(|t| t.as_string());
    text.ok_or_else(|| "it cannot be read".to_owned())
}

/// Opens a saved report again: `apply` takes its decisions and says whether there was a study to apply them to.
pub async fn reopen<S: DeserializeOwned>(
    ctx: Ctx,
    file: File,
    apply: impl FnOnce(&mut Workspace, S) -> bool,
    open_first: &'static str,
) {
    match text_of(&file).await.and_then(|t| session_of(&t)) {
        Ok(session) => {
            if ctx.workspace.try_update(|w| apply(w, session)) == Some(false) {
                ctx.notify(open_first);
            }
        }
        Err(why) => {
            ctx.notify(format!("The report was not opened: {why}. Choose a JSON file that Isocenter saved."))
        }
    }
}

/// The session in a report, or alone.
fn session_of<S: DeserializeOwned>(text: &str) -> Result<S, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let session = value.get("session").cloned().unwrap_or(value);
    serde_json::from_value(session).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found<S: DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(session: &S) {
        let alone = serde_json::to_string(session).unwrap();
        let report = format!(r#"{{"total":{{"agatston":1.0}},"quality":[],"session":{alone}}}"#);
        assert_eq!(session_of::<S>(&alone).as_ref(), Ok(session));
        assert_eq!(session_of::<S>(&report).as_ref(), Ok(session));
        assert!(session_of::<S>("%PDF-1.7").is_err());
        assert!(session_of::<S>(r#"{"total":1}"#).unwrap_err().contains("total"));
    }

    #[test]
    fn a_session_is_found_in_a_report_and_alone() {
        is_found(&contract::calcium::Session { threshold_hu: Some(99.0), ..Default::default() });
        is_found(&contract::perfusion::Session { smooth_mm: Some(1.5), ..Default::default() });
    }
}
