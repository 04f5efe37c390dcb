//! The file of a model: from the browser's cache, from the server, or from the reader's disc.
//!
//! Whatever the way, its hash is that of the card before a byte of it is interpreted. What the cache holds is checked
//! as well: a browser may have written half of it.

use contract::models::{Model, Precision, Variant};
use js_sys::{Reflect, Uint8Array};
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Cache, ReadableStreamDefaultReader, Response};

/// Not begun by the name of the app's own caches, which go with every new build.
const CACHE: &str = "models-of-isocenter";

/// Why there is no file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The card lists no such file.
    #[error("the model {model} comes in no {precision}; choose another precision")]
    NoVariant { model: String, precision: &'static str },
    /// The server is away or does not have it.
    #[error("the model could not be fetched: {0}. Try again when the server is there.")]
    Server(String),
    /// More than the card says.
    #[error(
        "the server sent more than the {expected} bytes that the card of the model states; nothing was run"
    )]
    TooLong { expected: u64 },
    /// Not the file of the card.
    #[error(
        "the file has sha256 {got}, its card says {expected}: it is damaged or another one, and nothing was run"
    )]
    Hash { got: String, expected: String },
    /// The dropped file is gone.
    #[error("the model's file could not be read; it may have been moved since it was dropped")]
    File,
}

/// The file of a variant, checked. `on_part` is told how much of it has come, 0 to 1.
pub async fn model(
    model: &Model,
    precision: Precision,
    file: Option<&Blob>,
    on_part: &dyn Fn(f64),
) -> Result<Vec<u8>, FetchError> {
    let variant = model
        .variants
        .iter()
        .find(|v| v.precision == precision)
        .ok_or_else(|| FetchError::NoVariant { model: model.name.clone(), precision: precision.name() })?;
    if let Some(file) = file {
        let buffer = JsFuture::from(file.array_buffer()).await.map_err(|_| FetchError::File)?;
        return checked(Uint8Array::new(&buffer).to_vec(), variant);
    }
    let cache = cache().await;
    let key = format!("/models/{}", variant.sha256);
    if let Some(cache) = &cache
        && let Some(bytes) = cached(cache, &key).await
        && let Ok(bytes) = checked(bytes, variant)
    {
        return Ok(bytes);
    }
    let url = format!(
        "/api/models/{}/download?version={}&variant={}",
        model.name,
        String::from(js_sys::encode_uri_component(&model.version)),
        precision.name()
    );
    let bytes = checked(download(&url, variant.size_bytes, on_part).await?, variant)?;
    if let Some(cache) = &cache {
        // A full disc costs the next visit a download, nothing else.
        let _ = keep(cache, &key, &bytes).await;
    }
    Ok(bytes)
}

/// 64 lower case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn checked(bytes: Vec<u8>, variant: &Variant) -> Result<Vec<u8>, FetchError> {
    let got = sha256(&bytes);
    // A file that was dropped without a card: nobody has stated a hash.
    if got == variant.sha256 || variant.sha256.is_empty() {
        Ok(bytes)
    } else {
        Err(FetchError::Hash { got, expected: variant.sha256.clone() })
    }
}

async fn cache() -> Option<Cache> {
    // Absent in a page that is not served securely.
    let caches = wire::worker::scope().caches().ok()?;
    JsFuture::from(caches.open(CACHE)).await.ok()?.dyn_into().ok()
}

async fn cached(cache: &Cache, key: &str) -> Option<Vec<u8>> {
    let response: Response = JsFuture::from(cache.match_with_str(key)).await.ok()?.dyn_into().ok()?;
    let buffer = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
    Some(Uint8Array::new(&buffer).to_vec())
}

async fn keep(cache: &Cache, key: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let body = Uint8Array::from(bytes);
    let response = Response::new_with_opt_buffer_source(Some(&body))?;
    JsFuture::from(cache.put_with_str(key, &response)).await.map(|_| ())
}

async fn download(url: &str, size_bytes: u64, on_part: &dyn Fn(f64)) -> Result<Vec<u8>, FetchError> {
    let text = |e: JsValue| FetchError::Server(wire::item(&e, "message").as_string().unwrap_or_default());
    let response: Response = JsFuture::from(wire::worker::scope().fetch_with_str(url))
        .await
        .map_err(text)?
        .dyn_into()
        .map_err(text)?;
    if !response.ok() {
        return Err(FetchError::Server(format!("the server answered {}", response.status())));
    }
    let reader: ReadableStreamDefaultReader = response
        .body()
        .and_then(|body| body.get_reader().dyn_into().ok())
        .ok_or_else(|| FetchError::Server("the answer has no content".into()))?;
    // In one piece: a vector that grows by doubling leaves holes as large as the file, and wasm gives nothing back. Where
    // the card promises more than there is room for, what comes decides.
    let mut bytes = Vec::new();
    let _ = bytes.try_reserve_exact(usize::try_from(size_bytes).unwrap_or(0));
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(text)?;
        if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
            return Ok(bytes);
        }
        let chunk = Uint8Array::new(&wire::item(&chunk, "value"));
        let begin = bytes.len();
        if (begin + chunk.length() as usize) as u64 > size_bytes {
            return Err(FetchError::TooLong { expected: size_bytes });
        }
        bytes.resize(begin + chunk.length() as usize, 0);
        chunk.copy_to(&mut bytes[begin..]);
        on_part(bytes.len() as f64 / size_bytes as f64);
    }
}
