//! The API: health, the models, and a clear answer for everything else.
//!
//! All its answers but the weights themselves are JSON, errors too, so that a program never meets the app's
//! HTML where it asked for data.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use contract::api::{ApiError, HEALTH_PATH, Health, HealthStatus, MODEL_DOWNLOAD_PATH, MODELS_MANIFEST_PATH};
use contract::models::Precision;
use serde::Deserialize;

use crate::RouteLabel;
use crate::content::{self, ASK_AGAIN, Content, FOR_EVER, NotSent};
use crate::models::Registry;
use crate::site::Site;

pub(crate) fn router(models: Vec<PathBuf>) -> Router<Arc<Site>> {
    let registry = Arc::new(Registry::new(models));
    let offering = registry.clone();
    let manifest = get(move || async move {
        answer(MODELS_MANIFEST_PATH, StatusCode::OK, Json(offering.manifest().await))
    });
    let download =
        get(move |name, query, request| async move { download(&registry, name, query, request).await });
    Router::new()
        .route(HEALTH_PATH, get(health).fallback(wrong_method))
        .route(MODELS_MANIFEST_PATH, manifest.fallback(wrong_method))
        .route(MODEL_DOWNLOAD_PATH, download.fallback(wrong_method))
        .route("/api", any(unknown))
        .route("/api/", any(unknown))
        .route("/api/{*rest}", any(unknown))
}

async fn health(State(_site): State<Arc<Site>>) -> Response {
    let health = Health { status: HealthStatus::Ok, version: env!("CARGO_PKG_VERSION").to_owned() };
    answer(HEALTH_PATH, StatusCode::OK, Json(health))
}

/// Which of a model's files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    version: Option<String>,
    variant: Option<Precision>,
}

async fn download(
    registry: &Registry,
    name: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Response {
    let refuse =
        |status, code, message: &str| answer(MODEL_DOWNLOAD_PATH, status, Json(ApiError::new(code, message)));
    let (Ok(Path(name)), Ok(Query(wanted))) = (name, wanted) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "bad_query",
            "Ask for ?version=VERSION&variant=fp32|fp16|int8|qdq, each at most once; the manifest lists both.",
        );
    };
    let Some(weights) = registry.find(&name, wanted.version.as_deref(), wanted.variant).await else {
        return refuse(
            StatusCode::NOT_FOUND,
            "unknown_model",
            "This server offers no such model, version or variant. The manifest lists what it offers.",
        );
    };
    // Only a full address always means the same bytes.
    let exact = wanted.version.is_some() && wanted.variant.is_some();
    let content = Content {
        path: &weights.path,
        len: weights.len,
        etag: &weights.etag,
        mime: "application/octet-stream",
        cache: if exact { FOR_EVER } else { ASK_AGAIN },
        always: HeaderMap::new(),
        with_body: HeaderMap::new(),
    };
    let (request, _) = request.into_parts();
    match content::send(content, &request).await {
        Ok(mut response) => {
            response.extensions_mut().insert(RouteLabel(MODEL_DOWNLOAD_PATH.into()));
            response
        }
        Err(NotSent::Range(headers)) => {
            let message = format!("The file has {} bytes: ask for a range within it.", weights.len);
            let mut response = refuse(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", &message);
            if let Some(range) = headers.get(CONTENT_RANGE) {
                response.headers_mut().insert(CONTENT_RANGE, range.clone());
            }
            response
        }
        Err(NotSent::Gone) => refuse(
            StatusCode::NOT_FOUND,
            "unknown_model",
            "The file of this model has just gone. Ask for the manifest again.",
        ),
    }
}

/// What was asked for is not repeated: it may hold anything.
async fn unknown() -> Response {
    let message = format!(
        "This server has no such endpoint. It has GET {HEALTH_PATH}, GET {MODELS_MANIFEST_PATH} and \
         GET {MODEL_DOWNLOAD_PATH}; a newer version may have more."
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
