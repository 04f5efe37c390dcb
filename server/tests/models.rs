//! The registry of a real server: what is offered, what is refused, and how weights travel.
//!
//! Models are small made-up files, but for one test that reads the bundled ones and one that reads the example
//! of the documentation: both promise something about real files.

mod common;

use std::path::Path;

use common::{Reply, Running};
use contract::api::ApiError;
use contract::models::{Alignment, Fit, Manifest, Model, Precision, Size};
use sha2::{Digest, Sha256};

const WEIGHTS: &[u8] = b"0123456789 weights of a model";

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The card of the documentation with other names and files.
fn card(name: &str, version: &str, weights: &[u8]) -> Model {
    let mut model = documented();
    model.name = name.into();
    model.version = version.into();
    let variant = &mut model.variants[0];
    variant.file = "weights.onnx".into();
    variant.sha256 = hash(weights);
    variant.size_bytes = weights.len() as u64;
    model
}

fn documented() -> Model {
    let text = std::fs::read_to_string(testbed::checkout().join("docs/models.md")).expect("documentation");
    let json = text.split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    serde_json::from_str(json).expect("the example is a card")
}

fn put(folder: &Path, model: &Model, weights: &[u8]) {
    std::fs::create_dir_all(folder).expect("folder");
    std::fs::write(folder.join("model.json"), serde_json::to_vec(model).expect("JSON")).expect("card");
    std::fs::write(folder.join(&model.variants[0].file), weights).expect("weights");
}

async fn manifest(server: &Running) -> Manifest {
    let reply = server.get("/api/models/manifest").await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"));
    let manifest: Manifest = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(manifest.check(), Ok(()));
    manifest
}

fn code(reply: &Reply) -> String {
    assert_eq!(reply.header("content-type"), "application/json");
    let error: ApiError = serde_json::from_slice(&reply.body).expect("JSON");
    error.error.code
}

#[tokio::test]
async fn weights_travel_whole_in_parts_and_only_once() {
    let server = Running::start_with(|f| {
        put(&f.join("models/brain"), &card("brain", "1", WEIGHTS), WEIGHTS);
        put(&f.join("models/brain-2"), &card("brain", "2+b", b"newer"), b"newer");
    })
    .await;
    let offered = manifest(&server).await;
    assert_eq!(offered.models.iter().map(|m| m.version.as_str()).collect::<Vec<_>>(), ["1", "2+b"]);
    let path = offered.models[0].download_path(&offered.models[0].variants[0]);
    let etag = format!("\"sha256-{}\"", hash(WEIGHTS));

    let whole = server.get(&path).await;
    assert_eq!((whole.status, whole.body.as_slice()), (200, WEIGHTS));
    assert_eq!(whole.header("etag"), etag);
    assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("accept-ranges"), "bytes");

    let head = server.send("HEAD", &path, &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!((head.header("etag"), head.header("content-length")), (etag.as_str(), "29"));

    let part = server.send("GET", &path, &[("range", "bytes=11-17")]).await;
    assert_eq!((part.status, part.text()), (206, "weights"));
    assert_eq!(part.header("content-range"), "bytes 11-17/29");
    let part = server.send("GET", &path, &[("range", "bytes=11-"), ("if-range", &etag)]).await;
    assert_eq!((part.status, part.text()), (206, "weights of a model"));
    let other = server.send("GET", &path, &[("range", "bytes=11-"), ("if-range", "\"old\"")]).await;
    assert_eq!((other.status, other.body.len()), (200, WEIGHTS.len()));
    let known = server.send("GET", &path, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let beyond = server.send("GET", &path, &[("range", "bytes=29-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */29"));
    assert_eq!(code(&beyond), "bad_range");

    // An address that may mean other bytes tomorrow is not kept.
    let first = server.get("/api/models/brain/download").await;
    assert_eq!((first.body.as_slice(), first.header("cache-control")), (WEIGHTS, "no-cache"));
    let second = server.get("/api/models/brain/download?version=2%2Bb").await;
    assert_eq!((second.text(), second.header("cache-control")), ("newer", "no-cache"));
}

#[tokio::test]
async fn what_is_not_offered_is_told_apart_from_what_is_not_understood() {
    let server = Running::start_with(|f| {
        put(&f.join("models/brain"), &card("brain", "1", WEIGHTS), WEIGHTS);
    })
    .await;
    for path in [
        "/api/models/heart/download",
        "/api/models/brain/download?version=2",
        "/api/models/brain/download?variant=int8",
        "/api/models/..%2f..%2fsecret.txt/download",
        "/api/models/weights.onnx/download",
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, code(&reply).as_str()), (404, "unknown_model"), "{path}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    for path in [
        "/api/models/brain/download?variant=fp17",
        "/api/models/brain/download?version=1&version=2",
        "/api/models/brain/download?verison=1",
        "/api/models/%ff/download",
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, code(&reply).as_str()), (400, "bad_query"), "{path}");
    }
    let reply = server.send("POST", "/api/models/brain/download", &[]).await;
    assert_eq!((reply.status, code(&reply).as_str()), (405, "wrong_method"));
}

