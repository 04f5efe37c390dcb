//! `ModelProto` and what it holds: graphs, nodes, attributes, functions.
//!
//! Plain records with borrowed names; what they mean is the graph's business.

use super::wire::{Field, Fields};
use super::{Limits, RawTensor, ReadError};

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct Model<'a> {
    /// Which operators in which version.
    pub opsets: Vec<OperatorSet<'a>>,
    /// The main graph.
    pub graph: Graph<'a>,
    /// Operators that the file defines itself.
    pub functions: Vec<Function<'a>>,
    /// Program that wrote the file.
    pub producer: &'a str,
    /// `metadata_props`.
    pub metadata: Vec<(&'a str, &'a str)>,
}

/// `OperatorSetIdProto`.
#[derive(Clone, Debug, Default)]
pub struct OperatorSet<'a> {
    /// Empty for the operators of ONNX itself.
    pub domain: &'a str,
    /// Its version.
    pub version: i64,
}

/// `GraphProto`.
#[derive(Clone, Debug, Default)]
pub struct Graph<'a> {
    /// In an order in which they can be computed.
    pub nodes: Vec<Node<'a>>,
    /// Weights and other constants.
    pub initializers: Vec<RawTensor<'a>>,
    /// What has to be given.
    pub inputs: Vec<ValueInfo<'a>>,
    /// What comes out.
    pub outputs: Vec<ValueInfo<'a>>,
    /// Whether it has `sparse_initializer`s, which are not read.
    pub sparse: bool,
}

/// `NodeProto`.
#[derive(Clone, Debug, Default)]
pub struct Node<'a> {
    /// Empty where an optional input is left out.
    pub inputs: Vec<&'a str>,
    /// Empty where an optional output is not wanted.
    pub outputs: Vec<&'a str>,
    /// Often empty.
    pub name: &'a str,
    /// Name of the operator.
    pub op_type: &'a str,
    /// Its domain, empty for ONNX itself.
    pub domain: &'a str,
    /// In the order of the file.
    pub attributes: Vec<Attribute<'a>>,
}

/// `AttributeProto`.
#[derive(Clone, Debug)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub value: AttributeValue<'a>,
    /// Within a function: the attribute of the call that is meant; empty otherwise.
    pub reference: &'a str,
}

/// The value of an attribute.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // one per AttributeProto.AttributeType
pub enum AttributeValue<'a> {
    None,
    Float(f32),
    Int(i64),
    Text(&'a [u8]),
    Tensor(RawTensor<'a>),
    Graph(Graph<'a>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<&'a [u8]>),
    /// Sparse tensors, types, lists of tensors and of graphs.
    Other(&'static str),
}

/// An extent in a declared shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim<'a> {
    /// A number.
    Fixed(i64),
    /// A name: equal names are equal extents.
    Named(&'a str),
    /// Anything.
    Any,
}

/// What kind of value an input or output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueType<'a> {
    /// Not said.
    Unknown,
    /// A tensor: number of its element type, shape where declared.
    Tensor(i64, Option<Vec<Dim<'a>>>),
    /// Sequence, map, optional, sparse tensor.
    Other(&'static str),
}

/// `ValueInfoProto`.
#[derive(Clone, Debug)]
pub struct ValueInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub kind: ValueType<'a>,
}

/// `FunctionProto`.
#[derive(Clone, Debug, Default)]
pub struct Function<'a> {
    /// Name of the operator that it defines.
    pub name: &'a str,
    /// Domain of that operator.
    pub domain: &'a str,
    /// Names of its inputs.
    pub inputs: Vec<&'a str>,
    /// Names of its outputs.
    pub outputs: Vec<&'a str>,
    /// Attributes with a default.
    pub defaults: Vec<Attribute<'a>>,
    /// Its body.
    pub nodes: Vec<Node<'a>>,
    /// Versions that its body is written in.
    pub opsets: Vec<OperatorSet<'a>>,
}

/// Counts over the whole file.
struct Budget<'l> {
    limits: &'l Limits,
    nodes: usize,
    records: usize,
    tensor_bytes: usize,
}

