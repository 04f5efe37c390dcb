//! The self-check: every kernel of the registry on the user's own GPU against its CPU twin.
//!
//! One kernel at a time, when there is nothing else to do: on a software adapter the whole list takes a second,
//! and a dropped study must not wait for it.

use gpu_kernels::kernels::{ALL, Kernel};
use gpu_kernels::{CheckRow, Gpu};
use protocol::{Event, SelfCheckRow};

use crate::{link, summary};

/// What has been checked and what is still to be.
#[derive(Default)]
pub struct Checks {
    rows: Vec<SelfCheckRow>,
    waiting: Vec<&'static Kernel>,
    started: bool,
}

impl Checks {
    /// Whether the check that every start makes is still to come.
    pub fn due_at_start(&self) -> bool {
        !self.started
    }

    /// All of it, from the beginning.
    pub fn start(&mut self) {
        self.started = true;
        self.rows.clear();
        self.waiting = ALL.iter().rev().collect();
    }

    /// Checks the next kernel and tells the page; false when there is none.
    pub async fn step(&mut self, gpu: Option<&Gpu>) -> bool {
        let Some(kernel) = self.waiting.pop() else { return false };
        let rows = match gpu {
            Some(gpu) => gpu_kernels::check_kernel(gpu, kernel).await,
            None => vec![CheckRow::not_run(kernel, "no GPU here: the CPU twin is used")],
        };
        self.rows.extend(rows.into_iter().map(summary::check_row));
        link::send(&Event::SelfCheck { rows: self.rows.clone(), done: self.waiting.is_empty() });
        true
    }

    /// Whether the GPU's pictures are not the twin's.
    pub fn drawing_differs(&self) -> bool {
        self.rows.iter().any(|row| row.kernel == "slice" && !row.passed)
    }
}
