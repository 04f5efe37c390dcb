//! What the tests share: the node tests' archive, arrays of `.npz` files, a run on the CPU.
//!
//! Everything is read from the reference data at run time; nothing of it is in the repository.

#![allow(dead_code, clippy::unwrap_used)] // each test uses its part

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use inference::conformance::Case;
use inference::{Tensor, npy};

/// A node test: its name, its model, its cases.
#[derive(Default)]
pub struct NodeTest {
    pub model: Vec<u8>,
    pub cases: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

impl NodeTest {
    /// The cases with inputs and outputs in order.
    pub fn cases(&self) -> Vec<Case> {
        let part = |files: &BTreeMap<String, Vec<u8>>, kind: &str| {
            (0..).map_while(|i| files.get(&format!("{kind}_{i}.pb")).cloned()).collect()
        };
        self.cases
            .values()
            .map(|files| Case { inputs: part(files, "input"), outputs: part(files, "output") })
            .collect()
    }
}

/// All node tests by name.
pub fn node_tests(archive: &Path) -> BTreeMap<String, NodeTest> {
    let packed = std::fs::File::open(archive).unwrap();
    let decoder = ruzstd::decoding::StreamingDecoder::new(packed).unwrap();
    let mut archive = tar::Archive::new(decoder);
    let mut tests: BTreeMap<String, NodeTest> = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
        let mut bytes = Vec::new();
        match parts[..] {
            [_, test, "model.onnx"] => {
                entry.read_to_end(&mut bytes).unwrap();
                tests.entry(test.into()).or_default().model = bytes;
            }
            [_, test, set, file] if file.ends_with(".pb") => {
                entry.read_to_end(&mut bytes).unwrap();
                let sets = &mut tests.entry(test.into()).or_default().cases;
                sets.entry(set.into()).or_default().insert(file.into(), bytes);
            }
            _ => {}
        }
    }
    tests
}

/// The arrays of a `.npz` file.
pub fn npz(path: &Path) -> BTreeMap<String, Tensor> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    (0..archive.len())
        .map(|i| {
            let mut file = archive.by_index(i).unwrap();
            let name = file.name().unwrap().trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (name, npy::read(&bytes).unwrap())
        })
        .collect()
}

/// A GPU; a machine without one says so loudly, and on CI that is a failure.
#[cfg(not(target_arch = "wasm32"))]
pub fn gpu() -> Option<inference::gpu::Gpu> {
    match pollster::block_on(inference::gpu::Gpu::request()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let hint = "install a Vulkan driver (Debian: mesa-vulkan-drivers)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}; {hint}");
            eprintln!("\n*** NOT TESTED: {error}; {hint} ***\n");
            None
        }
    }
}
