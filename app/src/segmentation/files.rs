//! Label maps out and in: DICOM Segmentation, NIfTI, a table of volumes, a picture.

use leptos::prelude::*;
use protocol::Command;
use protocol::segmentation::{Ask, Format};

use crate::ctx::Ctx;
use crate::export::{FileButton, PictureButton};

#[component]
pub fn Export() -> impl IntoView {
    let ctx = Ctx::here();
    let button = move |name: &'static str, testid: &'static str, title: &'static str, format: Format| {
        view! {
            <button
                type="button"
                class="button small"
                data-testid=testid
                title=title
                on:click=move |_| ctx.ask_active_labels(Ask::Export { query: 0, format })
            >
                {name}
            </button>
        }
    };
    view! {
        <div class="files" role="group" aria-label="Keep the labels">
            {button("SEG", "labels-seg", "DICOM Segmentation, one bit per voxel and label", Format::SegBinary)}
            {button("Label map", "labels-labelmap", "DICOM Label Map Segmentation", Format::SegLabelMap)}
            {button("NIfTI", "labels-nifti", "NIfTI label map", Format::Nifti)}
            {button("CSV", "labels-csv", "Volumes and statistics", Format::Csv)}
            <PictureButton testid="labels-png" />
            <OpenLabels />
        </div>
        <p class="quiet">"Research use only. Every file says so."</p>
    }
}

/// A button that reads a label map for the active series.
#[component]
pub fn OpenLabels() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <FileButton
            name="Open labels"
            testid="labels-open"
            input="labels-input"
            accept=".dcm,.nii,.gz,application/dicom"
            label="A DICOM Segmentation or a NIfTI label map"
            take=move |file| open(ctx, &file)
        />
    }
}

fn open(ctx: Ctx, file: &web_sys::File) {
    let Some(series) = ctx.workspace.with_untracked(|w| w.active_panel().map(|p| p.series)) else { return };
    let command = Command::Segmentation { series, ask: Ask::Open { name: file.name() } };
    ctx.link.with_value(|link| {
        if let Some(link) = link {
            link.send_files(&command, &js_sys::Array::of1(file));
        }
    });
}
