//! The rules that a manifest must keep, each broken one told as a sentence.
//!
//! Run where a card is read and again where a manifest arrives: neither end relies on the other.

use super::{Fit, Geometry, Intensity, Layout, Manifest, Model, SCHEMA_VERSION, Size, Task, Variant};

/// More samples than any model for a person's scanner takes along one axis.
const MAX_SAMPLES: u32 = 4096;

impl Manifest {
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
    /// The first rule that this model breaks.
    pub fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(format!(
                "model name {:?} must be lower case letters, digits and hyphens: rename it",
                self.name
            ));
        }
        let named = |why: String| format!("model {}: {why}", self.name);
        if self.version.trim().is_empty() {
            return Err(format!("model {} has no version: state one", self.name));
        }
        if self.variants.is_empty() {
            return Err(format!("model {} has no variants: list at least one file", self.name));
        }
        for (index, variant) in self.variants.iter().enumerate() {
            variant.check().map_err(named)?;
            if self.variants[..index].iter().any(|v| v.precision == variant.precision) {
                return Err(named(format!(
                    "precision {} is listed twice: keep one",
                    variant.precision.name()
                )));
            }
        }
        for (what, text) in [
            ("title", &self.title),
            ("input name", &self.input.name),
            ("output name", &self.output.name),
            ("licence", &self.licence.spdx),
            ("copyright", &self.licence.copyright),
            ("source", &self.card.source),
            ("intended use", &self.card.intended_use),
            ("limitations", &self.card.limitations),
        ] {
            if text.trim().is_empty() {
                return Err(named(format!("the {what} is empty: state it in the card")));
            }
        }
        if !self.licence.file.is_empty() && !is_plain_file(&self.licence.file) {
            return Err(named(format!("licence file {:?} must be a plain file name", self.licence.file)));
        }
        if !matches!(self.input.channels, 1 | 3) {
            return Err(named(format!("{} input channels: state 1 or 3", self.input.channels)));
        }
        self.input.geometry.check(self.input.layout).map_err(named)?;
        for step in &self.input.intensity {
            step.check().map_err(named)?;
        }
        self.check_labels().map_err(named)
    }

    fn check_labels(&self) -> Result<(), String> {
        let labels = &self.output.labels;
        for (index, label) in labels.iter().enumerate() {
            if label.name.trim().is_empty() {
                return Err(format!("label {} has no name: name it", label.index));
            }
            if labels[..index].iter().any(|other| other.index == label.index) {
                return Err(format!("label {} is listed twice: keep one", label.index));
            }
        }
        if self.task == Task::Segmentation {
            if labels.is_empty() {
                return Err("a segmentation has no labels: list them".to_owned());
            }
            if let Some(label) = labels.iter().find(|label| !(1..=255).contains(&label.index)) {
                return Err(format!(
                    "label {} is not within 1 to 255: one byte holds a voxel's label",
                    label.index
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
        if self.operators.is_empty() {
            return Err(format!("file {:?} lists no operators: list those of its graph", self.file));
        }
        if !is_plain_file(&self.file) {
            return Err(format!(
                "file {:?} must be a plain file name of letters, digits, '-', '_' and '.'",
                self.file
            ));
        }
        Ok(())
    }
}

/// A folder in the name would let a card point outside of its own folder.
fn is_plain_file(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

impl Geometry {
    fn check(&self, layout: Layout) -> Result<(), String> {
        if !self.orientation.is_empty() && axes_of(&self.orientation).is_none() {
            return Err(format!(
                "orientation {:?} must be three letters, one each of R or L, A or P, S or I",
                self.orientation
            ));
        }
        if self.spacing_mm.is_some_and(|s| s.iter().any(|mm| !(mm.is_finite() && *mm > 0.0))) {
            return Err(format!("spacing_mm {:?} must be three lengths above 0", self.spacing_mm));
        }
        let samples = match self.size {
            Size::Fixed(samples) | Size::MultipleOf(samples) => samples,
        };
        if samples.iter().any(|n| !(1..=MAX_SAMPLES).contains(n)) {
            return Err(format!("size {samples:?} must be within 1 to {MAX_SAMPLES} along each axis"));
        }
        if layout == Layout::Nchw && samples[0] != 1 {
            return Err(format!(
                "size {samples:?} has {} slices for a model of pictures: state 1",
                samples[0]
            ));
        }
        if let Fit::Cover { short_side } = self.fit
            && (layout != Layout::Nchw || !(1..=MAX_SAMPLES).contains(&short_side))
        {
            return Err(format!(
                "fit cover with short_side {short_side} is for pictures, 1 to {MAX_SAMPLES}"
            ));
        }
        if !(self.crop_margin.is_finite() && (0.0..=1.0).contains(&self.crop_margin)) {
            return Err(format!("crop_margin {} must be within 0 to 1", self.crop_margin));
        }
        Ok(())
    }
}

/// Axis (0 right-left, 1 anterior-posterior, 2 superior-inferior) and sign in LPS of each letter; `None`
/// unless each axis is named once.
pub(super) fn axes_of(orientation: &str) -> Option<[(usize, f64); 3]> {
    let mut axes = [(0, 0.0); 3];
    let mut seen = [false; 3];
    if orientation.len() != 3 {
        return None;
    }
    for (axis, letter) in axes.iter_mut().zip(orientation.chars()) {
        // PS3.3 C.7.6.2.1.1: x grows to the left, y to the posterior side, z to the head.
        *axis = match letter {
            'L' => (0, 1.0),
            'R' => (0, -1.0),
            'P' => (1, 1.0),
            'A' => (1, -1.0),
            'S' => (2, 1.0),
            'I' => (2, -1.0),
            _ => return None,
        };
        if std::mem::replace(&mut seen[axis.0], true) {
            return None;
        }
    }
    Some(axes)
}

impl Geometry {
    /// For each axis of space, slowest first: which axis of LPS it follows and with which sign; `None` where
    /// the image's own axes are taken.
    pub fn axes(&self) -> Option<[(usize, f64); 3]> {
        axes_of(&self.orientation)
    }
}

impl Intensity {
    fn check(&self) -> Result<(), String> {
        let fine = match *self {
            Self::Range { low, high, .. } => {
                [low, high].into_iter().flatten().all(f64::is_finite)
                    && low.zip(high).is_none_or(|(low, high)| low < high)
            }
            Self::Quantile { low, high, .. } => (0.0..1.0).contains(&low) && low < high && high <= 1.0,
            Self::ZScore { mean, sd } => {
                mean.is_none_or(f64::is_finite) && sd.is_none_or(|sd| sd.is_finite() && sd > 0.0)
            }
            Self::Linear { scale, offset } => scale.is_finite() && offset.is_finite() && scale != 0.0,
        };
        if fine {
            Ok(())
        } else {
            Err(format!("intensity step {self:?} maps to nothing: correct its numbers"))
        }
    }
}
