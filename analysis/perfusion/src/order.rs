//! In which order blocks of voxels are deconvolved: from those that somebody looks at to the last, then from the first.
//!
//! What is done is one run of blocks that goes round, so whoever computes takes the next of them in pieces of any size.

use std::ops::Range;

/// Blocks, and which of them are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    first: usize,
    done: usize,
    total: usize,
}

impl Order {
    /// Of `total` blocks, `first` first.
    pub fn new(first: usize, total: usize) -> Self {
        Self { first: if first < total { first } else { 0 }, done: 0, total }
    }

    /// Blocks that are done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Whether all are.
    pub fn is_complete(&self) -> bool {
        self.done >= self.total
    }

    /// The next blocks that lie side by side; none when all are done.
    pub fn next(&self) -> Range<usize> {
        match self.first + self.done {
            _ if self.is_complete() => 0..0,
            at if at < self.total => at..self.total,
            at => at - self.total..self.first,
        }
    }

    /// These are done as well: the beginning of [`Order::next`]. Before anything is done they may begin earlier.
    pub fn take(&mut self, blocks: Range<usize>) {
        if self.done == 0 {
            self.first = blocks.start;
        }
        self.done += blocks.len();
    }

    /// Whether all of these are done.
    pub fn has(&self, blocks: Range<usize>) -> bool {
        let run = self.first..self.first + self.done;
        let inside = |b: usize| run.contains(&b) || run.contains(&(b + self.total));
        self.is_complete() || blocks.into_iter().all(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_taken_once_wherever_it_begins_and_in_whatever_pieces() {
        for total in [1, 2, 7, 12] {
            for first in 0..total {
                for piece in 1..=total {
                    let mut order = Order::new(first, total);
                    let mut seen = vec![0; total];
                    while !order.is_complete() {
                        let next = order.next();
                        let next = next.start..(next.start + piece).min(next.end);
                        assert!(!next.is_empty() && !order.has(next.clone()));
                        next.clone().for_each(|b| seen[b] += 1);
                        order.take(next.clone());
                        assert!(order.has(next));
                        let undone = (0..total).filter(|b| seen[*b] == 0);
                        assert!(undone.into_iter().all(|b| !order.has(b..b + 1) || order.is_complete()));
                    }
                    assert!(seen.iter().all(|n| *n == 1), "{total} {first} {piece}: {seen:?}");
                    assert!(order.next().is_empty());
                }
            }
        }
    }

    #[test]
    fn what_comes_in_larger_pieces_may_begin_earlier() {
        let mut order = Order::new(5, 8);
        order.take(4..8);
        assert_eq!((order.next(), order.done()), (0..4, 4));
        assert!(order.has(4..8) && !order.has(3..5));
    }
}
