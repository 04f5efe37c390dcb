//! What a model's answer means: its labels and what is done to them.
//!
//! Names and colours travel with the model, so that two readers see the same structure in the same colour.

use serde::{Deserialize, Serialize};

/// The graph's output and its meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name of the graph's output.
    pub name: String,
    /// What its numbers are.
    pub kind: OutputKind,
    /// One per class. For a segmentation without class 0 where that is the background.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Steps after the largest class was chosen, in this order.
    #[serde(default)]
    pub post: Vec<Post>,
}

/// What the numbers of an output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// One channel per class before softmax: the largest wins.
    Logits,
    /// One channel per class after softmax: the largest wins.
    Probabilities,
    /// The class itself.
    Labels,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its channel or its value: 1 to 255 for a segmentation, 0 being the background.
    pub index: u16,
    /// For people.
    pub name: String,
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// What it is in a terminology, for export (PS3.16, Segmentation Property Types).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

/// A coded concept (PS3.3 8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Code Value (0008,0100), for example `12738006`.
    pub value: String,
    /// Coding Scheme Designator (0008,0102), for example `SCT`.
    pub scheme: String,
    /// Code Meaning (0008,0104), for example `Brain`.
    pub meaning: String,
}

/// One step on the label map, on the grid of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Post {
    /// Of each label only the largest component, connected over faces.
    LargestComponent,
    /// What a label encloses in three dimensions becomes that label.
    FillHoles,
}
