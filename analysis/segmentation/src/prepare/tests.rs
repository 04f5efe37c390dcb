//! The way to a model's grid and back, against formulas: what a voxel is worth is a function of its place.
//!
//! Grids differ per axis and lie askew, so that an exchanged axis or a forgotten flip shows.

use contract::models::{
    Alignment, Fit, Geometry, Input, Intensity, Interpolation, Label, Layout, Output, OutputKind, Post, Size,
};
use imaging::volume::{Padding, Rescale};
use imaging::{Volume, Voxels};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use super::{Answer, PrepareError, grid, index_order, prepare, restore};

fn input(orientation: &str, spacing: Option<f64>, size: Size, fit: Fit) -> Input {
    Input {
        name: "input".into(),
        layout: Layout::Ncdhw,
        channels: 1,
        geometry: Geometry {
            orientation: orientation.into(),
            alignment: Alignment::Patient,
            spacing_mm: spacing.map(|mm| [mm; 3]),
            size,
            fit,
            interpolation: Interpolation::Linear,
            crop_above: None,
            crop_margin: 0.0,
        },
        intensity: vec![],
    }
}

fn output(post: Vec<Post>) -> Output {
    let label = |index| Label { index, name: "a".into(), colour: [1, 2, 3], code: None };
    Output { name: "o".into(), kind: OutputKind::Logits, labels: vec![label(1), label(2)], post }
}

fn oblique(dims: [u32; 3], angle: f64) -> Grid {
    let turned = DMat3::from_axis_angle(DVec3::new(1.0, -2.0, 0.5).normalize(), angle);
    let matrix = turned * DMat3::from_diagonal(DVec3::new(0.75, 1.25, 2.5));
    let affine = DAffine3::from_mat3_translation(matrix, DVec3::new(-20.0, 15.0, 40.0));
    Grid::new(dims, affine, LengthUnit::Millimetre, Frame::Patient).unwrap()
}

/// Values of a function of the place, as floats.
fn image(grid: &Grid, f: impl Fn(DVec3) -> f64) -> Volume {
    Volume::new(Voxels::F32(places(grid).map(|p| f(p) as f32).collect()), grid.clone())
}

fn places(grid: &Grid) -> impl Iterator<Item = DVec3> {
    let [nx, ny, nz] = grid.dims();
    let world = grid.world_from_voxel();
    (0..nx * ny * nz).map(move |i| {
        let v = [i % nx, i / nx % ny, i / (nx * ny)].map(f64::from);
        world.transform_point3(DVec3::from(v))
    })
}

#[test]
fn a_ramp_is_the_same_ramp_on_every_grid() {
    let ramp = |p: DVec3| 3.0 * p.x - 2.0 * p.y + 0.5 * p.z + 100.0;
    for angle in [0.0, 0.3, 1.9] {
        let source = oblique([30, 26, 14], angle);
        let volume = image(&source, ramp);
        for letters in ["RAS", "LPS", "LIA", "SAR", "PIR"] {
            let wanted = input(letters, Some(1.1), Size::MultipleOf([4, 2, 8]), Fit::PadOrCrop);
            let got = prepare(&volume, 0, &wanted).unwrap();
            let [d, h, w] = got.space();
            assert_eq!(got.shape, [1, 1, d, h, w]);
            assert_eq!([d % 4, h % 2, w % 8], [0; 3]);
            // The first letter names where the slowest axis goes, the third where the fastest goes.
            let matrix = got.grid.world_from_voxel().matrix3;
            let lps = |letter: char| match letter {
                'L' => DVec3::X,
                'R' => -DVec3::X,
                'P' => DVec3::Y,
                'A' => -DVec3::Y,
                'S' => DVec3::Z,
                _ => -DVec3::Z,
            };
            let letters: Vec<DVec3> = letters.chars().map(lps).collect();
            let directions = [matrix.z_axis, matrix.y_axis, matrix.x_axis].map(|v| v / 1.1);
            for (got, want) in directions.iter().zip(&letters) {
                assert!((*got - *want).length() < 1e-12, "{got} is not {want}");
            }
            let mut inner = 0;
            let smallest = places(&source).map(ramp).reduce(f64::min).unwrap();
            for (place, value) in places(&got.grid).zip(&got.tensor) {
                let v = source.voxel_from_world().transform_point3(place);
                let dims = source.dims().map(f64::from);
                if (0..3).all(|k| v[k] >= 0.0 && v[k] <= dims[k] - 1.0) {
                    inner += 1;
                    assert!((f64::from(*value) - ramp(place)).abs() < 1e-3, "{place}: {value}");
                } else if (0..3).any(|k| v[k] < -0.6 || v[k] > dims[k] - 0.4) {
                    assert!((f64::from(*value) - smallest).abs() < 1e-4, "{place}: {value}");
                }
            }
            assert!(inner > 5_000, "only {inner} samples lie in the image");
        }
    }
}

