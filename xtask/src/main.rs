//! Set-up, build, run, test and bench as plain Rust.
fn main() {}
