//! Tasks over the cores of a native machine; one after the other in the browser's worker, which is one thread.
//!
//! A task owns the slices of the output that it writes, so no two can meet; the pool is rayon's.

/// How many tasks can run at a time.
pub(super) fn threads() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    {
        rayon::current_num_threads()
    }
    #[cfg(target_arch = "wasm32")]
    {
        1
    }
}

/// Runs `work` on each task.
pub(super) fn each<T: Send>(tasks: Vec<T>, work: impl Fn(T) + Send + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    if tasks.len() > 1 {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        tasks.into_par_iter().for_each(work);
        return;
    }
    tasks.into_iter().for_each(work);
}

/// `0..length` in `parts` ranges of nearly equal length, none empty.
pub(super) fn split(length: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
    let parts = parts.clamp(1, length.max(1));
    (0..parts).map(|i| (i * length / parts)..((i + 1) * length / parts)).collect()
}
