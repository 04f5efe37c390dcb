//! The tail of a network that labels: what does not change which score is the largest, and the 1×1 convolution that
//! makes the scores.

use super::Fuser;
use crate::ops::Op;
use crate::ops::labels::ConvLabels;
use crate::ops::reduce::SoftmaxKind;

impl Fuser<'_> {
    /// Takes what made the scores of node `at` into it.
    pub(super) fn labels(&mut self, at: usize) -> bool {
        matches!(self.graph.nodes[at].op, Op::Labels(_)) && self.before_labels(at).is_some()
    }

    fn before_labels(&mut self, at: usize) -> Option<()> {
        let before = self.sole(self.input(at, 0)?)?;
        match &self.graph.nodes[before].op {
            // Monotonous along the classes: the largest stays the largest.
            Op::Softmax(op) if op.axis == 1 && !op.flatten && !matches!(op.kind, SoftmaxKind::Hardmax) => {}
            Op::Conv(conv) => {
                let weights = self.constant(self.input(before, 1)?)?.shape();
                self.graph.nodes[at].op = Op::ConvLabels(ConvLabels::new(conv, weights)?);
            }
            _ => return None,
        }
        let inputs = self.graph.nodes[before].inputs.clone();
        self.graph.nodes[at].inputs = inputs;
        self.gone[before] = true;
        Some(())
    }
}
