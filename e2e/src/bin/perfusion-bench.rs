//! Times perfusion maps of 512 × 512 × 16 × 60 in the real page: all of them, and from a click on an artery to the slice
//! on the screen and to all slices; prints one JSON object.
//!
//! `cargo run --release -p e2e --bin perfusion-bench`: the clocks are the worker's own, as the page shows them, and the
//! page's from the press to the picture. Figures only, and those of SwiftShader say nothing about a GPU: the CPU is what
//! this is for.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use e2e::{Bench, Error, Options};
use phantom::perfusion as head;
use serde_json::{Value, json};

const SIDE: i32 = 512;
const SLICES: i32 = 16;
const FRAMES: i32 = 60;
const PIXEL_MM: f32 = 0.43;
const SLICE_MM: f32 = 5.0;

/// An ellipse of grey matter with an artery in its middle and a vein behind, in air, with noise of about 5 HU.
fn write(path: &PathBuf) -> Result<(), std::io::Error> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    // NIfTI-1: 348 bytes of header and 4 without extensions.
    let mut header = vec![0u8; 352];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes());
    for (i, n) in [4, SIDE, SIDE, SLICES, FRAMES, 1, 1, 1].into_iter().enumerate() {
        put(40 + 2 * i, &(n as i16).to_le_bytes());
    }
    // int16 of 16 bits; pixdim; where voxels begin; slope; millimetres and seconds.
    put(70, &4i16.to_le_bytes());
    put(72, &16i16.to_le_bytes());
    for (i, mm) in [1.0, PIXEL_MM, PIXEL_MM, SLICE_MM, 1.0].into_iter().enumerate() {
        put(76 + 4 * i, &mm.to_le_bytes());
    }
    put(108, &352f32.to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[10]);
    // sform: rows of the affine.
    put(254, &1i16.to_le_bytes());
    for (row, mm) in [PIXEL_MM, PIXEL_MM, SLICE_MM].into_iter().enumerate() {
        put(280 + 16 * row + 4 * row, &mm.to_le_bytes());
    }
    put(344, b"n+1\0");
    out.write_all(&header)?;
    let mut state = 1u32;
    for frame in 0..FRAMES {
        let t_s = f64::from(frame);
        let grey = &head::REGIONS[4];
        let [tissue, artery, vein] = [grey.enhancement_hu(t_s), head::aif_hu(t_s), head::vof_hu(t_s)]
            .map(|hu| (40.0 + hu).round() as i16);
        for i in 0..SIDE * SIDE * SLICES {
            let (x, y) = (f64::from(i % SIDE) - 255.5, f64::from(i / SIDE % SIDE) - 255.5);
            let at = |cx: f64, cy: f64| (x - cx).hypot(y - cy) < 8.0;
            let r = (x / 190.0).hypot(y / 230.0);
            // Four dice for a normal distribution.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let dice: i16 = (0..4).map(|k| (state >> (8 + 5 * k) & 31) as i16).sum::<i16>() - 62;
            let hu = match () {
                () if r > 1.05 => -1000,
                () if r > 1.0 => 1100,
                () if at(0.0, 0.0) => artery + dice / 4,
                () if at(0.0, 200.0) => vein + dice / 4,
                () => tissue + dice / 4,
            };
            out.write_all(&hu.to_le_bytes())?;
        }
    }
    out.flush()
}

fn answered(b: &Bench, answers: u32) -> Result<(), Error> {
    let headline = Bench::id("perfusion-headline");
    let done = format!(
        "(h => h && h.dataset.answers === '{answers}' && h.dataset.computing === 'false')(document.querySelector('{headline}'))"
    );
    b.wait_for(&format!("answer {answers}"), Duration::from_secs(600), &done).map(drop)
}

/// What the page says of its last answer, and each stage.
fn told(b: &Bench) -> Result<Value, Error> {
    let read = format!(
        "const e = document.querySelector('{}'); return [e.textContent.trim(), e.title]",
        Bench::id("perfusion-computed")
    );
    let told = b.driver().run(&read, &[])?;
    let stages: Vec<&str> = told[1].as_str().unwrap_or_default().lines().collect();
    Ok(json!({ "computed": told[0], "stages": stages }))
}

fn choose(b: &Bench, test_id: &str, value: &str) -> Result<(), Error> {
    let change = "const e = document.querySelector(arguments[0]); e.value = arguments[1]; \
                  e.dispatchEvent(new Event('change', { bubbles: true }))";
    b.driver().run(change, &[Bench::id(test_id).into(), json!(value)]).map(drop)
}

fn run(query: &str, webgpu: bool) -> Result<Value, Error> {
    let b = Bench::start(Options { proxy: false, webgpu, ..Options::default() })?;
    let path = b.folder().join("dynamic.nii");
    write(&path)?;
    let backend = b.open_ready(query)?;
    b.drop_files(&[path])?;
    let all = "(e => { const l = e.filter(x => x.type === 'loaded').at(-1); return l && l.done === l.total; })(window.__e2e.events)";
    b.wait_for("every slice", Duration::from_secs(300), all)?;
    b.settle()?;
    // NIfTI names no modality, so nothing is computed unasked.
    b.click("perfusion-open")?;
    answered(&b, 1)?;
    let first = told(&b)?;
    // A click on the artery, which is in the middle of the picture.
    b.click("step-inputs")?;
    b.settle()?;
    let listen = "addEventListener('pointerup', () => { window.__pressed = performance.now(); }, true)";
    b.driver().run(listen, &[])?;
    b.click_at(b.rect("panel-tmip")?.at(0.5, 0.5))?;
    answered(&b, 2)?;
    let pressed = b.driver().run("return window.__pressed", &[])?.as_f64().unwrap_or(f64::NAN);
    let since = |kind: &str, after: f64| -> Result<f64, Error> {
        let events = b.events(kind)?;
        let at = events.iter().filter_map(|e| e["at"].as_f64()).find(|at| *at >= after);
        at.ok_or_else(|| Error::Answer(format!("no `{kind}` came after the press")))
    };
    let preview = since("perfusion_preview", pressed)?;
    let click = json!({
        "source": b.text("aif-source")?,
        "slice_ready_ms": preview - pressed,
        "slice_drawn_ms": since("drawn", preview)? - pressed,
        "all_slices_ms": since("perfusion", pressed)? - pressed,
        "told": told(&b)?,
    });
    b.click("step-method")?;
    choose(&b, "flow-method", "lucy-richardson")?;
    answered(&b, 3)?;
    let method = told(&b)?;
    let mut devtools = b.devtools()?;
    let worker = devtools.wasm_bytes()?.iter().filter(|m| m.0 == "worker").map(|m| m.1).sum::<u64>();
    b.expect_calm()?;
    Ok(json!({
        "backend": backend, "first_maps": first, "artery_clicked": click, "lucy_richardson": method,
        "engine_wasm_bytes": worker,
    }))
}

fn main() -> ExitCode {
    // `perfusion-bench webgpu`: that; else the CPU.
    let webgpu = std::env::args().nth(1).as_deref() == Some("webgpu");
    let figures = run(if webgpu { "?backend=webgpu" } else { "?backend=cpu" }, webgpu);
    match figures {
        Ok(figures) => {
            println!("{:#}", json!({ "dims": [SIDE, SIDE, SLICES], "frames": FRAMES, "run": figures }));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
