//! The manifest of the models that a server offers, and the rules it must keep.
//!
//! The page downloads weights by this list alone: name, size and hash are checked before a byte of a model
//! is interpreted, so the rules live here, beside the types, and run on both ends.

use serde::{Deserialize, Serialize};

/// Raised when a manifest can no longer be read by an older page.
pub const SCHEMA_VERSION: u32 = 1;

/// All models of one server. Empty is valid: a server without models still serves the viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`] at the time of writing.
    pub schema_version: u32,
    /// In the order in which they should be offered.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Over the canonical JSON of this manifest without this field; empty where nobody signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
}

/// One model in one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Lower case letters, digits and hyphens: it is part of addresses and file names.
    pub name: String,
    /// As its authors count; compared for equality only.
    pub version: String,
    /// What it computes.
    pub task: Task,
    /// The same model in several precisions; at least one.
    pub variants: Vec<Variant>,
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
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// IEEE 754 binary32.
    Fp32,
    /// IEEE 754 binary16.
    Fp16,
    /// Eight bit integers with a scale.
    Int8,
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
        Self { schema_version: SCHEMA_VERSION, models: Vec::new(), signatures: Vec::new() }
    }

    /// The first rule that this manifest breaks, as one sentence with the value and what to do.
    pub fn check(&self) -> Result<(), String> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "schema_version is {}, this version reads {SCHEMA_VERSION}: update whichever is older",
                self.schema_version
            ));
        }
        for (index, model) in self.models.iter().enumerate() {
            model.check()?;
            if self.models[..index].iter().any(|m| m.name == model.name && m.version == model.version) {
                return Err(format!(
                    "model {} {} is listed twice: remove one or raise its version",
                    model.name, model.version
                ));
            }
        }
        Ok(())
    }
}

impl Model {
    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(format!(
                "model name {:?} must be lower case letters, digits and hyphens: rename it",
                self.name
            ));
        }
        if self.version.trim().is_empty() {
            return Err(format!("model {} has no version: state one", self.name));
        }
        if self.variants.is_empty() {
            return Err(format!("model {} has no variants: list at least one file", self.name));
        }
        for (index, variant) in self.variants.iter().enumerate() {
            variant.check().map_err(|why| format!("model {}: {why}", self.name))?;
            if self.variants[..index].iter().any(|v| v.precision == variant.precision) {
                return Err(format!(
                    "model {}: precision {:?} is listed twice: keep one",
                    self.name, variant.precision
                ));
            }
        }
        Ok(())
    }
}

impl Variant {
    fn check(&self) -> Result<(), String> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if self.sha256.len() != 64 || !self.sha256.chars().all(hex) {
            return Err(format!("sha256 {:?} is not 64 lower case hexadecimal digits", self.sha256));
        }
        if self.size_bytes == 0 {
            return Err(format!("file {:?} has size_bytes 0: state the size of the file", self.file));
        }
        // A folder in the name would let a manifest point outside the folder of the models.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.file.is_empty() || self.file.starts_with('.') || !self.file.chars().all(plain) {
            return Err(format!(
                "file {:?} must be a plain file name of letters, digits, '-', '_' and '.'",
                self.file
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Manifest {
        Manifest {
            schema_version: SCHEMA_VERSION,
            models: vec![Model {
                name: "brain-41".into(),
                version: "1.0.0".into(),
                task: Task::Segmentation,
                variants: vec![
                    Variant {
                        precision: Precision::Fp16,
                        file: "brain-41.fp16.onnx".into(),
                        sha256: "0123456789abcdef".repeat(4),
                        size_bytes: 96_123,
                    },
                    Variant {
                        precision: Precision::Int8,
                        file: "brain-41.int8.onnx".into(),
                        sha256: "fedcba9876543210".repeat(4),
                        size_bytes: 48_001,
                    },
                ],
            }],
            signatures: vec![],
        }
    }

    #[test]
    fn a_valid_and_an_empty_manifest_pass() {
        assert_eq!(valid().check(), Ok(()));
        assert_eq!(Manifest::empty().check(), Ok(()));
    }

    #[test]
    fn every_planted_fault_is_named() {
        type Fault = (&'static str, fn(&mut Manifest));
        let faults: [Fault; 10] = [
            ("schema_version is 2", |m| m.schema_version = 2),
            ("listed twice", |m| m.models.push(m.models[0].clone())),
            ("Brain", |m| m.models[0].name = "Brain".into()),
            ("no version", |m| m.models[0].version = " ".into()),
            ("no variants", |m| m.models[0].variants.clear()),
            ("Fp16 is listed twice", |m| m.models[0].variants[1].precision = Precision::Fp16),
            ("not 64 lower case", |m| m.models[0].variants[0].sha256 = "0123456789ABCDEF".repeat(4)),
            ("not 64 lower case", |m| m.models[0].variants[0].sha256.truncate(63)),
            ("size_bytes 0", |m| m.models[0].variants[1].size_bytes = 0),
            ("plain file name", |m| m.models[0].variants[1].file = "../secret.onnx".into()),
        ];
        for (expected, plant) in faults {
            let mut manifest = valid();
            plant(&mut manifest);
            let why = manifest.check().expect_err(expected);
            assert!(why.contains(expected), "{why:?} does not say {expected:?}");
        }
    }

    #[test]
    fn json_spells_fields_as_documented_and_rejects_unknown_ones() {
        let json = serde_json::to_value(valid()).expect("serializes");
        assert_eq!(json["schema_version"], 1);
        assert_eq!(json["models"][0]["task"], "segmentation");
        assert_eq!(json["models"][0]["variants"][1]["precision"], "int8");
        assert_eq!(json["models"][0]["variants"][1]["size_bytes"], 48_001);
        assert!(json.get("signatures").is_none(), "absent signatures are left out");
        assert_eq!(serde_json::from_value::<Manifest>(json).expect("reads back"), valid());

        let read: Manifest = serde_json::from_str(r#"{"schema_version":1}"#).expect("models may be absent");
        assert_eq!(read, Manifest::empty());
        serde_json::from_str::<Manifest>(r#"{"schema_version":1,"modles":[]}"#)
            .expect_err("a misspelt field must not read as an empty list");
    }
}
