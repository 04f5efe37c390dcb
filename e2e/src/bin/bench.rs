//! Times a 512 × 512 × 300 CT from the drop to the last slice in the real page, scores and cines; prints one JSON object.
//!
//! The clock is the page's own, started by the drop event, and stopped by what the engine says it has drawn:
//! nothing of the driver's latency is in it. Figures only; the tests hold the limits that must not be missed.

use std::process::ExitCode;
use std::time::Duration;

use e2e::{Bench, Error, Options, study};
use serde_json::{Value, json};

const RUNS: usize = 3;

fn first(events: &[Value], after_ms: f64, accept: impl Fn(&Value) -> bool) -> Option<f64> {
    events.iter().filter(|e| accept(e)).filter_map(|e| e["at"].as_f64()).find(|at| *at >= after_ms)
}

fn run(b: &Bench, paths: &[std::path::PathBuf], query: &str) -> Result<Value, Error> {
    let backend = b.open_ready(query)?;
    let paint = b.driver().run("return window.__e2e.paints['first-contentful-paint']", &[])?;
    let start_up = b.long_tasks_ms()?;
    b.drop_files(paths)?;
    b.loaded()?;
    let dropped = b.driver().run("return window.__e2e.dropped", &[])?.as_f64().unwrap_or(f64::NAN);
    let (drawn, loaded) = (b.events("drawn")?, b.events("loaded")?);
    let begun = first(&loaded, dropped, |e| e["done"].as_f64() > Some(0.0)).unwrap_or(f64::NAN);
    let ended = first(&loaded, dropped, |e| e["done"] == e["total"]).unwrap_or(f64::NAN);
    let image = first(&drawn, begun, |_| true).unwrap_or(f64::NAN);
    let preview = first(&b.events("preview")?, dropped, |_| true).unwrap_or(f64::NAN);
    let longest = |tasks: &[(f64, f64)]| tasks.iter().map(|t| t.1).fold(0.0, f64::max);
    let tasks: Vec<_> = b.long_tasks_ms()?.into_iter().filter(|t| t.0 >= dropped).collect();
    let mut memory = b.devtools()?;
    let memory = memory.wasm_bytes()?;
    let of = |kind: &str| memory.iter().filter(|m| m.0 == kind).map(|m| m.1).sum::<u64>();
    b.expect_calm()?;
    let adapter =
        b.driver().run("return document.querySelector('.badge-adapter')?.textContent ?? ''", &[])?;
    Ok(json!({
        "query": query,
        "backend": backend,
        "adapter": adapter,
        "first_paint_ms": paint,
        "start_up_longest_task_ms": longest(&start_up),
        "preview_ms": preview - dropped,
        "first_image_ms": image - dropped,
        "all_slices_ms": ended - dropped,
        "ui_tasks_over_50_ms": tasks.len(),
        "ui_longest_task_ms": longest(&tasks),
        "engine_wasm_bytes": of("worker"),
        "page_wasm_bytes": of("page"),
    }))
}

/// Milliseconds of scoring as the page tells them: `... in 41 ms`.
fn computed_ms(b: &Bench) -> Result<f64, Error> {
    let text = b.text("calcium-computed")?;
    let number = text.rsplit(" in ").next().and_then(|t| t.strip_suffix(" ms")).and_then(|t| t.parse().ok());
    number.ok_or(Error::Answer(format!("`{text}` tells no time")))
}

/// A full calcium score of 512³ with 1 % candidates, and the steps of a slider.
fn calcium(query: &str) -> Result<Value, Error> {
    let b = Bench::start(Options { proxy: false, ..Options::default() })?;
    let paths = b.write_series(&study::calcium_ct())?;
    let backend = b.open_ready(query)?;
    b.drop_files(&paths)?;
    b.wait_for(
        "every slice",
        Duration::from_secs(120),
        "(() => { const l = window.__e2e.events.filter(x => x.type === 'loaded').at(-1); return l && l.done === l.total; })()",
    )?;
    if !b.visible("calcium-panel")? {
        b.click("calcium-open")?;
    }
    b.wait_for("a score", Duration::from_secs(120), "document.querySelector('[data-testid=calcium-total]')")?;
    let full_ms = computed_ms(&b)?;
    let mut steps_ms = Vec::new();
    for hu in [131, 135, 140, 150, 160, 170, 180, 190, 200] {
        let set = "const e = document.querySelector('[data-testid=calcium-threshold]'); e.value = arguments[0]; \
                   e.dispatchEvent(new Event('input', { bubbles: true }))";
        b.driver().run(set, &[json!(hu)])?;
        // The answer to this step and no other.
        let asked = format!("window.__e2e.calcium.at(-1)?.threshold_hu === {hu}");
        b.wait_for("the step's score", Duration::from_secs(60), &asked)?;
        let ms = b.driver().run("return window.__e2e.calcium.at(-1).ms", &[])?;
        steps_ms.extend(ms.as_f64());
    }
    steps_ms.sort_by(f64::total_cmp);
    Ok(json!({
        "backend": backend,
        "computed": b.text("calcium-computed")?,
        "full_ms": full_ms,
        "rescore_median_ms": steps_ms.get(steps_ms.len() / 2),
        "rescore_worst_ms": steps_ms.last(),
    }))
}

