//! The score: headline, table by vessel, warnings. The last good answer stays while a newer one is computed.

use contract::calcium::Vessel;
use leptos::prelude::*;
use protocol::calcium::{Sums, Table};

use crate::ctx::Ctx;
use crate::state::calcium::colour;
use crate::ui::{Glyph, Icon};

/// What of the last good answer a view shows.
pub fn of_table<T: Send + Sync + Clone + PartialEq + 'static>(
    ctx: Ctx,
    f: impl Fn(&Table) -> T + Send + Sync + 'static,
) -> Memo<Option<T>> {
    Memo::new(move |_| ctx.workspace.with(|w| w.desk().and_then(|d| d.table.as_ref()).map(&f)))
}

#[component]
pub fn Headline() -> impl IntoView {
    let ctx = Ctx::here();
    let score = of_table(ctx, |t| (t.agatston_rounded, t.total.agatston));
    let class = of_table(ctx, |t| (t.category.clone(), t.classic.clone()));
    let open = of_table(ctx, |t| !t.assigned);
    let stamp = of_table(ctx, |t| t.stamp.clone());
    let failure = Memo::new(move |_| ctx.workspace.with(|w| w.desk().and_then(|d| d.failure.clone())));
    let computed = of_table(ctx, |t| format!("{} in {:.0} ms", t.backend.to_uppercase(), t.ms));
    view! {
        <div class="calcium-headline" aria-live="polite">
            {move || match score.get() {
                Some((rounded, exact)) => {
                    view! {
                        <p class="calcium-score">
                            <span class="calcium-number" class:open=move || open.get() == Some(true) data-testid="calcium-total" data-value=exact.to_string()>{rounded}</span>
                            <span class="quiet">"Agatston"</span>
                        </p>
                    }
                        .into_any()
                }
                None => view! { <p class="quiet">"The score follows when every slice has arrived."</p> }.into_any(),
            }}
            <p class="calcium-class" data-testid="calcium-category">
                {move || class.get().map(|(category, classic)| format!("CAC-DRS {category} · {classic}"))}
            </p>
            <Show when=move || open.get() == Some(true)>
                <p class="quiet">"Everything above the threshold, bone included: assign lesions to vessels."</p>
            </Show>
            <Show when=move || stamp.get().flatten().is_some()>
                <p class="stamp" data-testid="calcium-stamp">{move || stamp.get().flatten()}</p>
            </Show>
            <Show when=move || failure.get().is_some()>
                <p class="fault" role="alert" data-testid="calcium-failure">{move || failure.get()}</p>
            </Show>
            <p class="quiet calcium-computed" data-testid="calcium-computed">{move || computed.get()}</p>
        </div>
    }
}

/// A vessel as text and colour.
#[component]
pub fn Swatch(vessel: Vessel) -> impl IntoView {
    view! { <span class="swatch" aria-hidden="true" style:background-color=colour(vessel)></span> }
}

#[component]
pub fn VesselTable() -> impl IntoView {
    let ctx = Ctx::here();
    let rows = of_table(ctx, |t| (t.vessels.clone(), t.unassigned, t.total));
    let cells = |s: Sums| {
        let mass = s.mass_mg.map_or("–".to_owned(), |m| format!("{m:.1}"));
        view! {
            <td class="number">{s.lesions}</td>
            <td class="number">{format!("{:.1}", s.agatston)}</td>
            <td class="number">{format!("{:.1}", s.volume_mm3)}</td>
            <td class="number">{mass}</td>
        }
    };
    view! {
        <table class="calcium-table" data-testid="calcium-table">
            <thead>
                <tr>
                    <th scope="col">"Vessel"</th>
                    <th scope="col" class="number"><abbr title="Lesions">"n"</abbr></th>
                    <th scope="col" class="number">"Agatston"</th>
                    <th scope="col" class="number"><abbr title="Volume in mm³">"mm³"</abbr></th>
                    <th scope="col" class="number"><abbr title="Mass in mg">"mg"</abbr></th>
                </tr>
            </thead>
            <tbody>
                {move || {
                    rows.get()
                        .map(|(vessels, unassigned, total)| {
                            view! {
                                {vessels
                                    .into_iter()
                                    .map(|(v, s)| {
                                        view! {
                                            <tr
                                                data-testid=format!("calcium-{}", v.name().to_lowercase())
                                                data-agatston=s.agatston.to_string()
                                                data-lesions=s.lesions.to_string()
                                            >
                                                <th scope="row"><Swatch vessel=v />{title(v)}</th>
                                                {cells(s)}
                                            </tr>
                                        }
                                    })
                                    .collect_view()}
                                <tr class="total" data-testid="calcium-row-total" data-agatston=total.agatston.to_string()>
                                    <th scope="row">"Total"</th>
                                    {cells(total)}
                                </tr>
                                <tr class="apart" data-testid="calcium-unassigned" data-lesions=unassigned.lesions.to_string()>
                                    <th scope="row">"Not assigned"</th>
                                    {cells(unassigned)}
                                </tr>
                            }
                        })
                }}
            </tbody>
        </table>
    }
}

/// A vessel as the table writes it.
pub fn title(vessel: Vessel) -> &'static str {
    match vessel {
        Vessel::Other => "Other",
        v => v.name(),
    }
}

#[component]
pub fn Warnings() -> impl IntoView {
    let ctx = Ctx::here();
    let warnings = of_table(ctx, |t| t.warnings.clone());
    let count = move || warnings.with(|w| w.as_ref().map_or(0, Vec::len));
    view! {
        <Show when=move || { count() > 0 }>
            <details class="more" open data-testid="calcium-warnings">
                <summary>{move || format!("Warnings ({})", count())}</summary>
                <ul class="plain-list warnings">
                    {move || {
                        let list = warnings.get().unwrap_or_default();
                        list.into_iter()
                            .map(|w| view! { <li><Icon glyph=Glyph::Warning /><span>{w}</span></li> })
                            .collect_view()
                    }}
                </ul>
            </details>
        </Show>
    }
}
