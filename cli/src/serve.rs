//! `isocenter serve`: the app and the API on this machine.
//!
//! A thin door to the crate `server`: options, one line that says where it is, and a clean stop.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use server::{Config, ServeError, Server};

/// Where to listen and what to serve.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:8080")]
    addr: SocketAddr,
    /// Folder for what users choose to hand in.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Folder with models of your own, each in a folder with its model.json; offered before the bundled ones.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Folder with the bundled models.
    #[arg(long, default_value = "models")]
    bundled_models: PathBuf,
    /// Folder with the built app.
    #[arg(long, default_value = "dist")]
    dist: PathBuf,
}

/// Why it did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No thread pool.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
    /// The server says why.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: Args) -> Result<(), Error> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing_level())
        .init();
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    runtime.block_on(async {
        let Args { addr, data, models, bundled_models, dist } = args;
        let models = models.into_iter().chain([bundled_models]).collect();
        let server = Server::bind(Config { addr, dist, models, data }).await?;
        // Stdout, and only once the port is ours: scripts wait for this line and read the port from it.
        println!("Isocenter is at http://{}", server.local_addr());
        server.run(server::shutdown_signal()).await?;
        println!("Isocenter has stopped.");
        Ok(())
    })
}

/// Quiet unless asked: `ISOCENTER_LOG=info` writes one line per request, without paths or names.
fn tracing_level() -> tracing_subscriber::filter::LevelFilter {
    std::env::var("ISOCENTER_LOG")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(tracing_subscriber::filter::LevelFilter::WARN)
}
