//! What the tests share: the node tests' archive, arrays of `.npz` files, graphs under construction.
//!
//! Everything is read from the reference data at run time; nothing of it is in the repository.

#![allow(dead_code, clippy::unwrap_used)] // each test uses its part

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use inference::conformance::Case;
use inference::graph::{Graph, Input, Node, ValueId};
use inference::ops::Op;
use inference::ops::elementwise::{Binary, BinaryKind};
use inference::{Data, Tensor, npy};

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

/// Numbers between -1 and 1.
pub fn wave(shape: Vec<usize>, by: f32) -> Tensor {
    let n = shape.iter().product::<usize>();
    Tensor::new(shape, Data::F32((0..n).map(|i| (i as f32 * by + 0.3).sin()).collect())).unwrap()
}

/// A graph under construction.
pub struct Builder(pub Graph);

impl Builder {
    pub fn new() -> (Self, ValueId) {
        let mut graph = Graph { opset: 17, ..Graph::default() };
        let value = graph.value("x");
        graph.inputs.push(Input { name: "x".into(), value, dtype: None, shape: None });
        (Self(graph), value)
    }

    pub fn constant(&mut self, tensor: Tensor) -> ValueId {
        let value = self.0.value("constant");
        self.0.constants.insert(value, Arc::new(tensor));
        value
    }

    pub fn number(&mut self, x: f32) -> ValueId {
        self.constant(Tensor::new(vec![], Data::F32(vec![x])).unwrap())
    }

    pub fn node(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        self.nodes(op, inputs, 1)[0]
    }

    /// A node of so many outputs.
    pub fn nodes(&mut self, op: Op, inputs: &[ValueId], outputs: usize) -> Vec<ValueId> {
        let values: Vec<ValueId> = (0..outputs).map(|_| self.0.value("value")).collect();
        self.0.nodes.push(Node {
            name: "node".into(),
            op_type: "Op".into(),
            op,
            inputs: inputs.iter().map(|&id| Some(id)).collect(),
            outputs: values.iter().map(|&value| Some(value)).collect(),
            part_of: None,
        });
        values
    }

    pub fn binary(&mut self, kind: BinaryKind, a: ValueId, b: ValueId) -> ValueId {
        self.node(Op::Binary(Binary { kind }), &[a, b])
    }

    pub fn done(mut self, output: ValueId) -> Graph {
        self.0.outputs.push(("y".into(), output));
        self.0
    }
}
