//! Every shader of inference as the browsers will see it: valid WGSL without extensions, parameters laid out alike.

#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

use naga::TypeInner;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::kernels;

fn validated(source: &str) -> Result<naga::Module, String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    // `unpack2x16float` is WGSL's core; naga keeps it apart for WebGL1's sake, and every backend of wgpu has it.
    let mut capabilities = Capabilities::default() | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    // Only what asks for it may have it: the rest has to run everywhere.
    capabilities.set(
        Capabilities::SHADER_FLOAT16,
        source.starts_with("enable f16;") || source.contains("\nenable f16;"),
    );
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;
    Ok(module)
}

#[test]
fn every_shader_is_valid_with_default_capabilities() {
    for shader in shaders::inference::ALL {
        if let Err(error) = validated(&shader.source()) {
            panic!("{}: {error}", shader.name);
        }
        if let Some(Err(error)) = shaders::inference::in_halves(shader).map(|text| validated(&text)) {
            panic!("{} in halves: {error}", shader.name);
        }
    }
    let texts = kernels::elementwise::texts();
    assert!(texts.len() > 60);
    for text in texts {
        if let Err(error) = validated(&text) {
            panic!("{error}");
        }
    }
    assert!(validated("fn f() -> u32 { return 1.5; }").is_err(), "the validator must see a planted fault");
}

type Layout = (usize, Vec<(&'static str, usize)>);

fn differs(source: &str, (size, fields): &Layout) -> bool {
    let module = validated(source).unwrap();
    let found = module.types.iter().find_map(|(_, ty)| match &ty.inner {
        TypeInner::Struct { members, span } if ty.name.as_deref() == Some("Params") => Some((members, *span)),
        _ => None,
    });
    let (members, span) = found.unwrap();
    let wgsl: Vec<_> = members.iter().map(|m| (m.name.as_deref().unwrap(), m.offset as usize)).collect();
    span as usize != *size || &wgsl != fields
}

#[test]
fn params_are_laid_out_alike() {
    use shaders::inference as wgsl;
    for (shader, layout) in [
        (&wgsl::CONV, kernels::conv::field_offsets()),
        (&wgsl::CONV_I8, kernels::conv::field_offsets()),
        (&wgsl::CONV_F16, kernels::conv::field_offsets()),
        (&wgsl::CONV_SHARED, kernels::conv::field_offsets()),
        (&wgsl::CONV_SHARED_I8, kernels::conv::field_offsets()),
        (&wgsl::CONV_SHARED_F16, kernels::conv::field_offsets()),
        (&wgsl::DEPTHWISE, kernels::conv::field_offsets()),
        (&wgsl::DEPTHWISE_I8, kernels::conv::field_offsets()),
        (&wgsl::DEPTHWISE_F16, kernels::conv::field_offsets()),
        (&wgsl::LABELS, kernels::labels::field_offsets()),
        (&wgsl::MATMUL, kernels::matmul::field_offsets()),
        (&wgsl::MATMUL_I8, kernels::matmul::field_offsets()),
        (&wgsl::MATMUL_F16, kernels::matmul::field_offsets()),
        (&wgsl::MATMUL_SHARED, kernels::matmul::field_offsets()),
        (&wgsl::MATMUL_SHARED_I8, kernels::matmul::field_offsets()),
        (&wgsl::MATMUL_SHARED_F16, kernels::matmul::field_offsets()),
        (&wgsl::POOL, kernels::pool::field_offsets()),
        (&wgsl::NORM, kernels::norm::field_offsets()),
        (&wgsl::SOFTMAX, kernels::softmax::field_offsets()),
        (&wgsl::SOFTMAX_IN_PLACE, kernels::softmax::field_offsets()),
        (&wgsl::REDUCE, kernels::reduce::field_offsets()),
        (&wgsl::COPY, kernels::copy::field_offsets()),
        (&wgsl::GATHER, kernels::gather::field_offsets()),
        (&wgsl::PAD, kernels::pad::field_offsets()),
        (&wgsl::RESAMPLE, kernels::resample::field_offsets()),
        (&wgsl::UNPACK, kernels::unpack::field_offsets()),
        (&wgsl::SAMPLE, kernels::sample::field_offsets()),
        (&wgsl::LEVEL, kernels::level::field_offsets()),
        (&wgsl::MEASURE, kernels::measure::field_offsets()),
    ] {
        assert!(!differs(&shader.source(), &layout), "{}", shader.name);
    }
    let chains = kernels::elementwise::texts();
    assert!(!differs(&chains[0], &kernels::elementwise::field_offsets()));
    // Planted: a field that moved, and a struct that grew.
    let (size, mut fields) = kernels::conv::field_offsets();
    assert!(differs(&wgsl::CONV.source(), &(size + 16, fields.clone())));
    fields.swap(1, 2);
    assert!(differs(&wgsl::CONV.source(), &(size, fields)));
}
