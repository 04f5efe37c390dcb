//! Settings: how the mouse works, what is shown, whether bare letters are shortcuts.
//! Kept on this device only; every one takes effect at once, so there is nothing to save.

pub mod store;

use leptos::prelude::*;
use scene::Interpolation;
use serde::{Deserialize, Serialize};

use crate::ctx::{Ctx, Dialog};
use crate::state::gesture::MouseProfile;
use crate::ui::Modal;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub mouse: MouseProfile,
    /// WCAG 2.1.4: shortcuts of a single character can be switched off outside a panel.
    pub single_keys: bool,
    pub overlays: bool,
    pub interpolation: Interpolation,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mouse: MouseProfile::Default,
            single_keys: true,
            overlays: true,
            interpolation: Interpolation::Linear,
        }
    }
}

#[component]
pub fn SettingsDialog() -> impl IntoView {
    let ctx = Ctx::here();
    let profiles = move || {
        MouseProfile::ALL
            .into_iter()
            .map(|profile| {
                let detail = match profile {
                    MouseProfile::Default => "Left drag: the tool in hand. Right: zoom. Middle: pan.",
                    MouseProfile::LeftDragScroll => "Left drag: slices. Right: window. Middle: pan.",
                    MouseProfile::HorosLike => "As default; Ctrl pans, Shift zooms, Alt windows.",
                };
                view! {
                    <label class="choice">
                        <input
                            type="radio"
                            name="mouse-profile"
                            value=profile.slug()
                            prop:checked=move || ctx.settings.with(|s| s.mouse == profile)
                            on:change=move |_| {
                                ctx.change_settings(|s| s.mouse = profile);
                                ctx.workspace.update(|w| w.tool = profile.first_tool());
                            }
                        />
                        <span class="choice-text">
                            <span>{profile.label()}</span>
                            <span class="quiet">{detail}</span>
                        </span>
                    </label>
                }
            })
            .collect_view()
    };
    view! {
        <Modal which=Dialog::Settings title="Settings" testid="settings">
            <fieldset>
                <legend>"Mouse"</legend>
                {profiles()}
            </fieldset>
            <fieldset>
                <legend>"Keyboard"</legend>
                <label class="choice">
                    <input
                        type="checkbox"
                        prop:checked=move || ctx.settings.with(|s| s.single_keys)
                        on:change=move |e| ctx.change_settings(|s| s.single_keys = event_target_checked(&e))
                    />
                    <span class="choice-text">
                        <span>"Single letters are shortcuts everywhere"</span>
                        <span class="quiet">"Off: only while a panel has the focus."</span>
                    </span>
                </label>
            </fieldset>
            <fieldset>
                <legend>"Picture"</legend>
                <label class="choice">
                    <input
                        type="checkbox"
                        prop:checked=move || ctx.workspace.with(|w| w.interpolation == Interpolation::Linear)
                        on:change=move |_| ctx.dispatch(crate::state::Action::ToggleInterpolation)
                    />
                    <span class="choice-text">
                        <span>"Smooth between voxels"</span>
                        <span class="quiet">"Off: every voxel as a sharp square."</span>
                    </span>
                </label>
                <label class="choice">
                    <input
                        type="checkbox"
                        prop:checked=move || ctx.workspace.with(|w| w.overlays)
                        on:change=move |_| ctx.dispatch(crate::state::Action::ToggleOverlays)
                    />
                    <span class="choice-text">
                        <span>"Text and measurements over the picture"</span>
                    </span>
                </label>
            </fieldset>
            <p class="quiet">"Settings stay in this browser. Images are never stored."</p>
        </Modal>
    }
}
