//! axum: serves the app and the API.
