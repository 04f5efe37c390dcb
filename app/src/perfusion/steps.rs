//! The way from frames to maps as a list: each step says how it came out, shows its picture, and holds its settings.

use contract::perfusion::{Method, Session, Source};
use leptos::prelude::*;
use protocol::perfusion::{Findings, Step};
use scene::Colormap;
use serde::de::DeserializeOwned;

use super::export::curve_of;
use super::fields::{ChoiceField, NumberField, YesField, choice, decide, word};
use super::findings::{of_desk, of_findings};
use super::plot::{Axis, Plot};
use crate::ctx::Ctx;
use crate::export::FileButton;
use crate::state::perfusion::{FlowDesk, Pick};
use crate::state::{Action, Tool};
use crate::ui::{ActionButton, Glyph, Icon};

/// Enters the choice of a word; one that is none leaves what was there.
fn put<T: DeserializeOwned>(field: &mut T, word: &str) {
    if let Some(made) = choice(word) {
        *field = made;
    }
}

fn automatic(s: &Session) -> String {
    match &s.aif {
        Source::Auto { by } => word(by),
        _ => String::new(),
    }
}

fn put_automatic(s: &mut Session, word: &str) {
    if let Some(by) = choice(word) {
        s.aif = Source::Auto { by };
    }
}

/// How a step came out, in a few words.
fn told(step: Step, desk: &FlowDesk, f: &Findings) -> String {
    match step {
        Step::Check => f.frames.first().map(|(_, value)| value.clone()).unwrap_or_default(),
        Step::Motion => match &f.motion {
            Some(m) => {
                let most = m.shift_mm.iter().copied().fold(0.0, f64::max);
                format!("up to {most:.1} mm, {}", if m.corrected { "corrected" } else { "left as it is" })
            }
            None => "not estimated".into(),
        },
        Step::Mask if f.smoothed_mm > 0.0 => {
            format!("{:.0} mL, smoothed by {} mm", f.masked_ml, f.smoothed_mm)
        }
        Step::Mask => format!("{:.0} mL", f.masked_ml),
        Step::Inputs => format!("peak {:.0} {} at {:.1} s", f.aif.peak, f.unit, f.aif.peak_at_s),
        Step::Method => method_name(desk.session.get().method).to_owned(),
        Step::Maps => String::new(),
    }
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Csvd => "Block-circulant SVD",
        Method::Osvd => "Oscillation-limited SVD",
        Method::Tikhonov => "Tikhonov",
        Method::LucyRichardson => "Lucy-Richardson",
        Method::Ssvd => "Standard SVD",
    }
}

#[component]
pub fn Steps() -> impl IntoView {
    let ctx = Ctx::here();
    let now = of_desk(ctx, |d| d.step);
    let busy = of_desk(ctx, |d| d.progress.map(|(step, _)| step));
    let texts = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let desk = w.flow()?;
            let findings = desk.findings.as_ref()?;
            Some(Step::ALL.map(|step| told(step, desk, findings)))
        })
    });
    let row = move |i: usize, step: Step| {
        let state = move || match (busy.get().flatten(), texts.get().is_some()) {
            (Some(at), _) if at == step => "busy",
            (Some(at), _) if at < step => "due",
            (_, true) => "done",
            _ => "due",
        };
        view! {
            <li class="step" class:open=move || now.get() == Some(step) data-state=state>
                <button
                    type="button"
                    class="step-head"
                    data-testid=format!("step-{}", step.slug())
                    aria-expanded=move || (now.get() == Some(step)).to_string()
                    on:click=move |_| ctx.go_to_step(step)
                >
                    <span class="step-mark">{move || if state() == "done" { view! { <Icon glyph=Glyph::Check /> }.into_any() } else { view! { {i + 1} }.into_any() }}</span>
                    <span class="step-name">{step.name()}</span>
                    <span class="quiet step-told">{move || texts.get().map(|t| t[i].clone())}</span>
                </button>
                <Show when=move || now.get() == Some(step)>
                    <div class="step-body">{body(step)}</div>
                </Show>
            </li>
        }
    };
    view! { <ol class="steps" aria-label="From frames to maps">{Step::ALL.into_iter().enumerate().map(|(i, s)| row(i, s)).collect_view()}</ol> }
}

fn body(step: Step) -> AnyView {
    match step {
        Step::Check => view! { <CheckStep /> }.into_any(),
        Step::Motion => view! { <MotionStep /> }.into_any(),
        Step::Mask => view! { <MaskStep /> }.into_any(),
        Step::Inputs => view! { <InputStep /> }.into_any(),
        Step::Method => view! { <MethodStep /> }.into_any(),
        Step::Maps => view! { <MapStep /> }.into_any(),
    }
}

