//! The ledger: every file that was received, and what became of it, with the warnings of each series.

use leptos::prelude::*;
use protocol::LedgerLine;

use crate::ctx::{Ctx, Dialog};
use crate::state::library;
use crate::ui::Modal;

/// More rows than anyone reads would hold up the page; the sums above them stay complete.
const MOST_ROWS: usize = 500;

#[component]
pub fn LedgerDialog() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <Modal which=Dialog::Ledger title="What became of every file" testid="ledger-dialog" wide=true>
            {move || {
                ctx.library.with(|l| {
                    let ledger = &l.catalog.ledger;
                    let (shown, refused) = (ledger.shown.len(), ledger.refused.len());
                    let sum = format!(
                        "{} received = {} used in pictures + {shown} listed + {refused} refused",
                        ledger.received, ledger.used
                    );
                    let fault = (!library::balanced(ledger)).then(|| {
                        view! { <p class="fault">"The sum does not add up. This is a fault of Isocenter; please report it."</p> }
                    });
                    let warnings: Vec<(String, Vec<String>)> = std::iter::once(("All files".to_owned(), l.catalog.warnings.clone()))
                        .chain(l.series().map(|s| {
                            let name = if s.description.is_empty() { s.modality.clone() } else { s.description.clone() };
                            (name, s.warnings.clone())
                        }))
                        .filter(|(_, w)| !w.is_empty())
                        .collect();
                    view! {
                        <p class="sum">{sum}</p>
                        {fault}
                        {lines("Refused", &ledger.refused)}
                        {lines("Listed, not part of a picture", &ledger.shown)}
                        {(!warnings.is_empty())
                            .then(|| {
                                view! {
                                    <h3>"Warnings"</h3>
                                    {warnings
                                        .into_iter()
                                        .map(|(name, list)| {
                                            view! {
                                                <h4>{name}</h4>
                                                <ul class="plain-list">
                                                    {list.into_iter().map(|w| view! { <li data-testid="warning">{w}</li> }).collect_view()}
                                                </ul>
                                            }
                                        })
                                        .collect_view()}
                                }
                            })}
                    }
                })
            }}
        </Modal>
    }
}

fn lines(title: &'static str, list: &[LedgerLine]) -> impl IntoView + use<> {
    let more = list.len().saturating_sub(MOST_ROWS);
    let rows: Vec<LedgerLine> = list.iter().take(MOST_ROWS).cloned().collect();
    (!rows.is_empty()).then(|| {
        view! {
            <h3>{title} " (" {list.len()} ")"</h3>
            <ul class="plain-list">
                {rows
                    .into_iter()
                    .map(|l| {
                        view! {
                            <li data-testid="ledger-line">
                                <span class="file">{l.file}</span>
                                <span class="quiet block">{l.reason}</span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            {(more > 0).then(|| view! { <p class="quiet">"and " {more} " more"</p> })}
        }
    })
}
