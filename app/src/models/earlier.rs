//! What tells an image and a model's file from every other: their hashes, for `state::results`.
//!
//! By the browser's own SHA-256, which works beside the page's thread; where a page is not served securely there is
//! none, and everything is computed anew.

use js_sys::{ArrayBuffer, Uint8Array};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use crate::state::results::{MOST_BYTES, Results};

/// Label maps of earlier runs, outside of wasm memory.
pub type Earlier = Results<ArrayBuffer>;

/// None yet.
pub fn none() -> Earlier {
    Results::within(MOST_BYTES)
}

/// Browsers copy what they hash: a volume is hashed in pieces, its hash is that of the pieces' hashes.
const PIECE_BYTES: u32 = 16 << 20;

async fn digest(bytes: &Uint8Array) -> Option<Uint8Array> {
    let subtle = window().crypto().ok()?.subtle();
    let made = subtle.digest_with_str_and_js_u8_array("SHA-256", bytes).ok()?;
    Some(Uint8Array::new(&JsFuture::from(made).await.ok()?))
}

/// Of the bytes of an ArrayBuffer, in hexadecimal digits.
pub async fn hash_of(buffer: &JsValue) -> Option<String> {
    let buffer: &ArrayBuffer = buffer.dyn_ref()?;
    let whole = Uint8Array::new(buffer);
    let mut hashes = Vec::new();
    let mut first = 0;
    while first < whole.length() {
        let end = whole.length().min(first + PIECE_BYTES);
        hashes.extend(digest(&whole.subarray(first, end)).await?.to_vec());
        first = end;
    }
    let all = digest(&Uint8Array::from(hashes.as_slice())).await?.to_vec();
    Some(all.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Of the content of a file that was dropped, whatever its card says.
pub async fn hash_of_file(file: &File) -> Option<String> {
    hash_of(&JsFuture::from(file.array_buffer()).await.ok()?).await
}