impl<'a> Model<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ReadError> {
        let mut budget = Budget { limits, nodes: 0, records: 0, tensor_bytes: 0 };
        let mut model = Self::default();
        let mut graph = None;
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                2 => model.producer = value.text(limits.name)?,
                7 => graph = Some(budget.graph(value.bytes()?, 0)?),
                8 => model.opsets.push(opset(value, limits)?),
                14 => model.metadata.push(pair(value)?),
                25 => model.functions.push(budget.function(value.bytes()?)?),
                _ => {}
            }
        }
        model.graph = graph.ok_or(ReadError::Missing { what: "graph" })?;
        if model.opsets.is_empty() {
            return Err(ReadError::Missing { what: "operator set" });
        }
        Ok(model)
    }
}

fn opset<'a>(value: Field<'a>, limits: &Limits) -> Result<OperatorSet<'a>, ReadError> {
    let mut set = OperatorSet::default();
    for field in Fields::new(value.bytes()?) {
        match field? {
            (1, value) => set.domain = value.text(limits.name)?,
            (2, value) => set.version = value.int()?,
            _ => {}
        }
    }
    Ok(set)
}

/// `StringStringEntryProto`; metadata may be long (label lists), so it has no limit of its own.
fn pair<'a>(value: Field<'a>) -> Result<(&'a str, &'a str), ReadError> {
    let mut pair = ("", "");
    for field in Fields::new(value.bytes()?) {
        match field? {
            (1, value) => pair.0 = value.text(usize::MAX)?,
            (2, value) => pair.1 = value.text(usize::MAX)?,
            _ => {}
        }
    }
    Ok(pair)
}

