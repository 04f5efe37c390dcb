//! Each guard of the compute kernels with the fault that it is there for.
//!
//! What a device may get wrong cannot be made wrong on purpose, so the guards are plain functions of what came back.

use super::candidates::{self, HostTable, Keys, Rule, Table};
use super::components::{self, Piece};
use super::measures::{self, Measured};
use crate::compute::{Budget, ComputeError, Program, at_most};
use crate::gpu::Gpu;

const DIMS: [u32; 3] = [5, 3, 2];

fn table() -> HostTable {
    HostTable { runs: vec![[1, 0], [4, 2], [16, 3]], keys: Keys::I16(vec![9, 8, 7, 6]) }
}

#[test]
fn a_table_that_contradicts_itself_is_not_used() {
    assert!(table().is_possible(DIMS));
    assert!(HostTable { runs: vec![], keys: Keys::I16(vec![]) }.is_possible(DIMS));
    type Fault = (&'static str, fn(&mut HostTable));
    let faults: [Fault; 6] = [
        ("two runs overlap", |t| t.runs[1][0] = 2),
        ("a run begins where the volume has ended", |t| t.runs[2][0] = 30),
        ("a run goes on in the next row", |t| t.runs[0][0] = 4),
        ("keys of nobody", |t| t.runs[0][1] = 1),
        ("a run without a voxel", |t| t.runs[1][1] = 3),
        ("keys without runs", |t| t.runs.clear()),
    ];
    for (name, plant) in faults {
        let mut planted = table();
        plant(&mut planted);
        assert!(!planted.is_possible(DIMS), "{name}");
    }
}

#[test]
fn measures_that_contradict_themselves_are_not_used() {
    let (pieces, lesions) = components::cpu::run(DIMS, &table(), 0, true);
    let components = measures::cpu::run(DIMS, &table(), false, &pieces);
    let measured = Measured { components, lesions, pieces };
    assert!(measured.components.len() == 3 && measured.is_possible(DIMS));
    type Fault = (&'static str, fn(&mut Measured));
    let faults: [Fault; 7] = [
        ("a component without a voxel", |m| m.components[0].voxels = 0),
        ("a slice that is not there", |m| m.components[2].slice = 2),
        ("slices out of order", |m| m.components[0].slice = 1),
        ("a lesion that begins later", |m| m.lesions[0] = 1),
        ("a lesion too few", |m| m.lesions.truncate(2)),
        ("a piece of nobody", |m| m.pieces[1].component = 3),
        ("a piece beyond the volume", |m| m.pieces[2] = Piece { end: 31, ..m.pieces[2] }),
    ];
    for (name, plant) in faults {
        let mut planted = measured.clone();
        plant(&mut planted);
        assert!(!planted.is_possible(DIMS), "{name}");
    }
}

#[test]
fn counts_and_sizes_beyond_what_can_be_are_errors() {
    assert!(at_most([("runs", 7, 7), ("components", 0, 7)]).is_ok());
    let error = at_most([("runs", 7, 7), ("components", 8, 7)]).unwrap_err();
    assert!(matches!(error, ComputeError::Impossible { what: "components", got: 8, most: 7 }), "{error}");
    for (dims, fault) in
        [([0x1_0000, 1, 1], "columns"), ([1, 0x1_0000, 1], "rows"), ([0x8000, 0x8000, 2], "voxels")]
    {
        let error = candidates::check_dims(dims).unwrap_err();
        assert!(matches!(error, ComputeError::TooLarge { what, .. } if what == fault), "{dims:?}: {error}");
    }
    assert!(candidates::check_dims([0xffff, 0x7fff, 1]).is_ok());
}

#[test]
fn what_the_device_refuses_is_an_error_and_no_panic() {
    let Ok(gpu) = pollster::block_on(Gpu::headless()) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no adapter");
        println!("UNPROVEN: no adapter");
        return;
    };
    const BROKEN: shaders::Shader = shaders::Shader {
        name: "planted",
        draws: false,
        parts: &[shaders::Part { path: "none", text: "fn f() -> u32 { return 1.5; }" }],
    };
    let refused = pollster::block_on(Program::new(&gpu, &BROKEN, &["f"])).err().unwrap();
    assert!(matches!(refused, ComputeError::Refused(_)), "{refused}");
    // More keys than a binding takes.
    let budget = Budget { binding_bytes: 64, groups: 65535 };
    let many = HostTable { runs: vec![[0, 0]], keys: Keys::I16(vec![1; 40]) };
    let too_large = pollster::block_on(Table::upload(&gpu, budget, [40, 1, 1], false, &many)).err().unwrap();
    assert!(
        matches!(too_large, ComputeError::TooLarge { what: "words of candidates", value: 20, limit: 16 }),
        "{too_large}"
    );
    // A volume of colours has no order.
    let volume = crate::GpuVolume::allocate(&gpu, [2, 2, 2], crate::VoxelFormat::Rgba8);
    let volume = pollster::block_on(volume).unwrap();
    let mut kernel = pollster::block_on(candidates::Candidates::new(&gpu)).unwrap();
    let rule = Rule { cut: 0, negative: false, padding: None };
    let colours = pollster::block_on(kernel.run(&gpu, &volume, rule, Default::default())).err().unwrap();
    assert!(matches!(colours, ComputeError::Refused(_)), "{colours}");
}
