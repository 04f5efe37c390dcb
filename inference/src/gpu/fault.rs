//! Why the GPU gave no result.
//!
//! Every one of these leaves the caller with the same way out, the interpreter on the CPU, and says so.

/// What went wrong between the host and the GPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuFault {
    /// Nothing that could compute.
    #[error("there is no GPU to compute on: {0}; use the CPU")]
    NoAdapter(String),
    /// The adapter is there but gives no device.
    #[error("the adapter {adapter} gives no device: {why}; use the CPU")]
    NoDevice {
        /// Its name.
        adapter: String,
        /// What the driver or browser said.
        why: String,
    },
    /// More than fits the limits of the device; nothing was allocated.
    #[error("{what} takes {value}, and this GPU gives {limit} at most; use the CPU")]
    TooLarge {
        /// The quantity, with its unit.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The most that is possible.
        limit: u64,
    },
    /// The numbers of a kernel contradict each other.
    #[error("{kernel} cannot run on this: {why}")]
    Unfit {
        /// The kernel.
        kernel: &'static str,
        /// What does not fit.
        why: String,
    },
    /// Driver or browser refused a shader, a buffer or a dispatch.
    #[error("the GPU refused the work: {0}; use the CPU")]
    Refused(String),
    /// The result could not be mapped.
    #[error("the GPU did not hand back its result: {0}; use the CPU")]
    Readback(String),
    /// The device went away.
    #[error("the GPU was lost: {0}; make a new device or use the CPU")]
    Lost(String),
}

impl GpuFault {
    pub(crate) fn unfit(kernel: &'static str, why: impl Into<String>) -> Self {
        Self::Unfit { kernel, why: why.into() }
    }
}
