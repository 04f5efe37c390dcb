//! The answers of the API that are no model: health and errors.
//!
//! An error has a stable `code` for programs and a sentence for people, so that neither parses the other's.

use serde::{Deserialize, Serialize};

/// Where the page asks whether its server is alive and of which version.
pub const HEALTH_PATH: &str = "/api/health";

/// Where the page finds which models this server offers.
pub const MODELS_MANIFEST_PATH: &str = "/api/models/manifest";

/// Where it downloads one, as a pattern; `contract::models::Model::download_path` makes the address.
pub const MODEL_DOWNLOAD_PATH: &str = "/api/models/{name}/download";

/// Answer of [`HEALTH_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What the server can say of itself.
    pub status: HealthStatus,
    /// Version of the server, as in its Cargo.toml.
    pub version: String,
}

/// A server that cannot answer says nothing; this leaves room for one that answers in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything this server offers works.
    Ok,
}

/// Body of every answer of the API that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What went wrong.
    pub error: ErrorBody,
}

/// For programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable, `snake_case`.
    pub code: String,
    /// What failed and what to do.
    pub message: String,
}

impl ApiError {
    /// An error with its stable code and its sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { error: ErrorBody { code: code.to_owned(), message: message.into() } }
    }
}
