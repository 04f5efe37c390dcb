//! From the file's records to a [`Graph`]: names become numbers, attributes become types, functions are unfolded.
//!
//! One walk in the order of the file, which ONNX demands to be an order of computation; whatever is constant at load
//! (Constant nodes, If with a constant condition) is settled in the same walk.

use std::collections::HashMap;
use std::sync::Arc;

use super::fuse::fuse;
use super::names::{captured, ordered};
use super::{Dim, Graph, Input, LoadError, Node, ValueId};
use crate::onnx::{self, AttributeValue, Function, Limits, Model, OperatorSet, ValueInfo, ValueType};
use crate::ops::{Attributes, Op, OpError, constant, find};
use crate::tensor::Data;

/// Operators of older sets take attributes that later became inputs, with broadcasting of their own.
const OLDEST: i64 = 7;
/// The newest set whose operators were compared with their descriptions.
const NEWEST: i64 = 28;

type Scope<'a> = HashMap<&'a str, ValueId>;

/// Versions by domain.
type Versions<'a> = HashMap<&'a str, i64>;

struct Loader<'m, 'a> {
    functions: HashMap<(&'a str, &'a str), &'m Function<'a>>,
    limits: &'m Limits,
    nodes_left: usize,
}

/// Reads a model and fuses what can be computed in one go.
///
/// # Errors
/// Damaged files, and models that ask for something that is not offered; see [`LoadError::unsupported`].
pub fn load(bytes: &[u8], limits: &Limits) -> Result<Graph, LoadError> {
    let mut graph = load_as_written(bytes, limits)?;
    fuse(&mut graph);
    Ok(graph)
}

/// Reads a model node by node as the file has it.
///
/// # Errors
/// As [`load`].
pub fn load_as_written(bytes: &[u8], limits: &Limits) -> Result<Graph, LoadError> {
    let model = Model::read(bytes, limits)?;
    let versions = versions(&model.opsets);
    let opset = versions.get("").copied().unwrap_or(NEWEST);
    let mut loader = Loader {
        functions: model.functions.iter().map(|f| ((f.domain, f.name), f)).collect(),
        limits,
        nodes_left: limits.nodes,
    };
    if !(OLDEST..=NEWEST).contains(&opset) {
        // An older file may still hold only operators that have not changed since: the registry decides.
        let known = |n: &onnx::Node<'_>| find(n.domain, n.op_type).is_some_and(|e| e.since[0] <= opset);
        if opset > NEWEST || !model.graph.nodes.iter().all(known) {
            return Err(LoadError::Opset { opset, oldest: OLDEST, newest: NEWEST });
        }
    }
    let mut graph = Graph { opset, ..Graph::default() };
    loader.graph(&model.graph, &[], &versions, &mut graph, 0)?;
    Ok(graph)
}

fn versions<'a>(sets: &[OperatorSet<'a>]) -> Versions<'a> {
    sets.iter().map(|s| (if s.domain == "ai.onnx" { "" } else { s.domain }, s.version)).collect()
}

fn input(info: &ValueInfo<'_>, value: ValueId) -> Result<Input, LoadError> {
    let kind = |kind: &str| LoadError::Kind { what: "input", name: info.name.into(), kind: kind.into() };
    let (dtype, shape) = match &info.kind {
        ValueType::Unknown => (None, None),
        ValueType::Other(other) => return Err(kind(other)),
        ValueType::Tensor(0, shape) => (None, shape.as_ref()),
        ValueType::Tensor(number, shape) => {
            let dtype = onnx::dtype(*number).ok_or_else(|| kind(onnx::type_name(*number)))?;
            (Some(dtype), shape.as_ref())
        }
    };
    let shape = shape.map(|dims| {
        dims.iter()
            .map(|dim| match dim {
                onnx::Dim::Fixed(extent) => usize::try_from(*extent).map_or(Dim::Any, Dim::Fixed),
                onnx::Dim::Named(name) => Dim::Named((*name).into()),
                onnx::Dim::Any => Dim::Any,
            })
            .collect()
    });
    Ok(Input { name: info.name.into(), value, dtype, shape })
}

