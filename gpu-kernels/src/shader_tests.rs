//! Every shader as the browsers will see it: valid WGSL without extensions, translatable to GLSL ES 3.00 where
//! it draws, with the parameters laid out as Rust lays them out.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::display::slice::params::Variant;
use naga::back::glsl;
use naga::back::pipeline_constants::process_overrides;
use naga::valid::{Capabilities, FunctionInfo, ModuleInfo, ValidationFlags, Validator};
use naga::{Expression, Function, Handle, Module, ScalarKind, TypeInner};

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
    constants: &[(&str, f64)],
) -> Result<String, String> {
    let constants = constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let (module, info) =
        process_overrides(module, info, Some((stage, entry)), &constants).map_err(|e| e.to_string())?;
    let options = glsl::Options {
        version: glsl::Version::Embedded { version: 300, is_webgl: true },
        ..Default::default()
    };
    let pipeline =
        glsl::PipelineOptions { shader_stage: stage, entry_point: entry.to_owned(), multiview: None };
    let mut text = String::new();
    let policies = naga::proc::BoundsCheckPolicies::default();
    glsl::Writer::new(&mut text, &module, &info, &options, &pipeline, policies)
        .and_then(|mut writer| writer.write())
        .map_err(|e| e.to_string())?;
    Ok(text)
}

/// Functions that naga writes and GLSL ES 3.00 does not have: the browser is the first to notice.
const AFTER_ES_300: [&str; 11] = [
    "bitCount",
    "bitfieldExtract",
    "bitfieldInsert",
    "bitfieldReverse",
    "findLSB",
    "findMSB",
    "fma",
    "frexp",
    "ldexp",
    "textureGather",
    "unpackUnorm4x8",
];

/// What GLSL ES 3.00 lacks, although naga translates it without a word.
fn beyond_es_300(module: &Module, info: &ModuleInfo, text: &str) -> Vec<String> {
    let functions = module.functions.iter().map(|(handle, function)| (function, &info[handle]));
    let entries =
        module.entry_points.iter().enumerate().map(|(i, entry)| (&entry.function, info.get_entry_point(i)));
    let mut found: Vec<String> = functions
        .chain(entries)
        .flat_map(|(function, types)| integer_mixes(module, function, types))
        .map(|name| format!("{name}: a select of integer or bool vectors becomes `mix`, which is for floats"))
        .collect();
    for name in AFTER_ES_300 {
        let called = text.match_indices(&format!("{name}(")).any(|(at, _)| {
            // `naga_fma(` and `my_ldexp(` are others.
            !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        });
        if called {
            found.push(format!("{name}() came with GLSL ES 3.10"));
        }
    }
    found
}

/// The function's name, once per `select` by component whose values are not floats.
/// Read from the module and not from the GLSL, where the type of an argument is anybody's guess.
fn integer_mixes(module: &Module, function: &Function, types: &FunctionInfo) -> Vec<String> {
    let ty = |handle: Handle<Expression>| types[handle].ty.inner_with(&module.types);
    let bad = |expression: &Expression| match *expression {
        Expression::Select { condition, accept, .. } => {
            matches!(ty(condition), TypeInner::Vector { .. })
                && ty(accept).scalar_kind() != Some(ScalarKind::Float)
        }
        _ => false,
    };
    let name = function.name.clone().unwrap_or_default();
    function.expressions.iter().filter(|(_, e)| bad(e)).map(|_| name.clone()).collect()
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
            for variant in Variant::all() {
                let constants = variant.constants();
                let text = glsl_es_300(&module, &info, entry.stage, &entry.name, &constants).unwrap();
                assert!(text.starts_with("#version 300 es"), "{}", shader.name);
                assert_eq!(beyond_es_300(&module, &info, &text), Vec::<String>::new(), "{}", shader.name);
            }
        }
    }
    // What computes is not: a storage buffer does not exist there.
    let (module, info) = validated(&shaders::HISTOGRAM.source()).unwrap();
    assert!(glsl_es_300(&module, &info, naga::ShaderStage::Compute, "bins", &[]).is_err());
}

