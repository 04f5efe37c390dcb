//! The models of the operator's folders and of the bundle: cards read, weights checked, one offer made.
//!
//! A card is read anew for each manifest, so a model that was just added shows at once; the hash of a file is
//! computed once for each length and time of change, because weights have megabytes and cards do not.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::http::HeaderValue;
use contract::models::{CARD_FILE, Manifest, Model, Precision, Refusal, Variant};
use sha2::{Digest, Sha256};

/// Larger than any card that describes its model and nothing else.
const CARD_LIMIT_BYTES: u64 = 1 << 20;

/// Why a card is not offered.
#[derive(Debug, thiserror::Error)]
enum CardError {
    #[error("{CARD_FILE} cannot be read: {0}; check its permissions")]
    Read(std::io::Error),
    #[error("{CARD_FILE} has {0} bytes, more than {CARD_LIMIT_BYTES}: describe the model only")]
    TooLarge(u64),
    #[error("{CARD_FILE} is not a card: {0}; correct it")]
    Json(serde_json::Error),
    #[error("{CARD_FILE}: {0}")]
    Rule(String),
    #[error("{CARD_FILE} names the model {0:?}, but its folder has another name: rename one of them")]
    OtherName(String),
    #[error("{file} cannot be read: {source}; put it beside the card")]
    Weights { file: String, source: std::io::Error },
    #[error("{file} has {found} bytes, the card says {stated}: copy the file again or correct the card")]
    Size { file: String, found: u64, stated: u64 },
    #[error("{file} has sha256 {found}, the card says {stated}: copy the file again or correct the card")]
    Hash { file: String, found: String, stated: String },
    #[error("version {version} of {name} is offered from an earlier folder: raise the version")]
    Twice { name: String, version: String },
}

/// A file of weights whose content was checked.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    modified: Option<SystemTime>,
    /// Of its content, with its quotes.
    pub(crate) etag: HeaderValue,
}

impl Weights {
    /// Whether the file on disc is still the one whose hash was taken.
    async fn unchanged(&self) -> bool {
        match tokio::fs::metadata(&self.path).await {
            Ok(meta) => meta.len() == self.len && meta.modified().ok() == self.modified,
            Err(_) => false,
        }
    }
}

type Key = (String, String, Precision);

/// What was found on one reading.
#[derive(Debug, Default)]
struct Offer {
    models: Vec<Model>,
    refused: Vec<Refusal>,
    files: HashMap<Key, Weights>,
}

/// Hash by path, valid for one length and one time of change.
type Hashes = HashMap<PathBuf, (u64, Option<SystemTime>, String)>;

/// All models of this server.
pub(crate) struct Registry {
    folders: Vec<PathBuf>,
    current: Mutex<Arc<Offer>>,
    hashes: Arc<Mutex<Hashes>>,
    /// Held while reading, so that many requests after a change hash a file once.
    reading: tokio::sync::Mutex<()>,
}

impl Registry {
    pub(crate) fn new(folders: Vec<PathBuf>) -> Self {
        let (current, hashes, reading) = Default::default();
        Self { folders, current, hashes, reading }
    }

    /// The manifest as the folders are now.
    pub(crate) async fn manifest(&self) -> Manifest {
        let offer = self.read().await;
        Manifest { models: offer.models.clone(), refused: offer.refused.clone(), ..Manifest::empty() }
    }

    /// A model and the file of one of its variants. `None`: this server does not offer it.
    pub(crate) async fn find(
        &self,
        name: &str,
        version: Option<&str>,
        precision: Option<Precision>,
    ) -> Option<Weights> {
        let look = |offer: &Offer| {
            let model =
                offer.models.iter().find(|m| m.name == name && version.is_none_or(|v| v == m.version))?;
            let variant = model.variant(precision)?;
            offer.files.get(&key(model, variant)).cloned()
        };
        // A range of a large file asks often: the folders are read again only when something has changed.
        let found = look(&self.current());
        match found {
            Some(weights) if weights.unchanged().await => Some(weights),
            _ => look(&*self.read().await),
        }
    }

