//! The headers that every reply carries, whoever made it.
//!
//! Added in one place around the whole router, so that an error page or a route added later cannot go
//! out without them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::middleware::Next;
use axum::response::Response;

use crate::site::Site;

/// Name and value of each, but for the Content-Security-Policy, which depends on the app that is served.
pub const SECURITY_HEADERS: [(&str, &str); 6] = [
    // Opener and embedder policy together make the page cross-origin isolated: precise timers and shared memory.
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()",
    ),
];

/// Puts them on a reply.
pub(crate) async fn add(State(site): State<Arc<Site>>, request: Request<Body>, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_SECURITY_POLICY, site.current().policy.clone());
    response
}
