//! The self-check: every kernel of the registry, run here against its CPU twin.
//! A reader who doubts a number can look at the machine that made it.

use leptos::prelude::*;

use crate::ctx::{Ctx, Dialog};
use crate::ui::Modal;

#[component]
pub fn SelfCheckPage() -> impl IntoView {
    let ctx = Ctx::here();
    let rows = Memo::new(move |_| ctx.engine.with(|e| e.rows.clone()));
    let checking = Memo::new(move |_| ctx.engine.with(|e| e.checking));
    let summary = move || {
        rows.with(|rows| {
            let passed = rows.iter().filter(|r| r.passed).count();
            if checking.get() {
                format!("Running… {} cases so far", rows.len())
            } else if rows.is_empty() {
                "Not run yet.".to_owned()
            } else if rows.iter().all(|r| r.case == "not run") {
                "No GPU is used here: every kernel runs as its CPU twin.".to_owned()
            } else {
                format!("{passed} of {} cases agree with the CPU twin.", rows.len())
            }
        })
    };
    view! {
        <Modal which=Dialog::SelfCheck title="Self-check" testid="self-check" wide=true>
            <dl class="facts">
                {move || {
                    ctx.engine
                        .with(|e| e.backend.clone())
                        .map(|b| {
                            let software = if b.software { "yes: timings are not those of a GPU" } else { "no" };
                            view! {
                                <div><dt>"Drawn by"</dt><dd>{b.backend.name()}</dd></div>
                                <div><dt>"Adapter"</dt><dd>{b.adapter}</dd></div>
                                <div><dt>"Software adapter"</dt><dd>{software}</dd></div>
                                {b
                                    .passed_over
                                    .into_iter()
                                    .map(|why| view! { <div><dt>"Not used"</dt><dd>{why}</dd></div> })
                                    .collect_view()}
                            }
                        })
                }}
                <div><dt>"Version"</dt><dd>{env!("CARGO_PKG_VERSION")}</dd></div>
            </dl>
            <div class="row-between">
                <p aria-live="polite">{summary}</p>
                <button type="button" class="button" prop:disabled=move || checking.get() on:click=move |_| ctx.self_check()>
                    "Run again"
                </button>
            </div>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Results of the self-check">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Kernel"</th>
                            <th scope="col">"Case"</th>
                            <th scope="col">"Result"</th>
                            <th scope="col" class="number">"Difference"</th>
                            <th scope="col">"Allowed"</th>
                            <th scope="col" class="number">"GPU ms"</th>
                            <th scope="col" class="number">"CPU ms"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || {
                            rows.get()
                                .into_iter()
                                .map(|r| {
                                    let verdict = match (r.passed, r.case.as_str()) {
                                        (true, "not run") => "CPU twin used",
                                        (true, _) => "✓ agrees",
                                        (false, _) => "✗ differs",
                                    };
                                    view! {
                                        <tr class:failed=!r.passed data-testid="self-check-row" data-passed=r.passed.to_string()>
                                            <th scope="row">{r.kernel}</th>
                                            <td>{r.case}</td>
                                            <td>
                                                {verdict}
                                                {(!r.detail.is_empty()).then(|| view! { <span class="quiet block">{r.detail}</span> })}
                                            </td>
                                            <td class="number">{difference(r.max_difference)}</td>
                                            <td>{r.tolerance}</td>
                                            <td class="number">{format!("{:.2}", r.gpu_ms)}</td>
                                            <td class="number">{format!("{:.2}", r.cpu_ms)}</td>
                                        </tr>
                                    }
                                })
                                .collect_view()
                        }}
                    </tbody>
                </table>
            </div>
        </Modal>
    }
}

/// Grey levels and counts as they are, the rest in powers of ten.
fn difference(x: f64) -> String {
    if x == x.trunc() && x < 1e6 { format!("{x}") } else { format!("{x:.2e}") }
}
