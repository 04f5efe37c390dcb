//! Every file of the built app, with what its headers will say.
//!
//! Listed before the first request: a path that is not in the list is not served, so no way of writing
//! `..` can reach a file outside, and links are not followed.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::csp;

/// The app cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Not built yet.
    #[error("there is no index.html in {}: run `cargo xtask build` or name the built app with --dist", dist.display())]
    NoApp {
        /// Where it was looked for.
        dist: PathBuf,
    },
    /// A file of it cannot be read.
    #[error("cannot read {}: {source}; check its permissions or build again", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The app as it was when it was listed.
pub(crate) struct Listing {
    /// By path without the leading slash.
    pub(crate) files: HashMap<String, Asset>,
    pub(crate) policy: HeaderValue,
}

/// One file, in the encodings that are there.
#[derive(Clone)]
pub(crate) struct Asset {
    /// The path it is listed under: safe to log.
    pub(crate) name: Arc<str>,
    pub(crate) mime: &'static str,
    /// Its name changes with its content.
    pub(crate) hashed: bool,
    pub(crate) plain: Encoded,
    pub(crate) brotli: Option<Encoded>,
}

/// A file on disc.
#[derive(Clone)]
pub(crate) struct Encoded {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) modified: Option<SystemTime>,
    /// Strong, with its quotes.
    pub(crate) etag: HeaderValue,
}

impl Listing {
    pub(crate) fn read(dist: &Path) -> Result<Self, SiteError> {
        let index = dist.join("index.html");
        if !index.is_file() {
            return Err(SiteError::NoApp { dist: dist.to_owned() });
        }
        let mut paths = Vec::new();
        walk(dist, "", &mut paths)?;
        let mut files = HashMap::new();
        for name in paths.iter().filter(|name| !name.ends_with(".br")) {
            let plain = Encoded::read(&dist.join(name))?;
            let compressed = format!("{name}.br");
            let brotli = if paths.contains(&compressed) {
                // A compressed file older than its original is left over from another build.
                Some(Encoded::read(&dist.join(&compressed))?).filter(|br| br.modified >= plain.modified)
            } else {
                None
            };
            let asset = Asset {
                name: name.as_str().into(),
                mime: mime(name),
                hashed: is_hashed(name),
                plain,
                brotli,
            };
            files.insert(name.clone(), asset);
        }
        let html = fs::read_to_string(&index).map_err(|source| SiteError::Read { path: index, source })?;
        let policy = HeaderValue::from_str(&csp::policy(&html))
            .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        Ok(Self { files, policy })
    }
}

impl Encoded {
    fn read(path: &Path) -> Result<Self, SiteError> {
        let failed = |source| SiteError::Read { path: path.to_owned(), source };
        let mut file = fs::File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        let mut len = 0;
        loop {
            let n = file.read(&mut chunk).map_err(failed)?;
            if n == 0 {
                break;
            }
            len += n as u64;
            hash.update(&chunk[..n]);
        }
        let digest: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // Hexadecimal digits and quotes are always a valid header.
        let etag = HeaderValue::from_str(&format!("\"{digest}\""))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Ok(Self { path: path.to_owned(), len, modified: meta.modified().ok(), etag })
    }

    /// Whether the file on disc is still the one that was listed.
    pub(crate) async fn unchanged(&self) -> bool {
        match tokio::fs::metadata(&self.path).await {
            Ok(meta) => meta.len() == self.len && meta.modified().ok() == self.modified,
            Err(_) => false,
        }
    }
}

/// Regular files below `dist`, without hidden ones (Trunk stages there) and without links.
fn walk(dist: &Path, below: &str, paths: &mut Vec<String>) -> Result<(), SiteError> {
    let folder = dist.join(below);
    let failed = |source| SiteError::Read { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        // `file_type` of an entry does not follow links.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(dist, &path, paths)?;
        } else if kind.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

/// Trunk's `name-0123456789abcdef.js` and `name-0123456789abcdef_bg.wasm`.
pub(crate) fn is_hashed(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.split(['-', '_', '.']).any(|part| part.len() >= 15 && part.chars().all(|c| c.is_ascii_hexdigit()))
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        // RFC 9239
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        "zip" => "application/zip",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trunks_hashes_make_a_name_immutable() {
        for hashed in [
            "app-0123456789abcdef.js",
            "app-a1b2c3d4e5f60718_bg.wasm",
            "snippets/leptos-fedcba9876543210/inline0.js",
        ] {
            assert_eq!(is_hashed(hashed), !hashed.starts_with("snippets"), "{hashed}");
        }
        for plain in ["index.html", "sw.js", "engine_loader.js", "icons/isocenter-192.png", "cafe-decade.css"]
        {
            assert!(!is_hashed(plain), "{plain}");
        }
    }
}