#[tokio::test]
async fn a_broken_card_is_refused_with_its_reason_and_the_rest_is_served() {
    type Fault = (&'static str, fn(&Path));
    let faults: [Fault; 8] = [
        ("not a card", |f| std::fs::write(f.join("model.json"), "{").expect("file")),
        ("more than 1048576", |f| {
            std::fs::write(f.join("model.json"), " ".repeat((1 << 20) + 1)).expect("file");
        }),
        ("28 bytes, the card says 29", |f| {
            std::fs::write(f.join("weights.onnx"), &WEIGHTS[1..]).expect("file");
        }),
        ("the card says", |f| {
            let mut changed = WEIGHTS.to_vec();
            changed[7] ^= 1;
            std::fs::write(f.join("weights.onnx"), changed).expect("file");
        }),
        ("weights.onnx cannot be read", |f| std::fs::remove_file(f.join("weights.onnx")).expect("file")),
        ("another name", |f| put(f, &card("other", "1", WEIGHTS), WEIGHTS)),
        ("lower case letters", |f| put(f, &card("Broken", "1", WEIGHTS), WEIGHTS)),
        ("offered from an earlier folder", |f| {
            put(&f.join("../../bundled/good"), &card("good", "1", WEIGHTS), WEIGHTS);
            std::fs::remove_file(f.join("model.json")).expect("file");
        }),
    ];
    for (expected, plant) in faults {
        let server = Running::start_with(|f| {
            put(&f.join("models/good"), &card("good", "1", WEIGHTS), WEIGHTS);
            put(&f.join("models/broken"), &card("broken", "1", WEIGHTS), WEIGHTS);
            plant(&f.join("models/broken"));
        })
        .await;
        let offered = manifest(&server).await;
        assert_eq!(offered.models.len(), 1, "{expected}");
        assert_eq!(offered.models[0].name, "good");
        let [refusal] = offered.refused.as_slice() else { panic!("{expected}: {:?}", offered.refused) };
        assert!(refusal.reason.contains(expected), "{} lacks {expected}", refusal.reason);
        assert_eq!(server.get("/api/models/broken/download").await.status, 404, "{expected}");
        assert_eq!(server.get("/api/models/good/download").await.body, WEIGHTS);
    }
}

#[tokio::test]
async fn what_changes_on_disc_is_seen_at_once() {
    let server = Running::start().await;
    assert_eq!(manifest(&server).await, Manifest::empty());
    let folder = server.folder.path().join("models/brain");
    put(&folder, &card("brain", "1", WEIGHTS), WEIGHTS);
    assert_eq!(server.get("/api/models/brain/download").await.body, WEIGHTS, "a model was added");
    // Same length, other content: only the time of change differs.
    let mut changed = WEIGHTS.to_vec();
    changed[7] ^= 1;
    std::fs::write(folder.join("weights.onnx"), &changed).expect("file");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(7);
    let file = std::fs::File::options().append(true).open(folder.join("weights.onnx")).expect("file");
    file.set_modified(later).expect("time");
    assert_eq!(
        server.get("/api/models/brain/download").await.status,
        404,
        "bytes that the card does not vouch for"
    );
    assert!(manifest(&server).await.refused[0].reason.contains("sha256"));
}

#[tokio::test]
async fn the_bundled_models_keep_every_rule() {
    let bundled = testbed::checkout().join("models");
    let server = Running::start_with(|f| {
        #[cfg(unix)]
        std::os::unix::fs::symlink(bundled.canonicalize().expect("path"), f.join("bundled")).expect("link");
    })
    .await;
    let offered = manifest(&server).await;
    assert_eq!(offered.refused, []);
    let names: Vec<&str> = offered.models.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["deepbet-bbox", "efficientnet-lite0"]);
    for model in &offered.models {
        assert!(matches!(model.licence.spdx.as_str(), "MIT" | "Apache-2.0"), "{}", model.licence.spdx);
        let licence = std::fs::read_to_string(bundled.join(&model.name).join(&model.licence.file));
        assert!(licence.expect("the licence lies beside its card").len() > 500);
        assert!(!model.card.quality.is_empty());
        let bytes = server.get(&model.download_path(&model.variants[0])).await.body;
        assert_eq!(hash(&bytes), model.variants[0].sha256);
    }
}

#[tokio::test]
async fn the_documented_card_describes_the_real_file() {
    let Some(source) = testbed::reference("data/models/meshnet-model5_gw_ae.onnx") else { return };
    let bytes = std::fs::read(source).expect("model");
    let server = Running::start_with(|f| put(&f.join("models/meshnet-tissue"), &documented(), &bytes)).await;
    let offered = manifest(&server).await;
    assert_eq!(offered.refused, []);
    let model = &offered.models[0];
    assert_eq!(model.variants[0].precision, Precision::Fp32);
    let geometry = &model.input.geometry;
    assert_eq!(geometry.alignment, Alignment::Patient);
    assert_eq!((geometry.size, geometry.fit), (Size::Fixed([256; 3]), Fit::PadOrCrop));
    assert_eq!(server.get(&model.download_path(&model.variants[0])).await.body, bytes);
}
