//! A model that came as a bare file: what page and command line assume where nobody has declared anything.
//!
//! One definition for both, so that the same file on the same image gives the same labels; what depends on the
//! graph and the image is completed where both are known (`segmentation::run::complete`).

use super::{
    Alignment, Card, Fit, Geometry, Input, Intensity, Interpolation, Label, Layout, Licence, Model, Output,
    OutputKind, Precision, Size, Task, Variant,
};

/// What is assumed of a file without a card, for people.
pub const ASSUMED: &str = "The model has no card: the image was taken on its own grid, indexed as nibabel does, with \
     its smallest value as 0 and its largest as 1; labels have numbers instead of names.";

/// Colours that stay apart for most forms of colour blindness (Okabe and Ito 2008), without black.
const PALETTE: [[u8; 3]; 7] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
];

/// A colour for a label without one: the palette, then the palette darker and lighter.
pub fn label_colour(id: u8) -> [u8; 3] {
    let index = usize::from(id).saturating_sub(1);
    let base = PALETTE[index % PALETTE.len()];
    // Each round of the palette takes another mixture with black or white.
    match (index / PALETTE.len()) % 5 {
        0 => base,
        1 => base.map(|c| c / 2),
        2 => base.map(|c| 128 + c / 2),
        3 => base.map(|c| (u16::from(c) * 3 / 4) as u8),
        _ => base.map(|c| 64 + (u16::from(c) * 3 / 4) as u8),
    }
}

impl Model {
    /// A card for a segmentation model that came without one. It breaks the rules of [`Model::check`] on purpose
    /// (no hash, no names), so that no server can offer it.
    pub fn bare(file: &str, size_bytes: u64) -> Self {
        let unknown = || "not stated".to_owned();
        let label = |id: u8| Label {
            index: u16::from(id),
            name: format!("Label {id}"),
            colour: label_colour(id),
            code: None,
        };
        Self {
            name: "bare".into(),
            version: "unknown".into(),
            title: file.to_owned(),
            task: Task::Segmentation,
            modalities: Vec::new(),
            variants: vec![Variant {
                precision: Precision::Fp32,
                file: file.to_owned(),
                // Nobody has stated one: there is nothing to compare with.
                sha256: String::new(),
                size_bytes,
                opset: 0,
                operators: Vec::new(),
            }],
            input: Input {
                name: String::new(),
                layout: Layout::Ncdhw,
                channels: 1,
                geometry: Geometry {
                    orientation: String::new(),
                    alignment: Alignment::Closest,
                    spacing_mm: None,
                    size: Size::MultipleOf([1; 3]),
                    fit: Fit::PadOrCrop,
                    interpolation: Interpolation::Linear,
                    crop_above: None,
                    crop_margin: 0.0,
                },
                intensity: vec![Intensity::Range { low: None, high: None, clip: false }],
            },
            output: Output {
                name: String::new(),
                kind: OutputKind::Logits,
                labels: (1..=u8::MAX).map(label).collect(),
                post: Vec::new(),
            },
            licence: Licence { spdx: "unknown".into(), copyright: "unknown".into(), file: String::new() },
            card: Card {
                source: "a file without a card".into(),
                conversion: unknown(),
                intended_use: unknown(),
                limitations: ASSUMED.into(),
                training_data: unknown(),
                quality: Vec::new(),
            },
        }
    }

    /// Whether this is what [`Model::bare`] made: no variant has a hash.
    pub fn is_bare(&self) -> bool {
        self.variants.iter().all(|v| v.sha256.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_model_says_so_is_not_offered_and_its_first_labels_differ() {
        let model = Model::bare("a.onnx", 5);
        assert!(model.is_bare() && model.check().is_err());
        assert!(model.card.limitations.contains("no card"));
        let mut colours: Vec<_> = model.output.labels[..35].iter().map(|l| l.colour).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 35);
    }
}
