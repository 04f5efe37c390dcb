//! What came out: where and how fast, the volumes of tissue, the checks of the data. The last good answer stays while a
//! newer one is computed.

use leptos::prelude::*;
use protocol::Command;
use protocol::perfusion::Findings;

use crate::ctx::Ctx;
use crate::state::perfusion::FlowDesk;
use crate::ui::{Glyph, Icon};

/// What of the study on the screen a view shows.
pub fn of_desk<T: Send + Sync + Clone + PartialEq + 'static>(
    ctx: Ctx,
    f: impl Fn(&FlowDesk) -> T + Send + Sync + 'static,
) -> Memo<Option<T>> {
    Memo::new(move |_| ctx.workspace.with(|w| w.flow().map(&f)))
}

/// What of the last good answer a view shows.
pub fn of_findings<T: Send + Sync + Clone + PartialEq + 'static>(
    ctx: Ctx,
    f: impl Fn(&Findings) -> T + Send + Sync + 'static,
) -> Memo<Option<T>> {
    Memo::new(move |_| ctx.workspace.with(|w| w.flow().and_then(|d| d.findings.as_ref()).map(&f)))
}

#[component]
pub fn Headline() -> impl IntoView {
    let ctx = Ctx::here();
    let computed = of_findings(ctx, |f| format!("{} in {:.0} ms", f.backend, f.ms));
    let stages = of_findings(ctx, |f| {
        let list = f.stages_ms.iter().map(|(name, ms)| format!("{name} {ms:.0} ms"));
        list.collect::<Vec<_>>().join("\n")
    });
    let answers = of_desk(ctx, |d| d.finished);
    let progress = of_desk(ctx, |d| d.progress);
    let previewed = of_desk(ctx, |d| d.previewed);
    let waiting = of_desk(ctx, |d| (d.computing(), d.findings.is_some()));
    let failure = of_desk(ctx, |d| d.failure.clone());
    let busy = move || progress.get().flatten();
    view! {
        <div class="flow-headline" aria-live="polite" data-testid="perfusion-headline" data-answers=move || answers.get().unwrap_or(0).to_string() data-computing=move || waiting.get().is_some_and(|(c, _)| c).to_string() data-previewed=move || (previewed.get() == Some(true)).to_string()>
            <Show
                when=move || busy().is_some()
                fallback=move || view! {
                    <p class="quiet calcium-computed" data-testid="perfusion-computed" title=move || stages.get()>
                        {move || computed.get().unwrap_or_else(|| "The maps follow when every slice has arrived.".into())}
                    </p>
                }
            >
                <div class="flow-progress">
                    <span>{move || busy().map(|(step, _)| if previewed.get() == Some(true) { "Other slices" } else { step.name() })}</span>
                    <progress max="1" prop:value=move || busy().map_or(0.0, |(_, done)| done) aria-label="Computing"></progress>
                    <button
                        type="button"
                        class="button small"
                        data-testid="perfusion-cancel"
                        on:click=move |_| {
                            let series = ctx.workspace.try_update(|w| w.flow_mut().map(|d| { d.cancel(); d.series })).flatten();
                            if let Some(series) = series {
                                ctx.send(Command::PerfusionCancel { series });
                            }
                        }
                    >
                        "Cancel"
                    </button>
                </div>
            </Show>
            <Show when=move || failure.get().flatten().is_some()>
                <p class="fault" role="alert" data-testid="perfusion-failure">{move || failure.get().flatten()}</p>
            </Show>
        </div>
    }
}

