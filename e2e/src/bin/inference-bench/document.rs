//! docs/inference-speed.md from the figures of one run.
//!
//! Written by the program that measured, so that no figure is typed.

use serde_json::Value;

fn ms(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |v| if v < 100.0 { format!("{v:.1}") } else { format!("{v:.0}") })
}

fn ratio(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"))
}

/// One case for the terminal.
pub fn line(case: &Value) -> String {
    if let Some(failed) = case["failed"].as_str() {
        return format!("{} on {}: {failed}", case["name"], case["place"]);
    }
    let side = |engine: &str| match case[engine]["refused"].as_str() {
        Some(refused) => format!("refused: {refused}"),
        None => {
            format!("{} ms, first {}", ms(&case[engine]["median_ms"]), ms(&case[engine]["first_answer_ms"]))
        }
    };
    format!(
        "{} on {}: {} | {} | ratio {} (aim {}), first {}, difference {}, {}",
        case["name"].as_str().unwrap_or_default(),
        case["place"].as_str().unwrap_or_default(),
        side("ours"),
        side("theirs"),
        ratio(&case["ratio"]),
        ratio(&case["aim"]),
        ratio(&case["first_answer_ratio"]),
        case["largest_difference"],
        case["ours"]["parts_ms"],
    )
}

/// The whole page.
pub fn page(report: &Value) -> String {
    let empty = Vec::new();
    let cases = report["cases"].as_array().unwrap_or(&empty);
    let mut text = format!(
        "# Speed of inference in the browser\n\n\
         Written by `cargo run --release -p e2e --bin inference-bench -- --docs`; do not edit. Both engines in one page \
         and one run, turn by turn, medians; {} cores, {}. WebGPU is {}: ratios count, milliseconds do not. A ratio is \
         ours / theirs. The first answer is reading the model, building pipelines and one run, with the engine compiled \
         and the device there.\n\n\
         Modules before compression: ours {} bytes, theirs {} (WebGPU) and {} (CPU).\n\n",
        report["cores"],
        report["against"].as_str().unwrap_or_default(),
        report["adapter"].as_str().unwrap_or("absent"),
        report["modules"]["ours_bytes"],
        report["modules"]["theirs_webgpu_bytes"],
        report["modules"]["theirs_wasm_bytes"],
    );
    for (place, title) in [("webgpu", "WebGPU"), ("wasm", "CPU, WebAssembly, one thread")] {
        text += &format!(
            "## {title}\n\n| model | ours, ms | theirs, ms | ratio | aim | first answer, ours, ms | theirs, ms | ratio \
             | largest difference |\n|---|---|---|---|---|---|---|---|---|\n"
        );
        for case in cases.iter().filter(|c| c["place"] == place) {
            let (ours, theirs) = (&case["ours"], &case["theirs"]);
            let difference =
                case["largest_difference"].as_f64().map_or("-".to_owned(), |d| format!("{d:.1e}"));
            text += &format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {difference} |\n",
                case["name"].as_str().unwrap_or_default(),
                ms(&ours["median_ms"]),
                ms(&theirs["median_ms"]),
                ratio(&case["ratio"]),
                ratio(&case["aim"]),
                ms(&ours["first_answer_ms"]),
                ms(&theirs["first_answer_ms"]),
                ratio(&case["first_answer_ratio"]),
            );
        }
        text += "\n";
    }
    let refusals: Vec<String> = cases
        .iter()
        .filter_map(|c| {
            let why = c["theirs"]["refused"].as_str()?;
            Some(format!("- {} on {}: `{why}`\n", c["name"].as_str()?, c["place"].as_str()?))
        })
        .collect();
    if !refusals.is_empty() {
        text += "## What onnxruntime-web does not run here\n\n";
        text += &refusals.concat();
    }
    text
}
