//! Which crate may know which.
//!
//! The table is the plan of the house; `cargo metadata` and `cargo tree` say what was built.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::shell;

/// Direct dependencies on other crates of the house. A crate that is not here may not exist.
const ALLOWED: [(&str, &[&str]); 21] = [
    ("scene", &[]),
    ("contract", &[]),
    ("shaders", &[]),
    ("protocol", &["scene", "contract"]),
    ("wire", &[]),
    ("imaging", &["scene"]),
    ("phantom", &["scene"]),
    ("pdf", &[]),
    ("gpu-kernels", &["scene", "imaging", "shaders"]),
    ("calcium", &["scene", "contract", "imaging", "gpu-kernels", "pdf"]),
    ("segmentation", &["scene", "contract", "imaging", "inference"]),
    ("perfusion", &["scene", "contract", "imaging", "gpu-kernels", "pdf"]),
    ("inference", &["shaders"]),
    ("inference-worker", &["contract", "protocol", "wire", "imaging", "inference", "segmentation"]),
    (
        "engine",
        &[
            "scene",
            "contract",
            "protocol",
            "wire",
            "imaging",
            "gpu-kernels",
            "calcium",
            "perfusion",
            "segmentation",
        ],
    ),
    ("app", &["scene", "contract", "protocol", "wire"]),
    ("server", &["contract"]),
    (
        "cli",
        &[
            "scene",
            "contract",
            "imaging",
            "gpu-kernels",
            "calcium",
            "perfusion",
            "inference",
            "segmentation",
            "server",
        ],
    ),
    ("testbed", &[]),
    ("xtask", &["testbed"]),
    ("e2e", &["scene", "contract", "protocol", "phantom", "testbed"]),
];

/// Crates from outside that must not be reached from these, by any way: package, target, prefixes.
const FORBIDDEN: [(&str, &str, &[&str]); 5] = [
    ("app", "wasm32-unknown-unknown", &["wgpu", "naga", "dicom-", "imaging", "gpu-kernels"]),
    ("server", "x86_64-unknown-linux-gnu", &["dicom-", "wgpu", "imaging", "scene", "leptos"]),
    ("imaging", "wasm32-unknown-unknown", &["wgpu", "web-sys", "leptos", "tokio"]),
    ("scene", "wasm32-unknown-unknown", &["wgpu", "web-sys", "dicom-", "leptos", "tokio"]),
    ("contract", "wasm32-unknown-unknown", &["wgpu", "web-sys", "dicom-", "leptos", "tokio", "axum"]),
];

/// Package to the packages it names outside of its tests.
type Graph = BTreeMap<String, Vec<String>>;

fn graph(metadata: &Value) -> Graph {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let used = list(&package["dependencies"]);
            // `kind` is null for a plain dependency; a test may lean on anything.
            (name(package), used.iter().filter(|d| d["kind"] != "dev").map(name).collect())
        })
        .collect()
}

fn faults(graph: &Graph) -> Vec<String> {
    let mut faults = Vec::new();
    for (package, used) in graph {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == package) else {
            faults.push(format!("{package} is not in the plan: add it to ALLOWED with its arrows"));
            continue;
        };
        for other in used.iter().filter(|name| graph.contains_key(*name)) {
            if !allowed.contains(&other.as_str()) {
                faults.push(format!("{package} -> {other} is no arrow of the plan"));
            }
        }
    }
    faults
}

/// The lines of `cargo tree --prefix none` that name what is forbidden.
fn reached(tree: &str, forbidden: &[&str]) -> Vec<String> {
    tree.lines()
        // The first line is the package itself.
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .filter(|name| {
            forbidden.iter().any(|f| {
                name == f || (f.ends_with('-') && name.starts_with(f)) || *name == format!("{f}-core")
            })
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let text =
        shell::output(shell::command("cargo").args(["metadata", "--no-deps", "--format-version", "1"]))
            .expect("cargo metadata");
    let graph = graph(&serde_json::from_str(&text).expect("JSON"));
    assert!(graph.len() >= 13, "only {} packages", graph.len());
    assert!(graph["gpu-kernels"].contains(&"imaging".to_owned()), "the graph is not of this house");
    assert_eq!(faults(&graph), Vec::<String>::new());
}

#[test]
fn the_page_knows_no_gpu_and_no_dicom_and_the_server_no_image() {
    for (package, target, forbidden) in FORBIDDEN {
        let words =
            ["tree", "--edges", "normal", "--prefix", "none", "--target", target, "--package", package];
        let tree = shell::output(shell::command("cargo").args(words)).expect("cargo tree");
        assert!(tree.starts_with(package), "this is the tree of something else: {tree}");
        assert_eq!(reached(&tree, forbidden), Vec::<String>::new(), "reached from {package}");
    }
}

#[test]
fn a_planted_arrow_is_found() {
    let metadata = serde_json::json!({ "packages": [
        { "name": "app", "dependencies": [
            { "name": "imaging", "kind": null }, { "name": "phantom", "kind": "dev" }, { "name": "serde", "kind": null }
        ] },
        { "name": "imaging", "dependencies": [{ "name": "app", "kind": "build" }] },
        { "name": "phantom", "dependencies": [] },
        { "name": "helpers", "dependencies": [] },
    ] });
    assert_eq!(
        faults(&graph(&metadata)),
        [
            "app -> imaging is no arrow of the plan",
            "helpers is not in the plan: add it to ALLOWED with its arrows",
            "imaging -> app is no arrow of the plan",
        ]
    );
}

#[test]
fn a_planted_crate_is_found_in_a_tree() {
    let tree =
        "app v0.1.0\nprotocol v0.1.0\ndicom-core v0.10.1\nwgpu v30.0.1\nwgpu-core v30.0.1\nwgputils v1.0.0\n";
    assert_eq!(reached(tree, &["wgpu", "dicom-"]), ["dicom-core", "wgpu", "wgpu-core"]);
    assert_eq!(reached("wgpu v30.0.1\n", &["wgpu"]), Vec::<String>::new(), "the package itself");
}
