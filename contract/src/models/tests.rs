//! Every rule of the manifest with a planted fault, and its spelling in JSON.
//!
//! The fixture is a complete card of each kind, so that a field that is added is seen here.

use super::*;

fn segmenter() -> Model {
    let variant = |precision, file: &str, digits: &str, size_bytes| Variant {
        precision,
        file: file.into(),
        sha256: digits.repeat(4),
        size_bytes,
        opset: 17,
        operators: vec!["Conv".into(), "Relu".into()],
    };
    Model {
        name: "brain-41".into(),
        version: "1.0.0+a b".into(),
        title: "Brain, 41 structures".into(),
        task: Task::Segmentation,
        modalities: vec!["MR".into()],
        variants: vec![
            variant(Precision::Fp16, "brain-41.fp16.onnx", "0123456789abcdef", 96_123),
            variant(Precision::Int8, "brain-41.int8.onnx", "fedcba9876543210", 48_001),
        ],
        input: Input {
            name: "input".into(),
            layout: Layout::Ncdhw,
            channels: 1,
            geometry: Geometry {
                orientation: "RAS".into(),
                alignment: Alignment::Patient,
                spacing_mm: Some([1.0; 3]),
                size: Size::Fixed([256; 3]),
                fit: Fit::PadOrCrop,
                interpolation: Interpolation::Linear,
                crop_above: None,
                crop_margin: 0.0,
            },
            intensity: vec![Intensity::Range { low: None, high: None, clip: false }],
        },
        output: Output {
            name: "output".into(),
            kind: OutputKind::Logits,
            labels: vec![
                Label { index: 1, name: "White matter".into(), colour: [245, 245, 245], code: None },
                Label { index: 2, name: "Grey matter".into(), colour: [205, 62, 78], code: None },
            ],
            post: vec![Post::LargestComponent],
        },
        licence: Licence { spdx: "MIT".into(), copyright: "Somebody".into(), file: "LICENSE".into() },
        card: Card {
            source: "a package".into(),
            conversion: "none".into(),
            intended_use: "research".into(),
            limitations: "adults only".into(),
            training_data: "not stated".into(),
            quality: vec![Quality { measure: "Dice".into(), data: "one case".into(), value: 0.9, cases: 1 }],
        },
    }
}

fn valid() -> Manifest {
    Manifest { models: vec![segmenter()], ..Manifest::empty() }
}

#[test]
fn a_valid_and_an_empty_manifest_pass() {
    assert_eq!(valid().check(), Ok(()));
    assert_eq!(Manifest::empty().check(), Ok(()));
}

#[test]
fn every_planted_fault_is_named() {
    type Fault = (&'static str, fn(&mut Manifest));
    let faults: [Fault; 27] = [
        ("schema_version is 1", |m| m.schema_version = 1),
        ("listed twice", |m| m.models.push(m.models[0].clone())),
        ("Brain", |m| m.models[0].name = "Brain".into()),
        ("no version", |m| m.models[0].version = " ".into()),
        ("no variants", |m| m.models[0].variants.clear()),
        ("fp16 is listed twice", |m| m.models[0].variants[1].precision = Precision::Fp16),
        ("not 64 lower case", |m| m.models[0].variants[0].sha256 = "0123456789ABCDEF".repeat(4)),
        ("not 64 lower case", |m| m.models[0].variants[0].sha256.truncate(63)),
        ("size_bytes 0", |m| m.models[0].variants[1].size_bytes = 0),
        ("plain file name", |m| m.models[0].variants[1].file = "../secret.onnx".into()),
        ("lists no operators", |m| m.models[0].variants[0].operators.clear()),
        ("licence is empty", |m| m.models[0].licence.spdx = String::new()),
        ("licence file", |m| m.models[0].licence.file = "../LICENSE".into()),
        ("source is empty", |m| m.models[0].card.source = " ".into()),
        ("2 input channels", |m| m.models[0].input.channels = 2),
        ("three letters", |m| m.models[0].input.geometry.orientation = "RAR".into()),
        ("three letters", |m| m.models[0].input.geometry.orientation = "RASS".into()),
        ("spacing_mm", |m| m.models[0].input.geometry.spacing_mm = Some([1.0, 0.0, 1.0])),
        ("size", |m| m.models[0].input.geometry.size = Size::Fixed([0, 1, 1])),
        ("state 1", |m| m.models[0].input.layout = Layout::Nchw),
        ("fit cover", |m| m.models[0].input.geometry.fit = Fit::Cover { short_side: 9 }),
        ("crop_margin", |m| m.models[0].input.geometry.crop_margin = f64::NAN),
        ("maps to nothing", |m| {
            m.models[0].input.intensity[0] = Intensity::Quantile { low: 0.5, high: 0.5, clip: true };
        }),
        ("no labels", |m| m.models[0].output.labels.clear()),
        ("not within 1 to 255", |m| m.models[0].output.labels[0].index = 256),
        ("label 2 is listed twice", |m| m.models[0].output.labels[0].index = 2),
        ("label 2 has no name", |m| m.models[0].output.labels[1].name = String::new()),
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
    assert_eq!(json["schema_version"], 2);
    let model = &json["models"][0];
    assert_eq!(model["task"], "segmentation");
    assert_eq!(model["variants"][1]["precision"], "int8");
    assert_eq!(model["variants"][1]["size_bytes"], 48_001);
    assert_eq!(
        model["input"]["geometry"]["size"],
        serde_json::json!({ "kind": "fixed", "samples": [256, 256, 256] })
    );
    assert_eq!(model["input"]["geometry"]["fit"]["kind"], "pad_or_crop");
    assert_eq!(model["input"]["intensity"][0]["kind"], "range");
    assert_eq!(model["output"]["post"][0]["kind"], "largest_component");
    assert!(json.get("signatures").is_none(), "absent signatures are left out");
    assert_eq!(serde_json::from_value::<Manifest>(json).expect("reads back"), valid());

    let read: Manifest = serde_json::from_str(r#"{"schema_version":2}"#).expect("models may be absent");
    assert_eq!(read, Manifest::empty());
    serde_json::from_str::<Manifest>(r#"{"schema_version":2,"modles":[]}"#)
        .expect_err("a misspelt field must not read as an empty list");
    serde_json::from_str::<Intensity>(r#"{"kind":"range","clip":true,"lo":3}"#)
        .expect_err("a misspelt field of a step must not read as an absent one");
}

#[test]
fn axes_follow_lps() {
    let mut geometry = segmenter().input.geometry;
    assert_eq!(geometry.axes(), Some([(0, -1.0), (1, -1.0), (2, 1.0)]));
    geometry.orientation = "IPL".into();
    assert_eq!(geometry.axes(), Some([(2, -1.0), (1, 1.0), (0, 1.0)]));
    geometry.orientation = String::new();
    assert_eq!(geometry.axes(), None);
}

#[test]
fn models_are_found_by_name_version_and_precision() {
    let manifest = valid();
    let model = manifest.model("brain-41", None).expect("listed");
    assert!(manifest.model("brain-41", Some("2")).is_none());
    assert_eq!(model.variant(None).map(|v| v.precision), Some(Precision::Fp16));
    let int8 = model.variant(Some(Precision::Int8)).expect("listed");
    assert_eq!(model.download_path(int8), "/api/models/brain-41/download?version=1.0.0%2Ba%20b&variant=int8");
    assert!(model.variant(Some(Precision::Fp32)).is_none());
}
