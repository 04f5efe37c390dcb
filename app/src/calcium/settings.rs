//! The conventions, all of them visible: threshold, profile, mass factor, region, spread over the conventions.

use contract::calcium::{Ancestry, Person, Region, mass_factor};
use leptos::prelude::*;

use super::result::of_table;
use crate::ctx::Ctx;
use crate::ui::typed_number;

#[component]
pub fn Threshold() -> impl IntoView {
    let ctx = Ctx::here();
    let now = Memo::new(move |_| {
        ctx.workspace.with(|w| w.desk().map(|d| (d.threshold_hu(), d.suggestion.standard_threshold_hu)))
    });
    let value = move || now.get().map_or(String::new(), |(hu, _)| hu.to_string());
    let settle = move |text: String| {
        if let Some(hu) = typed_number(&text) {
            ctx.workspace.update(|w| {
                if let Some(desk) = w.desk_mut() {
                    desk.settle_threshold(hu);
                }
            });
        }
    };
    view! {
        <div class="threshold">
            <label class="row-between" for="calcium-threshold">
                <span>"Threshold"</span>
                <span class="threshold-value" data-testid="calcium-threshold-value">{move || format!("{} HU", value())}</span>
            </label>
            <div class="cine">
                <input
                    id="calcium-threshold"
                    type="range"
                    min="50"
                    max="300"
                    step="1"
                    data-testid="calcium-threshold"
                    prop:value=value
                    on:input=move |e| {
                        if let Ok(hu) = event_target_value(&e).parse::<f64>() {
                            ctx.workspace.update(|w| {
                                if let Some(desk) = w.desk_mut() {
                                    desk.dragged_hu = Some(hu);
                                }
                            });
                        }
                    }
                    on:change=move |e| settle(event_target_value(&e))
                />
                <button
                    type="button"
                    class="button small"
                    data-testid="calcium-standard"
                    prop:disabled=move || now.get().is_none_or(|(hu, standard)| hu == standard)
                    on:click=move |_| {
                        if let Some((_, standard)) = now.get_untracked() {
                            settle(standard.to_string());
                        }
                    }
                >
                    {move || now.get().map_or(String::new(), |(_, standard)| format!("{standard} HU"))}
                </button>
            </div>
        </div>
    }
}

#[component]
pub fn Details() -> impl IntoView {
    let ctx = Ctx::here();
    let band = of_table(ctx, |t| t.band.clone());
    let card = of_table(ctx, |t| (t.settings.clone(), t.settings_sha256.clone()));
    let profiles = Memo::new(move |_| {
        ctx.workspace.with(|w| w.desk().map(|d| d.suggestion.conventions.clone()).unwrap_or_default())
    });
    let profile =
        Memo::new(move |_| ctx.workspace.with(|w| w.desk().map(|d| d.session.get().profile.clone())));
    let source = move || {
        let name = profile.get()?;
        profiles.with(|p| p.iter().find(|(n, _)| *n == name).map(|(_, source)| source.clone()))
    };
    let factor = move || {
        ctx.workspace.with(|w| {
            w.desk().and_then(|d| d.session.get().mass_factor).map_or(String::new(), |f| f.to_string())
        })
    };
    view! {
        <details class="more" data-testid="calcium-band">
            <summary>
                {move || match band.get().flatten() {
                    Some(b) => format!("Over the conventions: {:.0} to {:.0}{}", b.lowest, b.highest, if b.class_flips { " · class flips" } else { "" }),
                    None => "Over the conventions".to_owned(),
                }}
            </summary>
            <dl class="facts">
                {move || {
                    let list = band.get().flatten().map(|b| b.alternatives).unwrap_or_default();
                    list.into_iter()
                        .map(|(name, score, category)| {
                            view! { <div><dt>{name}</dt><dd>{format!("{score:.1} · {category}")}</dd></div> }
                        })
                        .collect_view()
                }}
            </dl>
        </details>
        <details class="more" data-testid="calcium-settings">
            <summary>"Settings"</summary>
            <label class="field block-field">
                <span>"Profile"</span>
                <select
                    data-testid="calcium-profile"
                    on:change=move |e| {
                        let name = event_target_value(&e);
                        ctx.workspace.update(|w| if let Some(d) = w.desk_mut() { d.decide(|s| s.profile = name) });
                    }
                >
                    {move || {
                        profiles
                            .get()
                            .into_iter()
                            .map(|(name, _)| {
                                let own = name.clone();
                                view! { <option value=name.clone() prop:selected=move || profile.get().as_ref() == Some(&own)>{name.clone()}</option> }
                            })
                            .collect_view()
                    }}
                </select>
            </label>
            <p class="quiet">{source}</p>
            <label class="field block-field">
                <span>"Mass factor"</span>
                <input
                    type="number"
                    step="any"
                    min="0"
                    placeholder="mg per mm³ and HU"
                    data-testid="calcium-mass-factor"
                    prop:value=factor
                    on:change=move |e| {
                        let factor = typed_number(&event_target_value(&e));
                        ctx.workspace.update(|w| if let Some(d) = w.desk_mut() { d.decide(|s| s.mass_factor = factor) });
                    }
                />
            </label>
            <Calibration />
            <RegionFields />
            <dl class="facts" data-testid="calcium-card">
                {move || {
                    let (lines, sha256) = card.get().unwrap_or_default();
                    view! {
                        {lines.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> }).collect_view()}
                        <div><dt>"sha256"</dt><dd class="file">{sha256}</dd></div>
                    }
                }}
            </dl>
        </details>
        <Risk />
    }
}

