//! Where a subcommand computes, as the user asks for it.
//!
//! GPU and CPU give the same numbers, so the choice is one of speed.

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// A GPU, if there is one and it is not played by the CPU.
    Auto,
    /// Any GPU, also one that the CPU plays.
    Gpu,
    /// The CPU.
    Cpu,
}