/// Chromium's WebGL2 refused the whole program over one `select` of `vec3<u32>`; naga had said nothing.
#[test]
fn a_planted_integer_select_is_found() {
    let shader = |helper: &str, call: &str| {
        format!(
            "{helper}\n@fragment fn main(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {{\n\
             let u = vec3<u32>(p.xyz); let i = vec3<i32>(p.xyz); let yes = p.xyz > p.yzx;\n\
             return vec4<f32>({call}, 1.0);\n}}"
        )
    };
    let faults = |helper: &str, call: &str| {
        let (module, info) = validated(&shader(helper, call)).unwrap();
        let text = glsl_es_300(&module, &info, naga::ShaderStage::Fragment, "main", &[]).unwrap();
        (beyond_es_300(&module, &info, &text), text)
    };
    let helper =
        "fn pick(a: vec3<u32>, b: vec3<u32>, c: vec3<bool>) -> vec3<u32> { return select(a, b, c); }";
    for (helper, call) in [
        ("", "vec3<f32>(select(u, u.yzx, yes))"),
        ("", "vec3<f32>(select(i, i.yzx, yes))"),
        ("", "vec3<f32>(select(yes, yes.yzx, yes))"),
        (helper, "vec3<f32>(pick(u, u.yzx, yes))"),
    ] {
        let (found, text) = faults(helper, call);
        assert_eq!(found.len(), 1, "{call}: {found:?}");
        assert!(text.contains("mix("), "naga writes it differently now; is it still a fault?\n{text}");
    }
    let (found, _) = faults("", "vec3<f32>(countOneBits(u))");
    assert_eq!(found, ["bitCount() came with GLSL ES 3.10"]);
    // Floats may be mixed, and one condition is a `?:` whatever the type.
    for fine in ["select(p.xyz, p.yzx, yes)", "vec3<f32>(select(u, u.yzx, yes.x))"] {
        assert_eq!(faults("", fine).0, Vec::<String>::new(), "{fine}");
    }
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
    use crate::kernels::{candidates, components, concentrate, deconvolve, histogram, measures};
    let slice_fields = slice::params::field_offsets();
    let slice_size = size_of::<slice::Params>();
    for shader in [&shaders::SLICE_DIRECT, &shaders::SLICE_WRAPPED] {
        assert_eq!(mirror_differs(shader, slice_size, &slice_fields), Vec::<String>::new());
    }
    let size = size_of::<histogram::Params>();
    assert_eq!(mirror_differs(&shaders::HISTOGRAM, size, &histogram::field_offsets()), Vec::<String>::new());
    for (shader, size, fields) in [
        (&shaders::CANDIDATES_DIRECT, size_of::<candidates::Params>(), candidates::field_offsets()),
        (&shaders::CANDIDATES_WRAPPED, size_of::<candidates::Params>(), candidates::field_offsets()),
        (&shaders::COMPONENTS, size_of::<components::Params>(), components::field_offsets()),
        (&shaders::MEASURES, size_of::<measures::Params>(), measures::field_offsets()),
        (&shaders::CONCENTRATE, size_of::<concentrate::Params>(), concentrate::field_offsets()),
        (&shaders::DECONVOLVE, size_of::<deconvolve::Params>(), deconvolve::field_offsets()),
    ] {
        assert_eq!(mirror_differs(shader, size, &fields), Vec::<String>::new());
    }
    // Planted: a field that moved, and a struct that grew.
    let mut moved = slice_fields.clone();
    moved.swap(2, 3);
    assert_eq!(mirror_differs(&shaders::SLICE_DIRECT, slice_size, &moved).len(), 1);
    assert_eq!(mirror_differs(&shaders::SLICE_DIRECT, slice_size + 16, &slice_fields).len(), 1);
}
