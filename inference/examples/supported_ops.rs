//! Writes SUPPORTED_OPS.md anew.

fn main() -> std::io::Result<()> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(std::path::PathBuf::from).unwrap_or_default();
    std::fs::write(package.join("SUPPORTED_OPS.md"), inference::ops::supported_ops())
}