#[test]
fn labels_come_back_to_an_oblique_grid() {
    let ball = |p: DVec3| (p - DVec3::new(-8.0, 20.0, 55.0)).length();
    for angle in [0.0, 0.4, 2.2] {
        let source = oblique([40, 30, 20], angle);
        let centre = source.centre_world();
        let ball = |p: DVec3| ball(p - centre + DVec3::new(-8.0, 20.0, 55.0));
        let volume = image(&source, ball);
        let wanted = input("LIA", Some(0.4), Size::MultipleOf([1; 3]), Fit::PadOrCrop);
        let prepared = prepare(&volume, 0, &wanted).unwrap();
        // A perfect model: two classes by the distance that the tensor itself tells.
        let n = prepared.samples();
        let mut scores = vec![0.0; 3 * n];
        for (at, distance) in prepared.tensor.iter().enumerate() {
            scores[at] = 0.5;
            scores[n + at] = if (*distance > 4.0) & (*distance < 8.0) { 1.0 } else { 0.0 };
            scores[2 * n + at] = if *distance <= 4.0 { 1.0 } else { 0.0 };
        }
        let answer = restore(Answer::Scores(&scores), &prepared.grid, &output(vec![]), &source).unwrap();
        let mut wrong = 0;
        for (place, label) in places(&source).zip(&answer) {
            let d = ball(place);
            let want = if d <= 4.0 { 2 } else { u8::from(d < 8.0) };
            // Half a diagonal of a sample is what nearest may be off.
            if (d - 4.0).abs() > 0.36 && (d - 8.0).abs() > 0.36 {
                assert_eq!(*label, want, "{place} at {d} mm, turned by {angle}");
            } else if *label != want {
                wrong += 1;
            }
        }
        assert!(answer.iter().filter(|l| **l == 2).count() > 90);
        assert!(wrong < 120, "{wrong} voxels at the border");
    }
}