/// The mass factor from an insert in the scan: its density is printed on it, the two values are measured with a
/// region of the toolbar.
#[component]
fn Calibration() -> impl IntoView {
    let ctx = Ctx::here();
    let typed = RwSignal::new([None::<f64>; 3]);
    let factor = Memo::new(move |_| {
        let [density, insert, water] = typed.get();
        mass_factor(density?, insert?, water?)
    });
    let field = move |i: usize, name: &'static str, testid: &'static str| {
        view! {
            <input
                type="number"
                step="any"
                placeholder=name
                aria-label=name
                data-testid=testid
                on:change=move |e| {
                    let value = typed_number(&event_target_value(&e));
                    typed.update(|t| t[i] = value);
                }
            />
        }
    };
    view! {
        <div class="region-fields calibration">
            {field(0, "insert mg/cm³", "insert-density")}
            {field(1, "insert HU", "insert-hu")}
            {field(2, "water HU", "water-hu")}
        </div>
        <button
            type="button"
            class="button small"
            data-testid="insert-take"
            prop:disabled=move || factor.get().is_none()
            on:click=move |_| {
                let to = factor.get_untracked();
                ctx.workspace.update(|w| if let Some(d) = w.desk_mut() { d.decide(|s| s.mass_factor = to) });
            }
        >
            {move || factor.get().map_or("Factor from an insert".to_owned(), |f| format!("Use {f:.6} mg per mm³ and HU"))}
        </button>
    }
}

/// The heart region in numbers, for a keyboard.
#[component]
fn RegionFields() -> impl IntoView {
    let ctx = Ctx::here();
    let region = Memo::new(move |_| ctx.workspace.with(|w| w.desk().and_then(|d| d.session.get().region)));
    let dims =
        Memo::new(move |_| ctx.workspace.with(|w| w.active_volume().map_or([1; 3], |v| v.grid.dims())));
    let decide = move |to: Option<Region>| {
        ctx.workspace.update(|w| {
            if let Some(d) = w.desk_mut() {
                d.decide(|s| s.region = to);
            }
        });
    };
    let field = move |axis: usize, far: bool, name: &'static str| {
        let shown = move || {
            region.get().map_or(String::new(), |r| {
                // Counted from 1, and the last one that counts: as slices are numbered on the screen.
                if far { r.to[axis].to_string() } else { (r.from[axis] + 1).to_string() }
            })
        };
        view! {
            <input
                type="number"
                min="1"
                max=move || dims.get()[axis].to_string()
                aria-label=name
                data-testid=format!("region-{}", name.replace(' ', "-"))
                prop:value=shown
                on:change=move |e| {
                    let (Some(r), Ok(n)) = (region.get_untracked(), event_target_value(&e).parse::<u32>()) else { return };
                    let n = n.clamp(1, dims.get_untracked()[axis]);
                    decide(Some(r.with_edge(axis, far, if far { n } else { n - 1 })));
                }
            />
        }
    };
    view! {
        <div class="row-between">
            <span>"Heart region"</span>
            <button
                type="button"
                class="button small"
                data-testid="region-toggle"
                on:click=move |_| {
                    let to = match region.get_untracked() {
                        Some(_) => None,
                        None => Some(Region { from: [0; 3], to: dims.get_untracked() }),
                    };
                    decide(to);
                }
            >
                {move || if region.get().is_some() { "Count everywhere" } else { "Use a region" }}
            </button>
        </div>
        <Show when=move || region.get().is_some()>
            <div class="region-fields">
                <span class="quiet">"Columns"</span>{field(0, false, "first column")}{field(0, true, "last column")}
                <span class="quiet">"Rows"</span>{field(1, false, "first row")}{field(1, true, "last row")}
                <span class="quiet">"Slices"</span>{field(2, false, "first slice")}{field(2, true, "last slice")}
            </div>
        </Show>
    }
}

