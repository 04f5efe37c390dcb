//! Every shader as the browsers will see it: valid WGSL without extensions, translatable to GLSL ES 3.00 where
//! it draws, with the parameters laid out as Rust lays them out.

use naga::back::glsl;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, TypeInner};

fn validated(source: &str) -> Result<(Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::default())
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

fn glsl_es_300(
    module: &Module,
    info: &ModuleInfo,
    stage: naga::ShaderStage,
    entry: &str,
) -> Result<String, String> {
    let options = glsl::Options {
        version: glsl::Version::Embedded { version: 300, is_webgl: true },
        ..Default::default()
    };
    let pipeline =
        glsl::PipelineOptions { shader_stage: stage, entry_point: entry.to_owned(), multiview: None };
    let mut text = String::new();
    let policies = naga::proc::BoundsCheckPolicies::default();
    glsl::Writer::new(&mut text, module, info, &options, &pipeline, policies)
        .and_then(|mut writer| writer.write())
        .map_err(|e| e.to_string())?;
    Ok(text)
}

#[test]
fn every_shader_is_valid_with_default_capabilities() {
    for shader in shaders::ALL {
        if let Err(error) = validated(&shader.source()) {
            panic!("{}: {error}", shader.name);
        }
    }
    assert!(validated("fn f() -> u32 { return 1.5; }").is_err(), "the validator must see a planted fault");
}

#[test]
fn what_draws_is_also_glsl_es_300() {
    for shader in shaders::ALL.iter().filter(|shader| shader.draws) {
        let (module, info) = validated(&shader.source()).unwrap();
        assert!(!module.entry_points.is_empty());
        for entry in &module.entry_points {
            let text = glsl_es_300(&module, &info, entry.stage, &entry.name).unwrap();
            assert!(text.starts_with("#version 300 es"), "{}", shader.name);
        }
    }
    // What computes is not: a storage buffer does not exist there.
    let (module, info) = validated(&shaders::HISTOGRAM.source()).unwrap();
    assert!(glsl_es_300(&module, &info, naga::ShaderStage::Compute, "bins").is_err());
}

/// Fields that differ between `struct Params` of a shader and of Rust.
fn mirror_differs(shader: &shaders::Shader, size: usize, fields: &[(&'static str, usize)]) -> Vec<String> {
    let module = naga::front::wgsl::parse_str(&shader.source()).unwrap();
    let (members, span) = module
        .types
        .iter()
        .find_map(|(_, ty)| match &ty.inner {
            TypeInner::Struct { members, span } if ty.name.as_deref() == Some("Params") => {
                Some((members, *span))
            }
            _ => None,
        })
        .unwrap();
    let mut differences = Vec::new();
    if span as usize != size {
        differences.push(format!("{}: Params has {span} bytes in WGSL, {size} in Rust", shader.name));
    }
    let wgsl: Vec<_> =
        members.iter().map(|m| (m.name.clone().unwrap_or_default(), m.offset as usize)).collect();
    let rust: Vec<_> = fields.iter().map(|(name, offset)| ((*name).to_owned(), *offset)).collect();
    if wgsl != rust {
        differences.push(format!("{}: {wgsl:?} in WGSL, {rust:?} in Rust", shader.name));
    }
    differences
}

#[test]
fn params_are_laid_out_alike() {
    use crate::display::slice;
    use crate::kernels::histogram;
    let slice_fields = slice::params::field_offsets();
    let slice_size = size_of::<slice::Params>();
    for shader in [&shaders::SLICE_DIRECT, &shaders::SLICE_WRAPPED] {
        assert_eq!(mirror_differs(shader, slice_size, &slice_fields), Vec::<String>::new());
    }
    let size = size_of::<histogram::Params>();
    assert_eq!(mirror_differs(&shaders::HISTOGRAM, size, &histogram::field_offsets()), Vec::<String>::new());
    // Planted: a field that moved, and a struct that grew.
    let mut moved = slice_fields.clone();
    moved.swap(2, 3);
    assert_eq!(mirror_differs(&shaders::SLICE_DIRECT, slice_size, &moved).len(), 1);
    assert_eq!(mirror_differs(&shaders::SLICE_DIRECT, slice_size + 16, &slice_fields).len(), 1);
}