    fn current(&self) -> Arc<Offer> {
        // A writer only stores a pointer, so a poisoned lock still holds a whole offer.
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self) -> Arc<Offer> {
        let _reading = self.reading.lock().await;
        let (folders, hashes) = (self.folders.clone(), self.hashes.clone());
        let read = tokio::task::spawn_blocking(move || read_offer(&folders, &hashes)).await;
        match read {
            Ok(offer) => {
                for refusal in &offer.refused {
                    tracing::warn!(reason = refusal.reason, "a model is not offered");
                }
                let offer = Arc::new(offer);
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = offer.clone();
                offer
            }
            // The runtime is going down.
            Err(_) => self.current(),
        }
    }
}

fn key(model: &Model, variant: &Variant) -> Key {
    (model.name.clone(), model.version.clone(), variant.precision)
}

fn read_offer(folders: &[PathBuf], hashes: &Mutex<Hashes>) -> Offer {
    let mut offer = Offer::default();
    let mut seen: Vec<PathBuf> = Vec::new();
    for folder in folders {
        // The operator's folder may be the bundle's.
        let Ok(real) = fs::canonicalize(folder) else { continue };
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        for card_folder in card_folders(folder) {
            let name = card_folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match read_card(&card_folder, &name, &offer, hashes) {
                Ok((model, files)) => {
                    offer.files.extend(files);
                    offer.models.push(model);
                }
                Err(error) => offer.refused.push(Refusal { folder: name, reason: error.to_string() }),
            }
        }
    }
    offer
}

/// Folders with a card, by name: the order of the manifest does not hang on the file system.
fn card_folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join(CARD_FILE).is_file())
        .collect();
    found.sort();
    found
}

fn read_card(
    folder: &Path,
    folder_name: &str,
    offer: &Offer,
    hashes: &Mutex<Hashes>,
) -> Result<(Model, Vec<(Key, Weights)>), CardError> {
    let path = folder.join(CARD_FILE);
    let len = fs::metadata(&path).map_err(CardError::Read)?.len();
    if len > CARD_LIMIT_BYTES {
        return Err(CardError::TooLarge(len));
    }
    let bytes = fs::read(&path).map_err(CardError::Read)?;
    let model: Model = serde_json::from_slice(&bytes).map_err(CardError::Json)?;
    model.check().map_err(CardError::Rule)?;
    // Two versions lie in `name` and `name-2`: the rest of the folder's name is free.
    if !folder_name.starts_with(&model.name) {
        return Err(CardError::OtherName(model.name));
    }
    if offer.models.iter().any(|m| m.name == model.name && m.version == model.version) {
        return Err(CardError::Twice { name: model.name, version: model.version });
    }
    let files = model
        .variants
        .iter()
        .map(|variant| Ok((key(&model, variant), read_weights(folder, variant, hashes)?)))
        .collect::<Result<_, CardError>>()?;
    Ok((model, files))
}

fn read_weights(folder: &Path, variant: &Variant, hashes: &Mutex<Hashes>) -> Result<Weights, CardError> {
    let path = folder.join(&variant.file);
    let file = || variant.file.clone();
    let failed = |source| CardError::Weights { file: file(), source };
    let meta = fs::metadata(&path).map_err(failed)?;
    let (len, modified) = (meta.len(), meta.modified().ok());
    if len != variant.size_bytes {
        return Err(CardError::Size { file: file(), found: len, stated: variant.size_bytes });
    }
    let known = {
        let hashes = hashes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.get(&path).filter(|(l, m, _)| (*l, *m) == (len, modified)).map(|(.., hash)| hash.clone())
    };
    let found = match known {
        Some(hash) => hash,
        None => {
            let hash = sha256(&path).map_err(failed)?;
            let entry = (len, modified, hash.clone());
            hashes.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), entry);
            hash
        }
    };
    if found != variant.sha256 {
        return Err(CardError::Hash { file: file(), found, stated: variant.sha256.clone() });
    }
    // Hexadecimal digits and quotes are always a valid header.
    let etag = HeaderValue::from_str(&format!("\"sha256-{found}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    Ok(Weights { path, len, modified, etag })
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        hash.update(&chunk[..n]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