impl<'a> Loader<'_, 'a> {
    /// Fills `into` with a whole graph of its own; `captures` are names of the graph around it.
    fn graph(
        &mut self,
        graph: &onnx::Graph<'a>,
        captures: &[&'a str],
        versions: &Versions<'a>,
        into: &mut Graph,
        depth: usize,
    ) -> Result<(), LoadError> {
        let mut scope = Scope::new();
        self.initializers(graph, &mut scope, into)?;
        for info in &graph.inputs {
            // Before IR version 4 every initializer was listed as an input as well; since then it is a default.
            if scope.contains_key(info.name) {
                continue;
            }
            let value = into.value(info.name);
            scope.insert(info.name, value);
            into.inputs.push(input(info, value)?);
        }
        for name in captures {
            let value = into.value(name);
            scope.insert(name, value);
            into.inputs.push(Input { name: (*name).into(), value, dtype: None, shape: None });
        }
        self.nodes(&graph.nodes, &mut scope, versions, into, depth)?;
        for output in &graph.outputs {
            if let ValueType::Other(kind) = output.kind {
                return Err(LoadError::Kind { what: "output", name: output.name.into(), kind: kind.into() });
            }
            let value = *scope.get(output.name).ok_or_else(|| LoadError::Undefined {
                node: "the graph's outputs".into(),
                value: output.name.into(),
            })?;
            into.outputs.push((output.name.into(), value));
        }
        Ok(())
    }

    fn initializers(
        &self,
        graph: &onnx::Graph<'a>,
        scope: &mut Scope<'a>,
        into: &mut Graph,
    ) -> Result<(), LoadError> {
        if graph.sparse {
            return Err(LoadError::Unsupported("a sparse initializer".into()));
        }
        for raw in &graph.initializers {
            let value = into.value(raw.name);
            into.constants.insert(value, Arc::new(raw.tensor()?));
            scope.insert(raw.name, value);
        }
        Ok(())
    }

    fn nodes(
        &mut self,
        nodes: &[onnx::Node<'a>],
        scope: &mut Scope<'a>,
        versions: &Versions<'a>,
        into: &mut Graph,
        depth: usize,
    ) -> Result<(), LoadError> {
        if depth > self.limits.depth {
            return Err(LoadError::Depth { most: self.limits.depth });
        }
        for node in ordered(nodes).as_ref() {
            self.nodes_left =
                self.nodes_left.checked_sub(1).ok_or(LoadError::Nodes { most: self.limits.nodes })?;
            self.node(node, scope, versions, into, depth)?;
        }
        Ok(())
    }

    fn node(
        &mut self,
        node: &onnx::Node<'a>,
        scope: &mut Scope<'a>,
        versions: &Versions<'a>,
        into: &mut Graph,
        depth: usize,
    ) -> Result<(), LoadError> {
        let title = if node.name.is_empty() { node.outputs.first().unwrap_or(&"") } else { &node.name };
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            inputs.push(match *name {
                "" => None,
                name => Some(
                    *scope
                        .get(name)
                        .ok_or_else(|| LoadError::Undefined { node: (*title).into(), value: name.into() })?,
                ),
            });
        }
        if let Some(function) = self.functions.get(&(node.domain, node.op_type)).copied() {
            return self.call(function, node, &inputs, scope, into, depth);
        }
        let domain = if node.domain == "ai.onnx" { "" } else { node.domain };
        let opset = versions.get(domain).copied().unwrap_or(1);
        let fault =
            |error| LoadError::Node { operator: node.op_type.into(), opset, node: (*title).into(), error };
        let attributes = Attributes::new(node, opset, &[]);
        if domain.is_empty() && node.op_type == "Constant" {
            let tensor = constant::value(&attributes).map_err(fault)?;
            let name = node.outputs.first().copied().unwrap_or("");
            let value = into.value(name);
            into.constants.insert(value, Arc::new(tensor));
            scope.insert(name, value);
            return Ok(());
        }
        let entry = find(domain, node.op_type)
            .filter(|entry| entry.since.first().is_some_and(|&oldest| oldest <= opset))
            .ok_or_else(|| LoadError::Operator {
                domain: if domain.is_empty() { String::new() } else { format!("{domain}::") },
                operator: node.op_type.into(),
                opset,
                node: (*title).into(),
            })?;
        if domain.is_empty()
            && node.op_type == "If"
            && let Some(chosen) = inputs.first().copied().flatten().and_then(|v| into.constants.get(&v))
        {
            let chosen = matches!(chosen.data(), Data::Bool(v) if v.first() == Some(&true));
            let branch = if chosen { "then_branch" } else { "else_branch" };
            return self
                .branch(node, branch, scope, versions, into, depth)
                .map_err(|e| e.unwrap_or_else(fault));
        }
        let op = self.parse(entry.parse, node, opset, scope, versions, &mut inputs, depth)?;
        let op = op.map_err(fault)?;
        let outputs: Vec<_> =
            node.outputs.iter().map(|name| (!name.is_empty()).then(|| into.value(name))).collect();
        for (name, value) in node.outputs.iter().zip(&outputs) {
            if let Some(value) = value {
                scope.insert(name, *value);
            }
        }
        let (name, op_type) = ((*title).into(), node.op_type.into());
        into.nodes.push(Node { name, op_type, op, inputs, outputs, part_of: None });
        Ok(())
    }

    /// Reads a node's attributes, its bodies first; what the bodies capture is appended to the node's inputs.
    #[allow(clippy::too_many_arguments)] // the walk's state
    fn parse(
        &mut self,
        parse: fn(&Attributes<'_>) -> Result<Op, OpError>,
        node: &onnx::Node<'a>,
        opset: i64,
        scope: &Scope<'a>,
        versions: &Versions<'a>,
        inputs: &mut Vec<Option<ValueId>>,
        depth: usize,
    ) -> Result<Result<Op, OpError>, LoadError> {
        let graphs: Vec<_> = node
            .attributes
            .iter()
            .filter_map(|a| match &a.value {
                AttributeValue::Graph(graph) => Some((a.name, graph)),
                _ => None,
            })
            .collect();
        if graphs.is_empty() {
            return Ok(parse(&Attributes::new(node, opset, &[])));
        }
        // All bodies of a node get the same captured values, so that it can hand them on without a table.
        let mut captures: Vec<&'a str> = Vec::new();
        for name in graphs.iter().flat_map(|(_, graph)| captured(graph)) {
            if !captures.contains(&name) {
                captures.push(name);
            }
        }
        for name in &captures {
            let value = scope
                .get(name)
                .ok_or_else(|| LoadError::Undefined { node: node.name.into(), value: (*name).into() })?;
            inputs.push(Some(*value));
        }
        let mut bodies = Vec::with_capacity(graphs.len());
        for (name, graph) in graphs {
            let mut body = Graph { opset, ..Graph::default() };
            self.graph(graph, &captures, versions, &mut body, depth + 1)?;
            bodies.push((name, Arc::new(body)));
        }
        Ok(parse(&Attributes::new(node, opset, &bodies)))
    }

    /// Puts a branch of If in its place.
    fn branch(
        &mut self,
        node: &onnx::Node<'a>,
        name: &'static str,
        scope: &mut Scope<'a>,
        versions: &Versions<'a>,
        into: &mut Graph,
        depth: usize,
    ) -> Result<(), Result<LoadError, OpError>> {
        let graph = node.attributes.iter().find(|a| a.name == name).and_then(|a| match &a.value {
            AttributeValue::Graph(graph) => Some(graph),
            _ => None,
        });
        let graph = graph.ok_or(Err(OpError::Attribute { name: name.into(), want: "a graph" }))?;
        let mut inner = scope.clone();
        self.initializers(graph, &mut inner, into).map_err(Ok)?;
        self.nodes(&graph.nodes, &mut inner, versions, into, depth + 1).map_err(Ok)?;
        let outputs: Vec<_> = graph.outputs.iter().map(|o| o.name).collect();
        bind(node, &outputs, &inner, scope).map_err(Ok)
    }

    /// Puts the body of a function in the place of its call.
    fn call(
        &mut self,
        function: &Function<'a>,
        node: &onnx::Node<'a>,
        inputs: &[Option<ValueId>],
        scope: &mut Scope<'a>,
        into: &mut Graph,
        depth: usize,
    ) -> Result<(), LoadError> {
        if depth >= self.limits.depth {
            return Err(LoadError::Depth { most: self.limits.depth });
        }
        let mut inner = Scope::new();
        for (name, value) in function.inputs.iter().zip(inputs) {
            if let Some(value) = value {
                inner.insert(name, *value);
            }
        }
        let body: Vec<_> =
            function.nodes.iter().map(|n| with_attributes(n, node, function, &inner)).collect();
        let versions = versions(&function.opsets);
        self.nodes(&body, &mut inner, &versions, into, depth + 1)?;
        bind(node, &function.outputs, &inner, scope)
    }
}

/// Gives the outputs of a node the values of the body that took its place.
fn bind<'a>(
    node: &onnx::Node<'a>,
    made: &[&'a str],
    inner: &Scope<'a>,
    scope: &mut Scope<'a>,
) -> Result<(), LoadError> {
    for (output, name) in node.outputs.iter().zip(made) {
        if output.is_empty() {
            continue;
        }
        let value = inner
            .get(name)
            .ok_or_else(|| LoadError::Undefined { node: node.name.into(), value: (*name).into() })?;
        scope.insert(output, *value);
    }
    Ok(())
}

/// A node of a function with the attributes of its call (`ref_attr_name`), and without inputs that the call leaves out.
fn with_attributes<'a>(
    node: &onnx::Node<'a>,
    call: &onnx::Node<'a>,
    function: &Function<'a>,
    given: &Scope<'a>,
) -> onnx::Node<'a> {
    let mut node = node.clone();
    let attribute = |name: &str| {
        let of = |list: &[onnx::Attribute<'a>]| list.iter().find(|a| a.name == name).map(|a| a.value.clone());
        of(&call.attributes).or_else(|| of(&function.defaults))
    };
    resolve(&mut node, &attribute);
    for input in &mut node.inputs {
        if function.inputs.contains(input) && !given.contains_key(input) {
            *input = "";
        }
    }
    node
}

/// Replaces references to attributes, in bodies as well; those that are not given are left out.
fn resolve<'a>(node: &mut onnx::Node<'a>, attribute: &dyn Fn(&str) -> Option<AttributeValue<'a>>) {
    node.attributes.retain_mut(|a| {
        if let AttributeValue::Graph(graph) = &mut a.value {
            graph.nodes.iter_mut().for_each(|n| resolve(n, attribute));
        }
        if a.reference.is_empty() {
            return true;
        }
        attribute(a.reference).is_some_and(|value| {
            a.value = value;
            true
        })
    });
}
