//! axum: serves the app and the API.
//!
//! A library, so that `isocenter serve`, the end-to-end tests and the tests beside this crate start the
//! very same server; it knows `contract` and nothing of images, because no image is ever sent to it.

mod api;
mod content;
mod csp;
mod headers;
mod listing;
mod models;
mod preconditions;
mod site;
mod statics;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use headers::SECURITY_HEADERS;
pub use listing::SiteError;

/// A reply that has not ended this long after the signal is cut off.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Where to listen and what to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port 0 lets the system choose; [`Server::local_addr`] tells which.
    pub addr: SocketAddr,
    /// The built app, as `cargo xtask build` leaves it.
    pub dist: PathBuf,
    /// Folders of models, each model in a folder of its own with its `model.json`; of two cards of one name
    /// and version the first folder's is taken. Without any this is a server without models.
    pub models: Vec<PathBuf>,
    /// For what users choose to hand in. Nothing is written there yet.
    pub data: PathBuf,
}

/// Why the server did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else listens there.
    #[error("port {} of {} is in use: stop what listens there or choose another with --addr {}:0", addr.port(), addr.ip(), addr.ip())]
    PortInUse {
        /// Where we wanted to listen.
        addr: SocketAddr,
    },
    /// The address is not ours or not allowed.
    #[error("cannot listen on {addr}: {source}; choose another with --addr")]
    Bind {
        /// Where we wanted to listen.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no app to serve.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// `--data` or `--models` names a file.
    #[error("--{option} must name a folder, but {} is a file", path.display())]
    NotAFolder {
        /// Which option.
        option: &'static str,
        /// What it named.
        path: PathBuf,
    },
    /// The listening socket failed while serving.
    #[error("serving failed: {0}")]
    Serve(#[source] std::io::Error),
}

/// A server that listens already and answers once [`Server::run`] is called.
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    router: Router,
}

impl Server {
    /// Reads the app's listing and binds the address.
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let models = config.models.iter().map(|path| ("models", path));
        for (option, path) in models.chain([("data", &config.data)]) {
            if path.is_file() {
                return Err(ServeError::NotAFolder { option, path: path.clone() });
            }
        }
        let site = Arc::new(site::Site::open(config.dist)?);
        let listener = TcpListener::bind(config.addr).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::PortInUse { addr: config.addr },
            _ => ServeError::Bind { addr: config.addr, source },
        })?;
        let local_addr = listener.local_addr().map_err(ServeError::Serve)?;
        Ok(Self { listener, local_addr, router: router(site, config.models) })
    }

    /// Where it listens, with the port that was really taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers until `shutdown` resolves, then lets running replies end, for at most five seconds.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let stopping = Arc::new(Notify::new());
        let told = stopping.clone();
        let serving = axum::serve(self.listener, self.router).with_graceful_shutdown(async move {
            shutdown.await;
            told.notify_one();
        });
        tokio::select! {
            ended = serving.into_future() => ended.map_err(ServeError::Serve),
            () = async { stopping.notified().await; tokio::time::sleep(SHUTDOWN_GRACE).await } => Ok(()),
        }
    }
}

/// Resolves on Ctrl-C and on SIGTERM, which is how terminals and service managers say "stop".
pub async fn shutdown_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the default action ends the process, so there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

fn router(site: Arc<site::Site>, models: Vec<PathBuf>) -> Router {
    Router::new()
        .merge(api::router(models))
        .fallback(statics::serve)
        .with_state(site.clone())
        .layer(middleware::from_fn(log_request))
        .layer(middleware::from_fn_with_state(site, headers::add))
}

/// The name of what answered, for the log: one of ours, never what the client sent.
#[derive(Clone, Debug)]
pub(crate) struct RouteLabel(pub(crate) Arc<str>);

/// One line per request. A path may hold a patient's name and a query string a token, so neither is
/// written: only the method, which route answered, the status and the time.
async fn log_request(request: Request<axum::body::Body>, next: Next) -> Response {
    let started = std::time::Instant::now();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let response = next.run(request).await;
    let route = response.extensions().get::<RouteLabel>().map_or("none", |label| &label.0);
    let ms = started.elapsed().as_secs_f64() * 1e3;
    tracing::info!(method, route, status = response.status().as_u16(), ms, "answered");
    response
}