/// MESA 2015, where the reader describes the person.
#[component]
fn Risk() -> impl IntoView {
    let ctx = Ctx::here();
    let person = Memo::new(move |_| ctx.workspace.with(|w| w.desk().and_then(|d| d.session.get().person)));
    let risk = of_table(ctx, |t| t.risk_percent);
    let change = move |f: &dyn Fn(&mut Person)| {
        ctx.workspace.update(|w| {
            if let Some(d) = w.desk_mut() {
                d.decide(|s| f(s.person.get_or_insert(UNKNOWN)));
            }
        });
    };
    let number = move |name: &'static str,
                       unit: &'static str,
                       get: fn(&Person) -> f64,
                       set: fn(&mut Person, f64)| {
        view! {
            <label class="field block-field">
                <span>{name}</span>
                <input
                    type="number"
                    step="any"
                    placeholder=unit
                    data-testid=format!("risk-{}", name.to_lowercase().replace(' ', "-"))
                    prop:value=move || person.get().map(|p| get(&p)).filter(|v| *v > 0.0).map_or(String::new(), |v| v.to_string())
                    on:change=move |e| {
                        let v = typed_number(&event_target_value(&e)).unwrap_or(0.0);
                        change(&|p| set(p, v));
                    }
                />
            </label>
        }
    };
    let tick = move |name: &'static str, get: fn(&Person) -> bool, set: fn(&mut Person, bool)| {
        view! {
            <label class="choice">
                <input
                    type="checkbox"
                    prop:checked=move || person.get().is_some_and(|p| get(&p))
                    on:change=move |e| {
                        let on = event_target_checked(&e);
                        change(&|p| set(p, on));
                    }
                />
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <details class="more" data-testid="calcium-risk">
            <summary>
                {move || match risk.get().flatten() {
                    Some(percent) => format!("Ten-year risk (MESA 2015): {percent:.1} %"),
                    None => "Ten-year risk (MESA 2015)".to_owned(),
                }}
            </summary>
            <p class="quiet">"Coronary heart disease; made from people of 45 to 85 years. Stays in this browser."</p>
            {number("Age", "years", |p| p.age_years, |p, v| p.age_years = v)}
            {number("Systolic", "mmHg", |p| p.systolic_mmhg, |p, v| p.systolic_mmhg = v)}
            {number("Total cholesterol", "mg/dl", |p| p.total_cholesterol_mg_dl, |p, v| p.total_cholesterol_mg_dl = v)}
            {number("HDL", "mg/dl", |p| p.hdl_mg_dl, |p, v| p.hdl_mg_dl = v)}
            <label class="field block-field">
                <span>"Ancestry"</span>
                <select
                    on:change=move |e| {
                        let to = ANCESTRY.iter().find(|(_, n)| *n == event_target_value(&e)).map_or(Ancestry::White, |(a, _)| *a);
                        change(&|p| p.ancestry = to);
                    }
                >
                    {ANCESTRY
                        .into_iter()
                        .map(|(a, name)| view! { <option value=name prop:selected=move || person.get().map_or(Ancestry::White, |p| p.ancestry) == a>{name}</option> })
                        .collect_view()}
                </select>
            </label>
            {tick("Male", |p| p.male, |p, v| p.male = v)}
            {tick("Diabetes", |p| p.diabetes, |p, v| p.diabetes = v)}
            {tick("Smoker", |p| p.smoker, |p, v| p.smoker = v)}
            {tick("Lipid-lowering drugs", |p| p.lipid_drugs, |p, v| p.lipid_drugs = v)}
            {tick("Blood pressure drugs", |p| p.blood_pressure_drugs, |p, v| p.blood_pressure_drugs = v)}
            {tick("Heart attack in the family", |p| p.family_history, |p, v| p.family_history = v)}
        </details>
    }
}

const ANCESTRY: [(Ancestry, &str); 4] = [
    (Ancestry::White, "White"),
    (Ancestry::Chinese, "Chinese American"),
    (Ancestry::Black, "African American"),
    (Ancestry::Hispanic, "Hispanic"),
];

/// Nothing is known of the person yet: values that no model takes.
const UNKNOWN: Person = Person {
    age_years: 0.0,
    male: false,
    ancestry: Ancestry::White,
    diabetes: false,
    smoker: false,
    total_cholesterol_mg_dl: 0.0,
    hdl_mg_dl: 0.0,
    lipid_drugs: false,
    systolic_mmhg: 0.0,
    blood_pressure_drugs: false,
    family_history: false,
};
