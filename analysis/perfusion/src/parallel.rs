//! The same work for many blocks of voxels, on all cores where there are threads.
//!
//! Blocks are independent, so a shared counter is all the scheduling there is; results come back in the order of
//! the blocks, whoever computed them.

/// `work(0)`, `work(1)`, ... in order.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    if threads <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let mut out: Vec<Option<T>> = (0..count).map(|_| None).collect();
    std::thread::scope(|scope| {
        let run = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return done;
                }
                done.push((at, work(at)));
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for handle in handles {
            match handle.join() {
                Ok(done) => done.into_iter().for_each(|(at, value)| out[at] = Some(value)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    out.into_iter().flatten().collect()
}

/// `work(0)`, `work(1)`, ... in order; a browser's worker is one thread.
#[cfg(target_arch = "wasm32")]
pub(crate) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    (0..count).map(work).collect()
}

/// `work` on each chunk of a slice, in place, on all cores where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn each_mut<T: Send>(data: &mut [T], chunk: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    use std::sync::Mutex;

    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(data.chunks_mut(chunk.max(1)).enumerate());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                    let Some((at, piece)) = next else { return };
                    work(at, piece);
                }
            });
        }
    });
}

/// `work` on each chunk of a slice, in place; a browser's worker is one thread.
#[cfg(target_arch = "wasm32")]
pub(crate) fn each_mut<T: Send>(data: &mut [T], chunk: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    data.chunks_mut(chunk.max(1)).enumerate().for_each(|(at, piece)| work(at, piece));
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_their_order() {
        assert_eq!(super::map(1000, |i| i * i), (0..1000).map(|i| i * i).collect::<Vec<_>>());
        assert!(super::map(0, |i| i).is_empty());
        let mut data: Vec<usize> = vec![0; 103];
        super::each_mut(&mut data, 10, |at, piece| {
            piece.iter_mut().enumerate().for_each(|(i, v)| *v += at * 10 + i);
        });
        assert_eq!(data, (0..103).collect::<Vec<_>>());
    }
}
