//! All WGSL as plain data.
//!
//! A shader is its parts laid end to end, nothing more: what the naga test validates is byte for byte what
//! the browser compiles, and a line number in its error message can be counted by hand.

/// One file of WGSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Path below `shaders/`.
    pub path: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// A shader as it is handed to the GPU: the parts in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shader {
    /// Label in error messages and in the registry of kernels.
    pub name: &'static str,
    /// Whether it draws (and must then also run on WebGL2) or computes.
    pub draws: bool,
    /// What it is made of.
    pub parts: &'static [Part],
}

impl Shader {
    /// The whole text.
    pub fn source(&self) -> String {
        let mut text = String::with_capacity(self.parts.iter().map(|part| part.text.len() + 1).sum());
        for part in self.parts {
            text.push_str(part.text);
            text.push('\n');
        }
        text
    }
}

macro_rules! part {
    ($path:literal) => {
        Part { path: $path, text: include_str!(concat!("../", $path)) }
    };
}

const FIXED: Part = part!("shared/fixed.wgsl");
const SLICE_PARAMS: Part = part!("shared/slice_params.wgsl");
const SLICE: Part = part!("display/slice.wgsl");

/// Draws panels of volumes whose voxels lie in the texture at their own index.
pub const SLICE_DIRECT: Shader = Shader {
    name: "slice",
    draws: true,
    parts: &[FIXED, SLICE_PARAMS, part!("shared/texel_direct.wgsl"), SLICE],
};

/// Draws panels of volumes that exceed the limits of a 3D texture and are wrapped into one.
pub const SLICE_WRAPPED: Shader = Shader {
    name: "slice, wrapped",
    draws: true,
    parts: &[FIXED, SLICE_PARAMS, part!("shared/texel_wrapped.wgsl"), SLICE],
};

/// Value range and histogram.
pub const HISTOGRAM: Shader =
    Shader { name: "histogram", draws: false, parts: &[part!("kernels/histogram.wgsl")] };

const SCAN: Part = part!("shared/scan.wgsl");
const PIECE: Part = part!("shared/piece.wgsl");
const CANDIDATES: Part = part!("kernels/candidates.wgsl");

/// Threshold and compaction of a volume whose voxels lie in the texture at their own index.
pub const CANDIDATES_DIRECT: Shader = Shader {
    name: "candidates",
    draws: false,
    parts: &[SCAN, part!("shared/texel_direct.wgsl"), CANDIDATES],
};

/// The same of a volume that is wrapped into the texture.
pub const CANDIDATES_WRAPPED: Shader = Shader {
    name: "candidates, wrapped",
    draws: false,
    parts: &[SCAN, part!("shared/texel_wrapped.wgsl"), CANDIDATES],
};

/// Connected components in slices, and of those in 3D.
pub const COMPONENTS: Shader =
    Shader { name: "components", draws: false, parts: &[SCAN, PIECE, part!("kernels/components.wgsl")] };

/// Voxels, peak, sums and bounds of components.
pub const MEASURES: Shader =
    Shader { name: "measures", draws: false, parts: &[PIECE, part!("kernels/measures.wgsl")] };

/// Frames to concentration over time, smoothed within a mask.
pub const CONCENTRATE: Shader =
    Shader { name: "concentrate", draws: false, parts: &[part!("kernels/concentrate.wgsl")] };

/// Residue functions of voxels by one matrix, a ladder of them or iterations.
pub const DECONVOLVE: Shader =
    Shader { name: "deconvolve", draws: false, parts: &[part!("kernels/deconvolve.wgsl")] };

pub mod inference;

/// Every shader of drawing and of the viewer's kernels. The validation test and the registry of kernels walk this list.
pub const ALL: &[Shader] = &[
    SLICE_DIRECT,
    SLICE_WRAPPED,
    HISTOGRAM,
    CANDIDATES_DIRECT,
    CANDIDATES_WRAPPED,
    COMPONENTS,
    MEASURES,
    CONCENTRATE,
    DECONVOLVE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_wgsl_file_is_part_of_a_shader() {
        let root = testbed::checkout().join("shaders");
        let mut listed: BTreeSet<String> =
            ALL.iter().chain(inference::ALL).flat_map(|s| s.parts).map(|part| part.path.to_owned()).collect();
        // In the place of the first part where activations are half floats.
        let halves = inference::in_halves(&inference::CONV).unwrap_or_default();
        assert!(halves.starts_with(inference::ELEMENT_F16.text));
        listed.insert(inference::ELEMENT_F16.path.to_owned());
        let mut found = BTreeSet::new();
        for folder in ["display", "kernels", "shared", "inference"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                found.insert(format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        assert_eq!(listed, found);
    }

    #[test]
    fn a_shader_is_its_parts_end_to_end() {
        let text = SLICE_DIRECT.source();
        assert!(text.starts_with(FIXED.text) && text.ends_with(&format!("{}\n", SLICE.text)));
    }
}