#[component]
pub fn Tissue() -> impl IntoView {
    let ctx = Ctx::here();
    let sums = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let f = w.flow()?.findings.as_ref().filter(|f| !f.regions.is_empty())?;
            Some((f.core_ml, f.hypoperfused_ml, f.mismatch_ml, f.mismatch_ratio, f.intensity_ratio))
        })
    });
    let regions = of_findings(ctx, |f| f.regions.clone());
    let rules = of_desk(ctx, |d| {
        let r = &d.session.get().regions;
        (format!("CBF < {:.0} %", 100.0 * r.rcbf), format!("Tmax > {} s", r.tmax_s))
    });
    let shown = of_desk(ctx, |d| d.tissue_shown);
    view! {
        <Show when=move || sums.get().is_some()>
            <div class="tissue" data-testid="perfusion-tissue" data-core=move || sums.get().map(|s| s.0.to_string()) data-hypoperfused=move || sums.get().map(|s| s.1.to_string())>
                <div class="tissue-cell">
                    <span class="tissue-number">{move || sums.get().map(|s| format!("{:.1}", s.0))}</span>
                    <span class="quiet"><span class="swatch core" aria-hidden="true"></span>{move || format!("mL  {}", rules.get().unwrap_or_default().0)}</span>
                </div>
                <div class="tissue-cell">
                    <span class="tissue-number">{move || sums.get().map(|s| format!("{:.1}", s.1))}</span>
                    <span class="quiet"><span class="swatch penumbra" aria-hidden="true"></span>{move || format!("mL  {}", rules.get().unwrap_or_default().1)}</span>
                </div>
            </div>
            <dl class="facts">
                <div><dt>"Mismatch"</dt><dd>{move || sums.get().map(|s| match s.3 {
                    Some(ratio) => format!("{:.1} mL · ratio {ratio:.1}", s.2),
                    None => format!("{:.1} mL", s.2),
                })}</dd></div>
                {move || sums.get().and_then(|s| s.4).map(|hir| view! { <div><dt>"Intensity ratio"</dt><dd>{format!("{hir:.2}")}</dd></div> })}
            </dl>
            <label class="choice">
                <input
                    type="checkbox"
                    data-testid="perfusion-tissue-shown"
                    prop:checked=move || shown.get() == Some(true)
                    on:change=move |e| {
                        let on = event_target_checked(&e);
                        ctx.workspace.update(|w| if let Some(d) = w.flow_mut() { d.tissue_shown = on });
                    }
                />
                <span>"Show core and penumbra on the maps"</span>
            </label>
            <details class="more" data-testid="perfusion-regions">
                <summary>"All thresholds"</summary>
                <dl class="facts">
                    {move || regions.get().unwrap_or_default().into_iter().map(|r| view! { <div><dt>{r.name}</dt><dd>{format!("{:.1} mL", r.volume_ml)}</dd></div> }).collect_view()}
                </dl>
            </details>
            <p class="quiet">"Defaults of the literature, not validated for treatment decisions."</p>
        </Show>
    }
}

#[component]
pub fn Quality() -> impl IntoView {
    let ctx = Ctx::here();
    let checks = of_findings(ctx, |f| f.quality.clone());
    let failed = move || checks.get().map_or(0, |c| c.iter().filter(|c| !c.passed).count());
    view! {
        <Show when=move || checks.get().is_some_and(|c| !c.is_empty())>
            <details class="more" prop:open=move || { failed() > 0 } data-testid="perfusion-quality" data-failed=move || failed().to_string()>
                <summary>
                    {move || {
                        let all = checks.get().map_or(0, |c| c.len());
                        match failed() {
                            0 => format!("Quality: all {all} checks passed"),
                            n => format!("Quality: {n} of {all} checks failed"),
                        }
                    }}
                </summary>
                <ul class="plain-list checks">
                    {move || {
                        let mut list = checks.get().unwrap_or_default();
                        list.sort_by_key(|c| c.passed);
                        list.into_iter()
                            .map(|c| {
                                let glyph = if c.passed { Glyph::Check } else { Glyph::Warning };
                                let spoken = if c.passed { "passed: " } else { "failed: " };
                                view! {
                                    <li class:failed=!c.passed>
                                        <Icon glyph=glyph />
                                        <span><span class="visually-hidden">{spoken}</span>{c.name}<span class="quiet block">{c.value}</span></span>
                                    </li>
                                }
                            })
                            .collect_view()
                    }}
                </ul>
            </details>
        </Show>
    }
}

#[component]
pub fn Warnings() -> impl IntoView {
    let ctx = Ctx::here();
    let warnings = of_findings(ctx, |f| f.warnings.clone());
    let count = move || warnings.with(|w| w.as_ref().map_or(0, Vec::len));
    view! {
        <Show when=move || { count() > 0 }>
            <details class="more" data-testid="perfusion-warnings">
                <summary>{move || format!("Notes ({})", count())}</summary>
                <ul class="plain-list warnings">
                    {move || {
                        let list = warnings.get().unwrap_or_default();
                        list.into_iter().map(|w| view! { <li><Icon glyph=Glyph::Warning /><span>{w}</span></li> }).collect_view()
                    }}
                </ul>
            </details>
        </Show>
    }
}
