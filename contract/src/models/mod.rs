//! The manifest of the models that a server offers: what each computes, from what, and under which terms.
//!
//! The page downloads weights by this list alone: name, size and hash are checked before a byte of a model
//! is interpreted, so the types live here, their rules beside them (`check`), and both ends run the same.

mod bare;
mod check;
mod input;
mod output;
#[cfg(test)]
mod tests;

pub use bare::{ASSUMED, label_colour};
pub use input::{Alignment, Fit, Geometry, Input, Intensity, Interpolation, Layout, Size};
pub use output::{Code, Label, Output, OutputKind, Post};
use serde::{Deserialize, Serialize};

/// Raised when a manifest can no longer be read by an older page.
pub const SCHEMA_VERSION: u32 = 2;

/// What the file of one model is called in its folder.
pub const CARD_FILE: &str = "model.json";

/// All models of one server. Empty is valid: a server without models still serves the viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`] at the time of writing.
    pub schema_version: u32,
    /// In the order in which they should be offered.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Cards that were found and not offered, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refusal>,
    /// Over the canonical JSON of this manifest without this field; empty where nobody signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
}

/// A card that broke a rule: the others are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Name of the folder that holds the card.
    pub folder: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// One model in one version: the content of its `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Lower case letters, digits and hyphens: it is part of addresses and file names.
    pub name: String,
    /// As its authors count; compared for equality only.
    pub version: String,
    /// For people, in a list.
    pub title: String,
    /// What it computes.
    pub task: Task,
    /// Modalities (0008,0060) it was made for; empty for none in particular.
    #[serde(default)]
    pub modalities: Vec<String>,
    /// The same model in several precisions; at least one, the preferred first.
    pub variants: Vec<Variant>,
    /// What has to be done to an image before the model sees it.
    pub input: Input,
    /// What its answer means.
    pub output: Output,
    /// Under which terms it may be used.
    pub licence: Licence,
    /// Where it comes from, what it is for and how well it does.
    pub card: Card,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A label per voxel.
    Segmentation,
    /// A probability per class for a whole image or study.
    Classification,
    /// Places with a score.
    Detection,
}

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// How its weights are stored.
    pub precision: Precision,
    /// Name of the file, without any folder.
    pub file: String,
    /// Of the whole file, 64 lower case hexadecimal digits.
    pub sha256: String,
    /// Of the whole file.
    pub size_bytes: u64,
    /// Version of the default operator set.
    pub opset: u32,
    /// ONNX names of every operator in the graph, sorted: a page refuses a model before downloading it.
    pub operators: Vec<String>,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// IEEE 754 binary32.
    Fp32,
    /// IEEE 754 binary16.
    Fp16,
    /// Weights in eight bit integers with a scale, computed in floating point.
    Int8,
    /// Weights and activations in eight bit integers.
    Qdq,
}

impl Precision {
    /// As it is spelt in JSON and in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
            Self::Qdq => "qdq",
        }
    }
}

/// The terms of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// SPDX expression, for example `MIT`.
    pub spdx: String,
    /// Whose work it is, as the licence wants it named.
    pub copyright: String,
    /// Name of the file with the full text beside the card; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
}

/// What a reader must know before trusting it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Package, repository and version that the weights come from.
    pub source: String,
    /// How this file was made from the source.
    pub conversion: String,
    /// What it may be used for.
    pub intended_use: String,
    /// Where it is known or likely to fail.
    pub limitations: String,
    /// What it was trained on, as far as the source says.
    pub training_data: String,
    /// Figures that somebody measured; empty only where nobody did.
    #[serde(default)]
    pub quality: Vec<Quality>,
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// For example `Dice`.
    pub measure: String,
    /// On which data and against what.
    pub data: String,
    /// The figure.
    pub value: f64,
    /// Number of cases.
    pub cases: u32,
}

/// Who vouches for the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// `ed25519` is the only one planned.
    pub algorithm: String,
    /// Which of the trusted keys.
    pub key_id: String,
    /// Base64.
    pub value: String,
}

impl Manifest {
    /// A manifest without models.
    pub fn empty() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            models: Vec::new(),
            refused: Vec::new(),
            signatures: Vec::new(),
        }
    }

    /// The model of that name, in `version` or, without one, the first that is listed.
    pub fn model(&self, name: &str, version: Option<&str>) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name && version.is_none_or(|v| v == model.version))
    }
}

impl Model {
    /// The variant in that precision or, without one, the preferred one.
    pub fn variant(&self, precision: Option<Precision>) -> Option<&Variant> {
        self.variants.iter().find(|variant| precision.is_none_or(|p| p == variant.precision))
    }

    /// Where a page downloads a variant of it.
    pub fn download_path(&self, variant: &Variant) -> String {
        // A version may hold a plus or a space; names and precisions are plain.
        let version: String = self.version.bytes().map(escaped).collect();
        format!("/api/models/{}/download?version={version}&variant={}", self.name, variant.precision.name())
    }
}

/// RFC 3986 2.3: what is not unreserved is written in hexadecimal.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
