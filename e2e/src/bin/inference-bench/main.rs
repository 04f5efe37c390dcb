//! Inference in the browser against onnxruntime-web: one page, one run, turn by turn; prints one JSON object.
//!
//! `cargo run --release -p e2e --bin inference-bench [--docs] [NAME]`: with `--docs` the figures become
//! docs/inference-speed.md, with a name only the cases whose name holds it run. Ratios count, not milliseconds: the
//! GPU is SwiftShader and the machine is shared.

mod document;
mod files;
mod parts;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use e2e::{Driver, Error, workspace};
use serde_json::{Value, json};

/// A model at a shape, and what the ratio of the medians should be at most.
struct Case {
    name: &'static str,
    file: &'static str,
    dims: &'static [usize],
    place: &'static str,
    aim: Option<f64>,
}

const fn case(
    name: &'static str,
    file: &'static str,
    dims: &'static [usize],
    place: &'static str,
    aim: Option<f64>,
) -> Case {
    Case { name, file, dims, place, aim }
}

const PHOTO: &[usize] = &[1, 3, 224, 224];
const CUBE: &[usize] = &[1, 1, 32, 32, 32];

/// In the order in which they run: quick ones first.
const CASES: [Case; 13] = [
    case("EfficientNet-Lite0", "efficientnet-lite0.onnx", PHOTO, "wasm", Some(1.5)),
    case("U-Net 2D", "synthetic/unet2d_bn.onnx", &[1, 1, 128, 128], "wasm", Some(1.5)),
    case("ViT", "synthetic/vit_tiny_d2_ln17.onnx", PHOTO, "wasm", Some(1.5)),
    case("MeshNet, 5 channels", "meshnet-model5_gw_ae.onnx", CUBE, "wasm", Some(1.5)),
    case("U-Net 3D", "synthetic/unet3d_in.onnx", CUBE, "wasm", Some(1.5)),
    case("MeshNet, 5 channels", "meshnet-model5_gw_ae.onnx", CUBE, "webgpu", Some(0.4)),
    case("EfficientNet-Lite0", "efficientnet-lite0.onnx", PHOTO, "webgpu", Some(0.5)),
    case("U-Net 2D", "synthetic/unet2d_bn.onnx", &[1, 1, 128, 128], "webgpu", Some(0.6)),
    case("ViT", "synthetic/vit_tiny_d2_ln17.onnx", PHOTO, "webgpu", Some(0.6)),
    case("U-Net 3D", "synthetic/unet3d_in.onnx", CUBE, "webgpu", None),
    case("deepbet", "deepbet-bbox.onnx", CUBE, "webgpu", None),
    case("EfficientNet-Lite0, fp16", "efficientnet-lite0_fp16.onnx", PHOTO, "webgpu", None),
    case("EfficientNet-Lite0, int8 weights", "efficientnet-lite0_quant.onnx", PHOTO, "webgpu", None),
];

/// Turns of each model; small ones take more by themselves.
const RUNS: usize = 5;
/// What a case may take: onnxruntime-web needs ten seconds for an answer here.
const PATIENCE: Duration = Duration::from_secs(420);

/// Software WebGPU in a headless browser, the same for both engines.
const FLAGS: [&str; 4] = [
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
    "--use-angle=swiftshader",
];

fn median(values: &Value) -> Option<f64> {
    let mut list: Vec<f64> = values.as_array()?.iter().filter_map(Value::as_f64).collect();
    list.sort_by(f64::total_cmp);
    list.get(list.len() / 2).copied()
}

fn compare(case: &Case, port: u16) -> Result<Value, Error> {
    // A browser of its own: nothing that another case compiled is left.
    let driver = Driver::start((800, 600), None, &FLAGS)?;
    driver.go(&format!("http://127.0.0.1:{port}/"))?;
    let begun = Instant::now();
    let spec = json!({ "url": format!("/models/{}", case.file), "dims": case.dims, "place": case.place, "runs": RUNS });
    loop {
        // The module of the page may still be on its way.
        match driver.run("return window.bench ? window.bench.state : 'loading'", &[])?.as_str() {
            Some("ready") => {
                drop(driver.run("window.bench.start(arguments[0])", std::slice::from_ref(&spec))?)
            }
            Some("done") => return driver.run("return window.bench.report", &[]),
            _ if begun.elapsed() > PATIENCE => {
                let page = driver.console()?.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
                return Err(Error::Timeout { what: case.name.to_owned(), after: PATIENCE, page });
            }
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn figures(case: &Case, mut report: Value) -> Value {
    for engine in ["ours", "theirs"] {
        let own = &mut report[engine];
        own["median_ms"] = json!(median(&own["runs_ms"]));
        let whole = own["create_ms"].as_f64().zip(own["first_ms"].as_f64()).map(|(a, b)| a + b);
        own["first_answer_ms"] = json!(whole);
    }
    let ratio = |what: &str| {
        let of = |engine: &str| report[engine][what].as_f64();
        of("ours").zip(of("theirs")).map(|(ours, theirs)| ours / theirs)
    };
    let (ratio, first) = (ratio("median_ms"), ratio("first_answer_ms"));
    report["name"] = json!(case.name);
    report["place"] = json!(case.place);
    report["dims"] = json!(case.dims);
    report["aim"] = json!(case.aim);
    report["ratio"] = json!(ratio);
    report["first_answer_ratio"] = json!(first);
    report
}

fn measure(only: Option<&str>) -> Result<Value, Error> {
    let models = testbed::reference("data/models").ok_or_else(|| Error::Missing {
        what: "the reference models".into(),
        hint: "name the folder of the reference data in ISOCENTER_SHARED",
    })?;
    let (ours, theirs) = (parts::ours()?, parts::theirs()?);
    let size = |folder: &std::path::Path, name: &str| parts::size(&folder.join(name));
    let modules = json!({
        "ours_bytes": size(&ours, "web_bench_bg.wasm"),
        "theirs_webgpu_bytes": size(&theirs, "ort-wasm-simd-threaded.asyncify.wasm"),
        "theirs_wasm_bytes": size(&theirs, "ort-wasm-simd-threaded.wasm"),
    });
    let folders = vec![("/ours/", ours), ("/ort/", theirs), ("/models/", models), ("/", parts::page())];
    let port = files::serve(folders)?;
    let mut cases = Vec::new();
    for case in CASES.iter().filter(|c| only.is_none_or(|only| c.name.contains(only) || c.place == only)) {
        let report = compare(case, port).unwrap_or_else(|error| json!({ "failed": error.to_string() }));
        let report = figures(case, report);
        eprintln!("{}", document::line(&report));
        cases.push(report);
    }
    Ok(json!({
        "against": "onnxruntime-web 1.30.0",
        "adapter": cases.iter().find_map(|c| c["adapter"].as_str().filter(|a| !a.is_empty())),
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "modules": modules,
        "cases": cases,
    }))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().find(|a| !a.starts_with("--"));
    let done = measure(only.map(String::as_str)).and_then(|report| {
        let folder = workspace().join("target/bench");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("inference.json"), format!("{report:#}\n"))?;
        if arguments.iter().any(|a| a == "--docs") {
            std::fs::write(workspace().join("docs/inference-speed.md"), document::page(&report))?;
        }
        println!("{report:#}");
        Ok(())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