impl Budget<'_> {
    /// An empty record takes two bytes in the file and a hundred in memory.
    fn record(&mut self) -> Result<(), ReadError> {
        let most = self.limits.nodes.saturating_mul(10);
        self.records += 1;
        if self.records > most { Err(ReadError::TooMany { what: "records", most }) } else { Ok(()) }
    }

    fn tensor<'a>(&mut self, bytes: &'a [u8]) -> Result<RawTensor<'a>, ReadError> {
        self.record()?;
        let tensor = RawTensor::read(bytes, self.limits)?;
        self.tensor_bytes = self.tensor_bytes.saturating_add(tensor.bytes());
        if self.tensor_bytes > self.limits.tensor_bytes {
            return Err(ReadError::TooMany { what: "tensor bytes", most: self.limits.tensor_bytes });
        }
        Ok(tensor)
    }

    fn graph<'a>(&mut self, bytes: &'a [u8], depth: usize) -> Result<Graph<'a>, ReadError> {
        if depth > self.limits.depth {
            return Err(ReadError::TooMany { what: "graphs within graphs", most: self.limits.depth });
        }
        let mut graph = Graph::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => graph.nodes.push(self.node(value.bytes()?, depth)?),
                5 => graph.initializers.push(self.tensor(value.bytes()?)?),
                11 => graph.inputs.push(self.value_info(value.bytes()?)?),
                12 => graph.outputs.push(self.value_info(value.bytes()?)?),
                15 => graph.sparse = true,
                _ => {}
            }
        }
        Ok(graph)
    }

    fn node<'a>(&mut self, bytes: &'a [u8], depth: usize) -> Result<Node<'a>, ReadError> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(ReadError::TooMany { what: "nodes", most: self.limits.nodes });
        }
        let longest = self.limits.name;
        let mut node = Node::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => node.inputs.push(value.text(longest)?),
                2 => node.outputs.push(value.text(longest)?),
                3 => node.name = value.text(longest)?,
                4 => node.op_type = value.text(longest)?,
                5 => node.attributes.push(self.attribute(value.bytes()?, depth)?),
                7 => node.domain = value.text(longest)?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute<'a>(&mut self, bytes: &'a [u8], depth: usize) -> Result<Attribute<'a>, ReadError> {
        self.record()?;
        let mut attribute = Attribute { name: "", value: AttributeValue::None, reference: "" };
        let (mut kind, mut seen) = (0, AttributeValue::None);
        let (mut floats, mut ints, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => attribute.name = value.text(self.limits.name)?,
                2 => seen = AttributeValue::Float(value.float()?),
                3 => seen = AttributeValue::Int(value.int()?),
                4 => seen = AttributeValue::Text(value.bytes()?),
                5 => seen = AttributeValue::Tensor(self.tensor(value.bytes()?)?),
                6 => seen = AttributeValue::Graph(self.graph(value.bytes()?, depth + 1)?),
                7 => value.floats(&mut floats)?,
                8 => value.ints(&mut ints)?,
                9 => texts.push(value.bytes()?),
                10 => seen = AttributeValue::Other("a list of tensors"),
                11 => seen = AttributeValue::Other("a list of graphs"),
                14 | 15 => seen = AttributeValue::Other("a type"),
                20 => kind = value.int()?,
                21 => attribute.reference = value.text(self.limits.name)?,
                22 | 23 => seen = AttributeValue::Other("a sparse tensor"),
                _ => {}
            }
        }
        // AttributeProto.AttributeType; proto3 leaves out zeros and empty lists, and old files the type.
        attribute.value = match (kind, seen) {
            (6, _) => AttributeValue::Floats(floats),
            (7, _) => AttributeValue::Ints(ints),
            (8, _) => AttributeValue::Texts(texts),
            (1, AttributeValue::None) => AttributeValue::Float(0.0),
            (2, AttributeValue::None) => AttributeValue::Int(0),
            (3, AttributeValue::None) => AttributeValue::Text(&[]),
            (_, AttributeValue::None) if !floats.is_empty() => AttributeValue::Floats(floats),
            (_, AttributeValue::None) if !ints.is_empty() => AttributeValue::Ints(ints),
            (_, AttributeValue::None) if !texts.is_empty() => AttributeValue::Texts(texts),
            (_, seen) => seen,
        };
        Ok(attribute)
    }

    fn value_info<'a>(&mut self, bytes: &'a [u8]) -> Result<ValueInfo<'a>, ReadError> {
        self.record()?;
        let mut info = ValueInfo { name: "", kind: ValueType::Unknown };
        for field in Fields::new(bytes) {
            match field? {
                (1, value) => info.name = value.text(self.limits.name)?,
                (2, value) => info.kind = self.value_type(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(info)
    }

    // TypeProto.
    fn value_type<'a>(&self, bytes: &'a [u8]) -> Result<ValueType<'a>, ReadError> {
        let mut kind = ValueType::Unknown;
        for field in Fields::new(bytes) {
            kind = match field? {
                (1, value) => {
                    let (mut element, mut shape) = (0, None);
                    for field in Fields::new(value.bytes()?) {
                        match field? {
                            (1, value) => element = value.int()?,
                            (2, value) => shape = Some(self.dims(value.bytes()?)?),
                            _ => {}
                        }
                    }
                    ValueType::Tensor(element, shape)
                }
                (4, _) => ValueType::Other("sequence"),
                (5, _) => ValueType::Other("map"),
                (8, _) => ValueType::Other("sparse tensor"),
                (9, _) => ValueType::Other("optional"),
                _ => kind,
            };
        }
        Ok(kind)
    }

    fn dims<'a>(&self, bytes: &'a [u8]) -> Result<Vec<Dim<'a>>, ReadError> {
        let mut dims = Vec::new();
        for field in Fields::new(bytes) {
            if let (1, value) = field? {
                let mut dim = Dim::Any;
                for field in Fields::new(value.bytes()?) {
                    dim = match field? {
                        (1, value) => Dim::Fixed(value.int()?),
                        (2, value) => Dim::Named(value.text(self.limits.name)?),
                        _ => dim,
                    };
                }
                dims.push(dim);
            }
        }
        if dims.len() > self.limits.rank {
            return Err(ReadError::TooMany { what: "axes of a tensor", most: self.limits.rank });
        }
        Ok(dims)
    }

    fn function<'a>(&mut self, bytes: &'a [u8]) -> Result<Function<'a>, ReadError> {
        let longest = self.limits.name;
        let mut function = Function::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => function.name = value.text(longest)?,
                4 => function.inputs.push(value.text(longest)?),
                5 => function.outputs.push(value.text(longest)?),
                7 => function.nodes.push(self.node(value.bytes()?, 0)?),
                9 => function.opsets.push(opset(value, self.limits)?),
                10 => function.domain = value.text(longest)?,
                11 => function.defaults.push(self.attribute(value.bytes()?, 0)?),
                _ => {}
            }
        }
        Ok(function)
    }
}
