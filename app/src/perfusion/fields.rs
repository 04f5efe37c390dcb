//! Fields of a session: a number, one of a few words, yes or no. Each change is a decision, undone by one undo.

use contract::perfusion::Session;
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::findings::of_desk;
use crate::ctx::Ctx;
use crate::ui::typed_number;

/// A decision about the study on the screen.
pub fn decide(ctx: Ctx, change: impl FnOnce(&mut Session)) {
    ctx.workspace.update(|w| {
        if let Some(desk) = w.flow_mut() {
            desk.decide(change);
        }
    });
}

/// A choice as sessions write it.
pub fn word<T: Serialize>(choice: &T) -> String {
    serde_json::to_value(choice).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The choice of a word.
pub fn choice<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

#[component]
pub fn NumberField(
    label: &'static str,
    testid: &'static str,
    get: fn(&Session) -> Option<f64>,
    set: fn(&mut Session, Option<f64>),
    /// Said while the field is empty.
    #[prop(optional)]
    placeholder: &'static str,
) -> impl IntoView {
    let ctx = Ctx::here();
    let value = of_desk(ctx, move |d| get(d.session.get()));
    view! {
        <label class="field block-field">
            <span>{label}</span>
            <input
                type="number"
                step="any"
                placeholder=placeholder
                data-testid=testid
                prop:value=move || value.get().flatten().map_or(String::new(), |v| ((v * 1e6).round() / 1e6).to_string())
                on:change=move |e| {
                    let typed = typed_number(&event_target_value(&e));
                    decide(ctx, |s| set(s, typed));
                }
            />
        </label>
    }
}

#[component]
pub fn ChoiceField(
    label: &'static str,
    testid: &'static str,
    /// Words and what they are called.
    options: Vec<(&'static str, &'static str)>,
    get: fn(&Session) -> String,
    set: fn(&mut Session, &str),
) -> impl IntoView {
    let ctx = Ctx::here();
    let value = of_desk(ctx, move |d| get(d.session.get()));
    view! {
        <label class="field block-field">
            <span>{label}</span>
            <select
                data-testid=testid
                on:change=move |e| {
                    let word = event_target_value(&e);
                    decide(ctx, |s| set(s, &word));
                }
            >
                {options
                    .into_iter()
                    .map(|(word, name)| view! { <option value=word prop:selected=move || value.get().as_deref() == Some(word)>{name}</option> })
                    .collect_view()}
            </select>
        </label>
    }
}

#[component]
pub fn YesField(
    label: &'static str,
    testid: &'static str,
    get: fn(&Session) -> bool,
    set: fn(&mut Session, bool),
) -> impl IntoView {
    let ctx = Ctx::here();
    let value = of_desk(ctx, move |d| get(d.session.get()));
    view! {
        <label class="choice">
            <input
                type="checkbox"
                data-testid=testid
                prop:checked=move || value.get() == Some(true)
                on:change=move |e| {
                    let on = event_target_checked(&e);
                    decide(ctx, |s| set(s, on));
                }
            />
            <span>{label}</span>
        </label>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::perfusion::{Method, Motion};

    #[test]
    fn choices_are_written_as_sessions_write_them() {
        assert_eq!(word(&Method::LucyRichardson), "lucy-richardson");
        assert_eq!(choice::<Motion>("in_plane"), Some(Motion::InPlane));
        assert_eq!(choice::<Method>("svd"), None);
    }
}