#[component]
fn Redo() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <button
            type="button"
            class="button small"
            data-testid="perfusion-again"
            on:click=move |_| ctx.workspace.update(|w| if let Some(d) = w.flow_mut() { d.ask_again() })
        >
            "Compute again"
        </button>
    }
}

#[component]
fn CheckStep() -> impl IntoView {
    let ctx = Ctx::here();
    let frames = of_findings(ctx, |f| f.frames.clone());
    view! {
        <dl class="facts">
            {move || frames.get().unwrap_or_default().into_iter().map(|(n, v)| view! { <div><dt>{n}</dt><dd>{v}</dd></div> }).collect_view()}
        </dl>
        <ChoiceField
            label="Signal"
            testid="flow-signal"
            options=vec![("auto", "As the series says"), ("ct", "CT, Hounsfield units"), ("dsc", "DSC-MR"), ("concentration", "Concentration")]
            get=|s| word(&s.signal)
            set=|s, w| put(&mut s.signal, w)
        />
        <NumberField label="Echo time (ms)" testid="flow-te" placeholder="DSC only" get=|s| s.te_ms.first().copied() set=|s, v| s.te_ms = v.into_iter().collect() />
        <NumberField label="Time step (s)" testid="flow-dt" placeholder="as the files say" get=|s| s.dt_s set=|s, v| s.dt_s = v />
        <NumberField
            label="Frames before the bolus"
            testid="flow-baseline"
            placeholder="found"
            get=|s| s.baseline_frames.map(f64::from)
            set=|s, v| s.baseline_frames = v.filter(|v| *v >= 1.0).map(|v| v as u32)
        />
        <Redo />
    }
}

#[component]
fn MotionStep() -> impl IntoView {
    let ctx = Ctx::here();
    let motion = of_findings(ctx, |f| f.motion.clone());
    let plot = move || {
        let motion = motion.get().flatten()?;
        let frames: Vec<f64> = (0..motion.shift_mm.len()).map(|i| i as f64).collect();
        let area = Plot {
            left: 26.0,
            top: 6.0,
            width: 270.0,
            height: 70.0,
            times_s: [0.0, frames.len().max(2) as f64 - 1.0],
        };
        let axis = Axis::around([motion.shift_mm.as_slice(), motion.turn_deg.as_slice()].into_iter());
        let ticks = axis.ticks(2.0).into_iter().map(|v| view! {
            <text class="tick" x="20" y=area.y(v, axis) + 3.5 text-anchor="end">{super::plot::number(v)}</text>
        }).collect_view();
        Some(view! {
            <svg class="curves" width="100%" height="92" role="img" aria-label="Motion of each frame" data-testid="motion-plot">
                {ticks}
                <path class="curve aif" d=area.path(&frames, &motion.shift_mm, axis) />
                <path class="curve vof" d=area.path(&frames, &motion.turn_deg, axis) />
            </svg>
            <p class="quiet"><span class="swatch shift"></span>"shift in mm  "<span class="swatch turn"></span>"turn in degrees, frame by frame"</p>
        })
    };
    view! {
        {plot}
        <ChoiceField
            label="Motion"
            testid="flow-motion"
            options=vec![("estimate", "Estimate only"), ("in_plane", "Correct in the slices"), ("rigid", "Correct in 3D"), ("off", "Off")]
            get=|s| word(&s.motion)
            set=|s, w| put(&mut s.motion, w)
        />
        <Redo />
    }
}

#[component]
fn MaskStep() -> impl IntoView {
    view! {
        <ChoiceField
            label="Mask"
            testid="flow-mask"
            options=vec![("auto", "Brain without skull and air"), ("none", "Every voxel")]
            get=|s| word(&s.mask)
            set=|s, w| put(&mut s.mask, w)
        />
        <NumberField label="Smoothing, SD (mm)" testid="flow-smooth" placeholder="as the noise asks for" get=|s| s.smooth_mm set=|s, v| s.smooth_mm = v />
        <NumberField label="Keep edges above (HU)" testid="flow-bilateral" placeholder="off" get=|s| s.bilateral_hu set=|s, v| s.bilateral_hu = v />
        <Redo />
    }
}

fn glyph(pick: Pick) -> Glyph {
    match pick {
        Pick::Aif => Glyph::Artery,
        Pick::Vof => Glyph::Vein,
        Pick::Pin => Glyph::Pin,
    }
}

/// Where a curve comes from, in words.
fn source_text(source: &Source) -> String {
    match source {
        Source::Auto { .. } => "found".into(),
        Source::Point { voxel: [x, y, z], .. } => format!("picked at {x}, {y}, slice {}", z + 1),
        Source::Region { voxels } => format!("mean of {} voxels", voxels.len()),
        Source::Curve { times_s, .. } => format!("from a file, {} samples", times_s.len()),
        Source::None => "none".into(),
    }
}

