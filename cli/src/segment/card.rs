//! Which model is meant: one of the bundle or of a folder by name, a card, or a bare ONNX file.
//!
//! A card says everything that must be known. A file without one is run as most tools would run it, and each
//! thing that was assumed is said.

use std::path::{Path, PathBuf};

use contract::models::{CARD_FILE, Model, Task, Variant};
use sha2::{Digest as _, Sha256};

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a path nor a name.
    #[error("there is no model {name:?}: name a file, a folder with a {CARD_FILE}, or one of: {known}")]
    Unknown {
        /// As given.
        name: String,
        /// In the folders.
        known: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A card that breaks a rule.
    #[error("{} is no card of a model: {why}", path.display())]
    Card {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file is not the one that the card vouches for.
    #[error("{} has sha256 {found}, its card says {stated}: copy the file again or correct the card", path.display())]
    Hash {
        /// Which.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the card.
        stated: String,
    },
    /// A model for something else.
    #[error("{0} is for {1:?}, not for segmentation: use `isocenter infer`")]
    Task(String, Task),
    /// No such precision.
    #[error("{0} comes as {1}: choose one of these with --variant")]
    Variant(String, String),
}

/// A model and the bytes of its file.
pub struct Found {
    /// `None` for a bare file.
    pub card: Option<Model>,
    /// Content of the file.
    pub bytes: Vec<u8>,
    /// Of the file.
    pub sha256: String,
    /// For messages.
    pub title: String,
}

/// Looks a model up. `folders` are searched in their order.
pub fn find(name: &str, variant: Option<&str>, folders: &[PathBuf]) -> Result<Found, Error> {
    let path = Path::new(name);
    if path.is_file() && path.file_name().is_none_or(|file| file != CARD_FILE) {
        let beside = path.with_file_name(CARD_FILE);
        let listed = |model: &Model| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            model.variants.iter().find(|v| v.file == file).cloned()
        };
        // A card that lies beside the file speaks for it only if it names it.
        if beside.is_file()
            && let Ok(model) = read_card(&beside)
            && let Some(variant) = listed(&model)
        {
            return with_card(model, &variant, path.parent().unwrap_or(Path::new("")));
        }
        let (bytes, sha256) = hashed(path)?;
        let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(Found { card: None, bytes, sha256, title });
    }
    let card = if path.is_dir() { path.join(CARD_FILE) } else { path.to_owned() };
    if card.is_file() {
        let model = read_card(&card)?;
        let chosen = choose(&model, variant)?;
        return with_card(model, &chosen, card.parent().unwrap_or(Path::new("")));
    }
    let mut known = Vec::new();
    for folder in folders {
        let mut cards: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join(CARD_FILE)))
            .filter(|card| card.is_file())
            .collect();
        cards.sort();
        for card in cards {
            // One broken card does not hide the others; `isocenter serve` says what is wrong with it.
            let Ok(model) = read_card(&card) else { continue };
            if model.name == name {
                let chosen = choose(&model, variant)?;
                return with_card(model, &chosen, card.parent().unwrap_or(folder));
            }
            known.push(model.name);
        }
    }
    Err(Error::Unknown { name: name.to_owned(), known: known.join(", ") })
}

fn read_card(path: &Path) -> Result<Model, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File { path: path.into(), error })?;
    let wrong = |why: String| Error::Card { path: path.into(), why };
    let model: Model = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    model.check().map_err(wrong)?;
    Ok(model)
}

fn choose(model: &Model, wanted: Option<&str>) -> Result<Variant, Error> {
    let named = |variant: &&Variant| wanted.is_none_or(|name| variant.precision.name() == name);
    model.variants.iter().find(named).cloned().ok_or_else(|| {
        let names: Vec<&str> = model.variants.iter().map(|v| v.precision.name()).collect();
        Error::Variant(model.name.clone(), names.join(", "))
    })
}

fn with_card(model: Model, variant: &Variant, folder: &Path) -> Result<Found, Error> {
    if model.task != Task::Segmentation {
        return Err(Error::Task(model.name, model.task));
    }
    let path = folder.join(&variant.file);
    let (bytes, sha256) = hashed(&path)?;
    if sha256 != variant.sha256 {
        return Err(Error::Hash { path, found: sha256, stated: variant.sha256.clone() });
    }
    let title = format!("{} {} ({})", model.name, model.version, variant.precision.name());
    Ok(Found { card: Some(model), bytes, sha256, title })
}

fn hashed(path: &Path) -> Result<(Vec<u8>, String), Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File { path: path.into(), error })?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sha256))
}
