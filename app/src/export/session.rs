//! Decisions out of a saved report: the reader goes on where the report was made.

use leptos::prelude::Update;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use web_sys::File;

use crate::ctx::Ctx;
use crate::state::Workspace;

/// What of a saved report is opened again: the decisions, and how they were looked at where the report says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Saved<S, V = ()> {
    pub session: S,
    pub view: Option<V>,
}

/// The text of a chosen file.
pub async fn text_of(file: &File) -> Result<String, String> {
    let text = wasm_bindgen_futures::JsFuture::from(file.text()).await.ok().and_then(|t| t.as_string());
    text.ok_or_else(|| "it cannot be read".to_owned())
}

/// Opens a saved report again: `apply` takes its decisions and says whether there was a study to apply them to.
pub async fn reopen<S: DeserializeOwned, V: DeserializeOwned>(
    ctx: Ctx,
    file: File,
    apply: impl FnOnce(&mut Workspace, Saved<S, V>) -> bool,
    open_first: &'static str,
) {
    match text_of(&file).await.and_then(|t| saved_in(&t)) {
        Ok(saved) => {
            if ctx.workspace.try_update(|w| apply(w, saved)) == Some(false) {
                ctx.notify(open_first);
            }
        }
        Err(why) => {
            ctx.notify(format!("The report was not opened: {why}. Choose a JSON file that Isocenter saved."))
        }
    }
}

/// The session in a report, or alone.
fn saved_in<S: DeserializeOwned, V: DeserializeOwned>(text: &str) -> Result<Saved<S, V>, String> {
    let mut value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if value.get("session").is_none() {
        value = serde_json::json!({ "session": value });
    }
    serde_json::from_value(value).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::perfusion::View;

    fn is_found<S: DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(session: &S) {
        let alone = serde_json::to_string(session).unwrap();
        let report = format!(r#"{{"total":{{"agatston":1.0}},"quality":[],"session":{alone}}}"#);
        let of = |text: &str| saved_in::<S, View>(text);
        assert_eq!(of(&alone).as_ref().map(|s| (&s.session, &s.view)), Ok((session, &None)));
        assert_eq!(of(&report).as_ref().map(|s| (&s.session, &s.view)), Ok((session, &None)));
        let with = report.replacen('{', r#"{"view":{"tissue_shown":true},"#, 1);
        let view = View { tissue_shown: true, ..View::default() };
        assert_eq!(of(&with).map(|s| s.view), Ok(Some(view)));
        assert!(of("%PDF-1.7").is_err());
        assert!(of(r#"{"total":1}"#).unwrap_err().contains("total"));
    }

    #[test]
    fn a_session_is_found_in_a_report_and_alone() {
        is_found(&contract::calcium::Session { threshold_hu: Some(99.0), ..Default::default() });
        is_found(&contract::perfusion::Session { smooth_mm: Some(1.5), ..Default::default() });
    }
}