#[component]
fn InputStep() -> impl IntoView {
    let ctx = Ctx::here();
    let sources = of_desk(ctx, |d| {
        let s = d.session.get();
        (source_text(&s.aif), source_text(&s.vof))
    });
    let radius = of_desk(ctx, |d| d.radius_mm);
    let pins = of_desk(ctx, |d| d.pins.len());
    let found = of_findings(ctx, |f| (f.aif.source.clone(), f.vof.as_ref().map(|v| v.source.clone())));
    let hint = move || {
        ctx.workspace.with(|w| match w.tool {
            Tool::Perfusion(pick) => pick.hint(),
            _ => "Take one of these to pick in the picture.",
        })
    };
    let region = Memo::new(move |_| ctx.workspace.with(|w| w.region_voxels().map(|v| v.len())));
    view! {
        <div class="hands" role="group" aria-label="Pick">
            {Pick::ALL
                .into_iter()
                .map(|pick| {
                    view! {
                        <ActionButton
                            glyph=glyph(pick)
                            label=pick.label()
                            action=Action::Tool(Tool::Perfusion(pick))
                            testid=format!("pick-{}", pick.slug())
                            pressed=leptos::prelude::Signal::derive(move || ctx.workspace.with(|w| w.tool == Tool::Perfusion(pick)))
                        />
                    }
                })
                .collect_view()}
            <span class="grow"></span>
            <button type="button" class="button small" prop:disabled=move || pins.get().is_none_or(|n| n == 0) on:click=move |_| ctx.workspace.update(|w| if let Some(d) = w.flow_mut() { d.pins.clear() })>
                "Unpin all"
            </button>
        </div>
        <p class="quiet hint">{hint}</p>
        <label class="row-between" for="flow-radius">
            <span>"Search radius"</span>
            <span class="threshold-value">{move || radius.get().map(|r| format!("{r} mm"))}</span>
        </label>
        <input
            id="flow-radius"
            class="wide-range"
            type="range"
            min="0"
            max="20"
            step="0.5"
            data-testid="flow-radius"
            prop:value=move || radius.get().unwrap_or(0.0).to_string()
            on:input=move |e| {
                if let Ok(mm) = event_target_value(&e).parse::<f64>() {
                    ctx.workspace.update(|w| if let Some(d) = w.flow_mut() { d.radius_mm = mm });
                }
            }
        />
        <dl class="facts">
            <div title=move || found.get().map(|f| f.0)><dt>"Artery"</dt><dd data-testid="aif-source">{move || sources.get().map(|s| s.0)}</dd></div>
            <div title=move || found.get().and_then(|f| f.1)><dt>"Vein"</dt><dd data-testid="vof-source">{move || sources.get().map(|s| s.1)}</dd></div>
        </dl>
        <div class="files">
            <button type="button" class="button small" data-testid="aif-auto" on:click=move |_| decide(ctx, |s| s.aif = Source::default())>"Find artery"</button>
            <button type="button" class="button small" data-testid="vof-auto" on:click=move |_| decide(ctx, |s| s.vof = Source::default())>"Find vein"</button>
            <button type="button" class="button small" data-testid="vof-none" on:click=move |_| decide(ctx, |s| s.vof = Source::None)>"No vein"</button>
            <button
                type="button"
                class="button small"
                data-testid="aif-region"
                title="The mean over the rectangle or ellipse that was drawn last"
                prop:disabled=move || region.get().is_none()
                on:click=move |_| {
                    if let Some(voxels) = ctx.workspace.with_untracked(|w| w.region_voxels()) {
                        decide(ctx, |s| s.aif = Source::Region { voxels });
                    }
                }
            >
                "From region"
            </button>
            <FileButton
                name="From CSV"
                testid="aif-file"
                input="aif-input"
                accept=".csv,text/csv"
                label="An arterial curve as CSV: seconds, value"
                take=move |file| {
                    leptos::task::spawn_local(async move {
                        match curve_of(&file).await {
                            Ok((times_s, values)) => decide(ctx, |s| s.aif = Source::Curve { times_s, values }),
                            Err(why) => ctx.notify(format!("The curve was not read: {why}. Use two columns: seconds, value.")),
                        }
                    });
                }
            />
        </div>
        <ChoiceField
            label="Automatic"
            testid="flow-auto"
            options=vec![("mouridsen", "Mouridsen 2006"), ("peruzzo", "Peruzzo 2011")]
            get=automatic
            set=put_automatic
        />
        <YesField label="Scale the artery to the vein (partial volume)" testid="flow-partial" get=|s| s.partial_volume set=|s, on| s.partial_volume = on />
        <YesField label="Use the gamma variate" testid="flow-gamma" get=|s| s.gamma_fit set=|s, on| s.gamma_fit = on />
        <Redo />
    }
}