/// Pictures per second while the perfusion sample plays through time at 60 a second, with its frames in so many of the
/// four panels (the others show maps); two rounds of warming up, then four seconds.
fn cine(query: &str, webgpu: bool, panels: usize) -> Result<Value, Error> {
    let b = Bench::start(Options { proxy: false, webgpu, ..Options::default() })?;
    let backend = b.open_ready(query)?;
    b.click("sample-perfusion")?;
    b.wait_for(
        "the maps",
        Duration::from_secs(120),
        "(h => h && h.dataset.answers === '1' && h.dataset.computing === 'false')(document.querySelector('[data-testid=perfusion-headline]'))",
    )?;
    if webgpu {
        // The kernels are checked once after the start, which on a software adapter takes seconds from the pictures.
        b.wait_for(
            "the self-check",
            Duration::from_secs(120),
            "window.__e2e.events.some(e => e.type === 'self_check' && e.done)",
        )?;
    }
    let change = "const e = document.querySelectorAll(arguments[0])[arguments[1]]; e.value = arguments[2]; \
                  e.dispatchEvent(new Event('change', { bubbles: true }))";
    for panel in 0..panels {
        b.driver().run(change, &[json!("[data-testid=slot]"), json!(panel), json!("frames")])?;
        b.settle()?;
    }
    b.driver().run(change, &[json!(".scrubber .fps input"), json!(0), json!("60")])?;
    b.click("flow-play")?;
    std::thread::sleep(Duration::from_secs(2));
    let from = b.driver().run("return performance.now()", &[])?.as_f64().unwrap_or_default();
    std::thread::sleep(Duration::from_secs(4));
    let drawn: Vec<f64> =
        b.events("drawn")?.iter().filter_map(|e| e["at"].as_f64()).filter(|at| *at >= from).collect();
    b.click("flow-play")?;
    b.expect_calm()?;
    let span_ms = drawn.last().unwrap_or(&from) - drawn.first().unwrap_or(&from);
    let per_second = 1000.0 * (drawn.len().saturating_sub(1)) as f64 / span_ms.max(1.0);
    Ok(json!({ "backend": backend, "panels_with_frames": panels, "pictures_per_second": per_second }))
}

fn cines() -> Vec<Value> {
    let mut out = Vec::new();
    for (query, webgpu) in [("?backend=webgpu", true), ("?backend=cpu", false)] {
        for panels in [1, 4] {
            let figures = cine(query, webgpu, panels);
            out.push(figures.unwrap_or_else(|e| json!({ "backend": query, "failed": e.to_string() })));
        }
    }
    out
}

fn measure() -> Result<Value, Error> {
    let spec = study::large_ct();
    let volume_bytes: u64 = spec.dims.iter().map(|n| u64::from(*n)).product::<u64>() * 2;
    let mut figures = Vec::new();
    for query in ["", "?backend=webgpu", "?backend=webgl2", "?backend=cpu"] {
        // Through no proxy: it would be a third process on two cores.
        let b = Bench::start(Options { proxy: false, ..Options::default() })?;
        let paths = b.write_series(&spec)?;
        for _ in 0..RUNS {
            // What the run before left to the garbage collector is not this run's.
            b.driver().go("about:blank")?;
            std::thread::sleep(Duration::from_millis(500));
            match run(&b, &paths, query) {
                Ok(value) => figures.push(value),
                Err(error) => figures.push(json!({ "query": query, "failed": error.to_string() })),
            }
        }
    }
    let calcium: Vec<Value> = ["?backend=cpu", "?backend=webgpu"]
        .into_iter()
        .map(|query| calcium(query).unwrap_or_else(|e| json!({ "backend": query, "failed": e.to_string() })))
        .collect();
    Ok(json!({
        "dims": spec.dims,
        "volume_bytes": volume_bytes,
        "wasm_limit_bytes": volume_bytes * 3 / 2 + 100_000_000,
        "runs": figures,
        "calcium_512_cubed_1_percent": calcium,
        "cine_over_time_60_asked": cines(),
    }))
}

fn main() -> ExitCode {
    // `bench cine`: that alone.
    let measured = match std::env::args().nth(1).as_deref() {
        Some("cine") => Ok(json!(cines())),
        _ => measure(),
    };
    match measured {
        Ok(value) => {
            println!("{value:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
