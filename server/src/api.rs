//! The API: health, the manifest of the models, and a clear answer for everything else.
//!
//! All its answers are JSON, errors too, so that a program never meets the app's HTML where it asked for
//! data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use contract::api::{ApiError, HEALTH_PATH, Health, HealthStatus, MODELS_MANIFEST_PATH};
use contract::models::Manifest;

use crate::RouteLabel;
use crate::site::Site;

/// Larger than any manifest that lists its models and nothing else.
const MANIFEST_LIMIT_BYTES: u64 = 1 << 20;

/// Why there is no manifest to send.
#[derive(Debug, thiserror::Error)]
enum ManifestError {
    #[error("models/manifest.json cannot be read: {0}; check its permissions")]
    Read(std::io::Error),
    #[error("models/manifest.json has {0} bytes, more than {MANIFEST_LIMIT_BYTES}: list models only")]
    TooLarge(u64),
    #[error("models/manifest.json is not a manifest: {0}; correct it")]
    Json(serde_json::Error),
    #[error("models/manifest.json: {0}")]
    Rule(String),
}

pub(crate) fn router(models: PathBuf) -> Router<Arc<Site>> {
    let manifest = get(move || {
        let models = models.clone();
        async move { manifest(&models).await }
    });
    Router::new()
        .route(HEALTH_PATH, get(health).fallback(wrong_method))
        .route(MODELS_MANIFEST_PATH, manifest.fallback(wrong_method))
        .route("/api", any(unknown))
        .route("/api/", any(unknown))
        .route("/api/{*rest}", any(unknown))
}

async fn health(State(_site): State<Arc<Site>>) -> Response {
    let health = Health { status: HealthStatus::Ok, version: env!("CARGO_PKG_VERSION").to_owned() };
    answer(HEALTH_PATH, StatusCode::OK, Json(health))
}

async fn manifest(models: &Path) -> Response {
    match read_manifest(models).await {
        Ok(manifest) => answer(MODELS_MANIFEST_PATH, StatusCode::OK, Json(manifest)),
        Err(error) => {
            tracing::error!(%error, "no manifest");
            let body = Json(ApiError::new("manifest_unreadable", error.to_string()));
            answer(MODELS_MANIFEST_PATH, StatusCode::INTERNAL_SERVER_ERROR, body)
        }
    }
}

/// Read for each request: the file is small, and a model that was just added shows at once.
async fn read_manifest(models: &Path) -> Result<Manifest, ManifestError> {
    let path = models.join("manifest.json");
    let len = match tokio::fs::metadata(&path).await {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Manifest::empty()),
        Err(error) => return Err(ManifestError::Read(error)),
    };
    if len > MANIFEST_LIMIT_BYTES {
        return Err(ManifestError::TooLarge(len));
    }
    let bytes = tokio::fs::read(&path).await.map_err(ManifestError::Read)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(ManifestError::Json)?;
    manifest.check().map_err(ManifestError::Rule)?;
    Ok(manifest)
}

/// What was asked for is not repeated: it may hold anything.
async fn unknown() -> Response {
    let message = format!(
        "This server has no such endpoint. It has GET {HEALTH_PATH} and GET {MODELS_MANIFEST_PATH}; \
         a newer version may have more."
    );
    answer("/api/*", StatusCode::NOT_FOUND, Json(ApiError::new("unknown_endpoint", message)))
}

async fn wrong_method() -> Response {
    let body = Json(ApiError::new("wrong_method", "This endpoint answers GET only."));
    answer("/api/*", StatusCode::METHOD_NOT_ALLOWED, body)
}

fn answer(label: &'static str, status: StatusCode, body: impl IntoResponse) -> Response {
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut response = (status, headers, body).into_response();
    response.extensions_mut().insert(RouteLabel(label.into()));
    response
}