#[component]
fn MethodStep() -> impl IntoView {
    let ctx = Ctx::here();
    let method = of_desk(ctx, |d| d.session.get().method);
    let is = move |m: Method| move || method.get() == Some(m);
    view! {
        <ChoiceField
            label="Method"
            testid="flow-method"
            options=Method::ALL.into_iter().map(|m| (m.name(), method_name(m))).collect()
            get=|s| s.method.name().to_owned()
            set=|s, w| put(&mut s.method, w)
        />
        <p class="quiet">{move || method.get().map(|m| if m.delay_insensitive() { "A late bolus leaves its flow as it is." } else { "A late bolus lowers its flow." })}</p>
        <Show when=move || is(Method::Csvd)() || is(Method::Ssvd)()>
            <NumberField label="Truncation" testid="flow-truncation" placeholder="0.10, standard 0.20" get=|s| s.truncation set=|s, v| s.truncation = v />
        </Show>
        <Show when=is(Method::Osvd)>
            <NumberField label="Oscillation limit" testid="flow-oscillation" get=|s| Some(s.oscillation) set=|s, v| s.oscillation = v.unwrap_or(s.oscillation) />
        </Show>
        <Show when=is(Method::Tikhonov)>
            <NumberField label="Regularisation" testid="flow-lambda" placeholder="L-curve" get=|s| s.lambda set=|s, v| s.lambda = v />
        </Show>
        <Show when=is(Method::LucyRichardson)>
            <NumberField label="Iterations" testid="flow-iterations" get=|s| Some(f64::from(s.iterations)) set=|s, v| s.iterations = v.map_or(s.iterations, |v| v.clamp(1.0, 1000.0) as u32) />
        </Show>
        <ChoiceField
            label="Matrix"
            testid="flow-matrix"
            options=vec![("riemann", "Riemann sum"), ("simpson", "Simpson-like (1996)")]
            get=|s| word(&s.matrix)
            set=|s, w| put(&mut s.matrix, w)
        />
        <ChoiceField
            label="TTP counts from"
            testid="flow-ttp"
            options=vec![("arrival", "Arrival in the artery"), ("start", "The first frame")]
            get=|s| word(&s.ttp_origin)
            set=|s, w| put(&mut s.ttp_origin, w)
        />
        <NumberField label="Hematocrit, large vessels" testid="flow-hct-large" get=|s| Some(s.hematocrit_large) set=|s, v| s.hematocrit_large = v.unwrap_or(s.hematocrit_large) />
        <NumberField label="Hematocrit, small vessels" testid="flow-hct-small" get=|s| Some(s.hematocrit_small) set=|s, v| s.hematocrit_small = v.unwrap_or(s.hematocrit_small) />
        <NumberField label="Tissue density (g/mL)" testid="flow-density" get=|s| Some(s.density) set=|s, v| s.density = v.unwrap_or(s.density) />
        <YesField label="Correct leakage (DSC)" testid="flow-leakage" get=|s| s.leakage_correction set=|s, on| s.leakage_correction = on />
        <Redo />
    }
}

#[component]
fn MapStep() -> impl IntoView {
    let ctx = Ctx::here();
    let colours = of_desk(ctx, |d| d.colormap);
    view! {
        <label class="field block-field">
            <span>"Colours"</span>
            <select
                data-testid="flow-colours"
                on:change=move |e| {
                    if let Some(map) = Colormap::parse(&event_target_value(&e)) {
                        ctx.workspace.update(|w| w.set_map_colours(map));
                    }
                }
            >
                {Colormap::ALL
                    .into_iter()
                    .map(|m| view! { <option value=m.name() prop:selected=move || colours.get() == Some(m)>{m.name()}</option> })
                    .collect_view()}
            </select>
        </label>
        <div class="files">
            <button type="button" class="button small" data-testid="flow-ranges" on:click=move |_| ctx.workspace.update(|w| w.usual_ranges())>"Usual ranges"</button>
        </div>
        <p class="quiet">"Type other ends into a bar, or drag with the window tool."</p>
        <NumberField label="Hypoperfused: Tmax above (s)" testid="flow-tmax" get=|s| Some(s.regions.tmax_s) set=|s, v| s.regions.tmax_s = v.unwrap_or(s.regions.tmax_s) />
        <NumberField label="Core: CBF below (%)" testid="flow-rcbf" get=|s| Some(100.0 * s.regions.rcbf) set=|s, v| s.regions.rcbf = v.map_or(s.regions.rcbf, |v| v / 100.0) />
        <YesField label="Core only where Tmax is late" testid="flow-within" get=|s| s.regions.core_within_tmax set=|s, on| s.regions.core_within_tmax = on />
    }
}
