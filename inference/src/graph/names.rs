//! Names of values: which ones a body of If, Loop or Scan takes from the graph around it, and which node comes first.
//!
//! What a body takes becomes an input of the node that holds it, so that order and lifetime of values stay visible
//! outside.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::onnx::{AttributeValue, Graph, Node};

/// Names that `graph` reads and does not make itself, in order of first use.
pub fn captured<'a>(graph: &Graph<'a>) -> Vec<&'a str> {
    let mut made: HashSet<&str> = graph.inputs.iter().map(|i| i.name).collect();
    made.extend(graph.initializers.iter().map(|t| t.name));
    // Names are made once in ONNX, so one that is made anywhere in the body is not taken from outside.
    made.extend(graph.nodes.iter().flat_map(|n| n.outputs.iter().copied()));
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut take = |name: &'a str| {
        if !name.is_empty() && !made.contains(name) && seen.insert(name) {
            found.push(name);
        }
    };
    for node in &graph.nodes {
        for name in reads(node) {
            take(name);
        }
    }
    for output in &graph.outputs {
        take(output.name);
    }
    found
}

/// Names that a node reads, its bodies included.
fn reads<'a>(node: &Node<'a>) -> Vec<&'a str> {
    let mut names = node.inputs.clone();
    for attribute in &node.attributes {
        if let AttributeValue::Graph(body) = &attribute.value {
            names.extend(captured(body));
        }
    }
    names
}

/// The nodes in an order in which they can be computed; as they stand wherever that is one.
///
/// ONNX demands such an order, and converters that insert nodes at the end do not keep it. Nodes in a circle stay where
/// they are: the loader then finds a value that nothing has made.
pub fn ordered<'n, 'a>(nodes: &'n [Node<'a>]) -> Cow<'n, [Node<'a>]> {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|name| !name.is_empty()) {
            maker.entry(output).or_insert(at);
        }
    }
    let needs: Vec<Vec<usize>> = nodes
        .iter()
        .map(|node| reads(node).iter().filter_map(|name| maker.get(name).copied()).collect())
        .collect();
    if needs.iter().enumerate().all(|(at, needs)| needs.iter().all(|&n| n < at)) {
        return Cow::Borrowed(nodes);
    }
    // Depth first with a stack of our own: a chain of 100,000 nodes must not end the program's.
    let mut state = vec![0u8; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    for start in 0..nodes.len() {
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            match state[at] {
                0 => {
                    state[at] = 1;
                    stack.extend(needs[at].iter().rev().filter(|&&n| state[n] == 0));
                }
                1 => {
                    state[at] = 2;
                    order.push(at);
                    stack.pop();
                }
                _ => {
                    stack.pop();
                }
            }
        }
    }
    Cow::Owned(order.into_iter().map(|at| nodes[at].clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(inputs: &[&'a str], output: &'a str) -> Node<'a> {
        Node { inputs: inputs.to_vec(), outputs: vec![output], ..Node::default() }
    }

    #[test]
    fn nodes_out_of_order_are_put_in_order_and_circles_end() {
        let nodes = [node(&["b", "c"], "d"), node(&["a"], "b"), node(&["b"], "c"), node(&["x"], "a")];
        let order: Vec<_> = ordered(&nodes).iter().map(|n| n.outputs[0]).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
        assert!(matches!(ordered(&nodes[1..3]), Cow::Borrowed(_)), "what is in order stays");
        assert_eq!(ordered(&[node(&["b"], "a"), node(&["a"], "b")]).len(), 2);
    }
}