#[test]
fn a_volume_on_the_models_own_grid_is_only_reordered() {
    // As FreeSurfer conforms: 1 mm, first axis to the left, second to the feet, third to the front; and one voxel
    // less than the model takes along one axis, where half a voxel would blur everything.
    let matrix = DMat3::from_cols(DVec3::X, -DVec3::Z, -DVec3::Y);
    let affine = DAffine3::from_mat3_translation(matrix, DVec3::new(-7.0, 9.0, 3.0));
    let source = Grid::new([5, 6, 7], affine, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let stored: Vec<i16> = (0..210).map(|i| (i * 37 % 1000) as i16).collect();
    let mut volume = Volume::new(Voxels::I16(stored.clone()), source.clone());
    volume.rescale = Rescale { slope: 2.0, intercept: -5.0 };
    let prepared =
        prepare(&volume, 0, &input("LIA", Some(1.0), Size::Fixed([5, 6, 7]), Fit::PadOrCrop)).unwrap();
    for (at, value) in prepared.tensor.iter().enumerate() {
        let (i, j, k) = (at / 42, at / 7 % 6, at % 7);
        assert_eq!(*value, f32::from(stored[(k * 6 + j) * 5 + i]) * 2.0 - 5.0);
    }
    let classes: Vec<u8> = (0..210).map(|i| [0, 1, 2][i % 3]).collect();
    let back = restore(Answer::Classes(&classes), &prepared.grid, &output(vec![]), &source).unwrap();
    for (at, class) in classes.iter().enumerate() {
        let (i, j, k) = (at / 42, at / 7 % 6, at % 7);
        assert_eq!(back[(k * 6 + j) * 5 + i], *class);
    }
    let larger =
        prepare(&volume, 0, &input("LIA", Some(1.0), Size::Fixed([6, 6, 10]), Fit::PadOrCrop)).unwrap();
    let kept = larger.tensor.iter().filter(|v| **v != -5.0).count();
    assert_eq!(kept, stored.iter().filter(|v| **v != 0).count(), "values were blurred");
    assert!(prepared.tensor.iter().all(|v| larger.tensor.contains(v)));
}

#[test]
fn closest_axes_are_permuted_and_not_resampled() {
    let source = oblique([11, 12, 13], 0.2);
    let volume = image(&source, |p| p.x);
    let mut wanted = input("SPR", None, Size::MultipleOf([1; 3]), Fit::PadOrCrop);
    wanted.geometry.alignment = Alignment::Closest;
    let prepared = prepare(&volume, 0, &wanted).unwrap();
    // Slowest towards the head: slices as they are; fastest to the right: columns backwards.
    assert_eq!(prepared.grid.dims(), [11, 12, 13]);
    let Voxels::F32(stored) = &volume.voxels else { panic!() };
    for (at, value) in prepared.tensor.iter().enumerate() {
        let (z, y, x) = (at / 132, at / 11 % 12, at % 11);
        assert_eq!(*value, stored[(z * 12 + y) * 11 + 10 - x]);
    }
    // Without letters nothing is moved at all.
    let plain = prepare(&volume, 0, &input("", None, Size::MultipleOf([1; 3]), Fit::PadOrCrop)).unwrap();
    assert_eq!(&plain.tensor, stored);
}

#[test]
fn the_order_of_indices_is_what_nibabel_hands_over() {
    let matrix = DMat3::from_cols(DVec3::X, -DVec3::Z * 2.0, -DVec3::Y * 3.0);
    let grid =
        Grid::new([4, 3, 2], DAffine3::from_mat3(matrix), LengthUnit::Millimetre, Frame::Patient).unwrap();
    assert_eq!(index_order(&grid), "LIA");
    assert_eq!(index_order(&Grid::picture(2, 2, 2).unwrap()), "");
    for grid in [grid, oblique([4, 3, 2], 0.5), oblique([4, 3, 2], 2.4)] {
        let volume = Volume::new(Voxels::I16((0..24).collect()), grid.clone());
        let mut wanted = input(&index_order(&grid), None, Size::MultipleOf([1; 3]), Fit::PadOrCrop);
        wanted.geometry.alignment = Alignment::Closest;
        let prepared = prepare(&volume, 0, &wanted).unwrap();
        assert_eq!(prepared.shape, [1, 1, 4, 3, 2]);
        for (at, value) in prepared.tensor.iter().enumerate() {
            let (i, j, k) = (at / 6, at / 2 % 3, at % 2);
            assert_eq!(*value as usize, (k * 3 + j) * 4 + i);
        }
    }
}

#[test]
fn stretching_takes_the_nearest_of_the_box_as_torch_does() {
    let source = Grid::picture(10, 4, 3).unwrap();
    let volume = Volume::new(Voxels::U16((0..120).collect()), source.clone());
    let mut wanted = input("", None, Size::Fixed([6, 2, 4]), Fit::Stretch);
    wanted.geometry.interpolation = Interpolation::Nearest;
    let prepared = prepare(&volume, 0, &wanted).unwrap();
    // nearest-exact: floor((i + 0.5) * in / out), ties away from the first.
    let index =
        |i: usize, from: usize, to: usize| ((i as f64 + 0.5) * from as f64 / to as f64 + 1e-9) as usize;
    for (at, value) in prepared.tensor.iter().enumerate() {
        let (z, y, x) = (index(at / 8, 3, 6), index(at / 4 % 2, 4, 2), index(at % 4, 10, 4));
        assert_eq!(*value as usize, (z * 4 + y) * 10 + x, "sample {at}");
    }
    let back = restore(Answer::Classes(&[1; 48]), &prepared.grid, &output(vec![]), &source).unwrap();
    assert!(back.iter().all(|l| *l == 1), "the box is covered to its edges");
}

#[test]
fn intensities_by_hand_and_without_the_padding() {
    let source = Grid::picture(5, 1, 1).unwrap();
    let mut volume = Volume::new(Voxels::I16(vec![10, 20, 30, 40, -999]), source);
    volume.padding = Some(Padding { low: -999.0, high: -999.0 });
    // Eight samples for five voxels: three and the padded voxel take the smallest value, 10.
    let run = |steps: Vec<Intensity>| {
        let mut wanted = input("", None, Size::Fixed([1, 1, 9]), Fit::PadOrCrop);
        wanted.intensity = steps;
        prepare(&volume, 0, &wanted).unwrap().tensor
    };
    assert_eq!(run(vec![]), [10.0, 10.0, 10.0, 20.0, 30.0, 40.0, 10.0, 10.0, 10.0]);
    let unit = run(vec![Intensity::Range { low: None, high: None, clip: false }]);
    assert_eq!(unit[2..6], [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
    let window = run(vec![Intensity::Range { low: Some(15.0), high: Some(35.0), clip: true }]);
    assert_eq!(window[2..6], [0.0, 0.25, 0.75, 1.0]);
    // Five samples lie in the image: 10 20 30 40 10; quartiles of 10 10 20 30 40 are 10 and 30.
    let quartiles = run(vec![Intensity::Quantile { low: 0.25, high: 0.75, clip: false }]);
    assert_eq!(quartiles[2..6], [0.0, 0.5, 1.0, 1.5]);
    let clipped = run(vec![Intensity::Quantile { low: 0.25, high: 0.75, clip: true }]);
    assert_eq!(clipped[2..6], [0.0, 0.5, 1.0, 1.0]);
    // Their mean is 22, their variance with n - 1 is 170.
    let z =
        run(vec![Intensity::ZScore { mean: None, sd: None }, Intensity::Linear { scale: 2.0, offset: 1.0 }]);
    for (got, value) in z[2..6].iter().zip([10.0, 20.0, 30.0, 40.0]) {
        let want = (value - 22.0) / 170.0f64.sqrt() * 2.0 + 1.0;
        assert!((f64::from(*got) - want).abs() < 1e-6, "{got} {want}");
    }
    let given = run(vec![Intensity::ZScore { mean: Some(20.0), sd: Some(10.0) }]);
    assert_eq!(given[2..6], [-1.0, 0.0, 1.0, 2.0]);
    volume.voxels = Voxels::I16(vec![7; 5]);
    let mut flat = input("", None, Size::Fixed([1, 1, 5]), Fit::PadOrCrop);
    for step in
        [Intensity::ZScore { mean: None, sd: None }, Intensity::Range { low: None, high: None, clip: false }]
    {
        flat.intensity = vec![step];
        assert_eq!(prepare(&volume, 0, &flat).unwrap().tensor, [0.0; 5], "an image of one value");
    }
}

#[test]
fn cropping_takes_the_box_around_what_is_bright() {
    let source = Grid::new([20, 10, 10], DAffine3::IDENTITY, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let mut stored = vec![0i16; 2000];
    for (x, y, z) in [(4, 2, 3), (13, 5, 6)] {
        stored[(z * 10 + y) * 20 + x] = 50;
    }
    let volume = Volume::new(Voxels::I16(stored), source.clone());
    let mut wanted = input("", None, Size::MultipleOf([1; 3]), Fit::PadOrCrop);
    wanted.geometry.crop_above = Some(49.0);
    let got = grid(&volume, 0, &wanted).unwrap();
    assert_eq!((got.dims(), got.world_from_voxel().translation), ([10, 4, 4], DVec3::new(4.0, 2.0, 3.0)));
    wanted.geometry.crop_margin = 0.5;
    let got = grid(&volume, 0, &wanted).unwrap();
    assert_eq!((got.dims(), got.world_from_voxel().translation), ([19, 8, 8], DVec3::new(0.0, 0.0, 1.0)));
    let back = restore(Answer::Classes(&[2; 1216]), &got, &output(vec![]), &source).unwrap();
    assert_eq!(back.iter().filter(|l| **l == 2).count(), 1216, "nothing outside of the box");
    wanted.geometry.crop_above = Some(50.0);
    assert!(matches!(prepare(&volume, 0, &wanted), Err(PrepareError::Nothing(_))));
}

#[test]
fn post_steps_and_unnamed_classes() {
    let source = Grid::picture(5, 5, 1).unwrap();
    #[rustfmt::skip]
    let classes = [
        1, 0, 2, 2, 2,
        0, 0, 2, 0, 2,
        1, 1, 2, 2, 2,
        1, 1, 0, 0, 0,
        0, 0, 0, 9, 2,
    ];
    let run = |post| restore(Answer::Classes(&classes), &source, &output(post), &source).unwrap();
    assert_eq!(run(vec![])[23], 0, "class 9 has no name");
    let kept = run(vec![Post::LargestComponent]);
    assert_eq!([kept[0], kept[10], kept[24], kept[2]], [0, 1, 0, 2]);
    assert_eq!(kept[8], 0);
    // One slice touches the border everywhere in depth, so three of them are needed to enclose anything.
    let deep = Grid::picture(5, 5, 3).unwrap();
    let mut block = vec![1u8; 75];
    block[37] = 0;
    let filled = restore(Answer::Classes(&block), &deep, &output(vec![Post::FillHoles]), &deep).unwrap();
    assert_eq!(filled, [1; 75]);
}

#[test]
fn what_cannot_be_prepared_says_why() {
    let mut volume = image(&oblique([4, 4, 4], 0.1), |p| p.x);
    let fits = input("RAS", Some(1.0), Size::Fixed([4; 3]), Fit::PadOrCrop);
    volume.missing = vec![[0, 2]];
    assert_eq!(prepare(&volume, 0, &fits), Err(PrepareError::Missing(1)));
    volume.missing.clear();
    assert_eq!(prepare(&volume, 1, &fits), Err(PrepareError::NoTime(1, 1)));
    let colour = Input { channels: 3, ..fits.clone() };
    assert!(matches!(prepare(&volume, 0, &colour), Err(PrepareError::Unsupported(_))));
    let tiny = input("RAS", Some(1e-4), Size::MultipleOf([1; 3]), Fit::PadOrCrop);
    assert!(matches!(grid(&volume, 0, &tiny), Err(PrepareError::TooLarge(_))));
    let flat = Volume::new(Voxels::F32(vec![f32::NAN; 8]), Grid::picture(2, 2, 2).unwrap());
    assert!(matches!(prepare(&flat, 0, &fits), Err(PrepareError::NoOrientation(_))));
    let plain = input("", None, Size::Fixed([2; 3]), Fit::PadOrCrop);
    assert!(matches!(prepare(&flat, 0, &plain), Err(PrepareError::Nothing(_))));
    let mm = input("", Some(1.0), Size::Fixed([2; 3]), Fit::PadOrCrop);
    assert_eq!(prepare(&flat, 0, &mm), Err(PrepareError::NoSpacing));
    let rgb = Volume::new(Voxels::Rgba8(vec![[0; 4]; 8]), Grid::picture(2, 2, 2).unwrap());
    assert_eq!(prepare(&rgb, 0, &plain), Err(PrepareError::Colour));
    let small = Grid::picture(2, 2, 2).unwrap();
    let wrong = restore(Answer::Scores(&[0.0; 15]), &small, &output(vec![]), &small);
    assert_eq!(wrong, Err(PrepareError::Answer { expected: 8, found: 15 }));
    let many = restore(Answer::Scores(&vec![0.0; 8 * 257]), &small, &output(vec![]), &small);
    assert_eq!(many, Err(PrepareError::Classes(257)));
    assert!(restore(Answer::Classes(&[0; 7]), &small, &output(vec![]), &small).is_err());
}
