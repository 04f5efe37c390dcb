//! The rest of a DICOM series on several threads, where there are threads.
//!
//! Slices are disjoint parts of the volume, so that each thread decodes straight into its place; the
//! single-threaded steps stay the only way in the browser.

use std::sync::{Mutex, PoisonError};

use super::{Job, LoadError, VolumeLoader, slices_mut};
use crate::Source;

impl<S: Source + Send + Sync> VolumeLoader<S> {
    /// Fills all remaining slices on up to `threads` threads.
    pub fn load_rest(&mut self, threads: usize) -> Result<(), LoadError> {
        while !self.ready.is_empty() {
            self.step()?;
        }
        let Job::Dicom(job) = &self.job else {
            while self.step()?.is_some() {}
            return Ok(());
        };
        if self.order.is_empty() {
            return Ok(());
        }
        let mut batches = Vec::new();
        while let Some(slot) = self.order.pop_front() {
            batches.push(job.batch(slot, &mut self.order));
        }
        let mut slices: Vec<_> =
            slices_mut(&mut self.volume.voxels, &self.volume.grid).into_iter().map(Some).collect();
        let mut work: Vec<(Vec<usize>, Vec<Option<super::SliceMut>>)> = batches
            .into_iter()
            .map(|batch| {
                let parts = batch.iter().map(|s| slices.get_mut(*s).and_then(Option::take)).collect();
                (batch, parts)
            })
            .collect();
        work.reverse();
        let work = Mutex::new(work);
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let next = work.lock().unwrap_or_else(PoisonError::into_inner).pop();
                        let Some((batch, parts)) = next else { break };
                        let mut parts = parts.into_iter();
                        job.decode(&batch, |slot, decode| {
                            let result = match parts.next().flatten() {
                                Some(out) => decode(out),
                                None => Err("the slice lies outside the volume".into()),
                            };
                            results.lock().unwrap_or_else(PoisonError::into_inner).push((slot, result));
                        });
                    }
                });
            }
        });
        for (slot, result) in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.place(slot, result);
        }
        self.settle()
    }
}
