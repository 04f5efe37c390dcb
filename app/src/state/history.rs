//! A value with its past: undo and redo.
//! Whole values are kept because what is undone here (a list of measurements) is small.

/// The present value, what it was before, and what an undo took away.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History<T> {
    past: Vec<T>,
    present: T,
    future: Vec<T>,
}

/// More steps back than a person remembers.
const DEPTH: usize = 100;

impl<T: Clone + PartialEq> History<T> {
    pub fn get(&self) -> &T {
        &self.present
    }

    /// Changes the present without a step: for what goes on within one step (a drag, an answer that arrives).
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.present
    }

    /// Remembers the present as it is now; what follows can be undone to here.
    pub fn checkpoint(&mut self) {
        if self.past.last() == Some(&self.present) {
            return;
        }
        self.past.push(self.present.clone());
        self.future.clear();
        if self.past.len() > DEPTH {
            self.past.remove(0);
        }
    }

    /// How many steps there are back and forth.
    pub fn steps(&self) -> (usize, usize) {
        (self.past.len(), self.future.len())
    }

    pub fn undo(&mut self) -> bool {
        // A checkpoint whose step changed nothing is no step.
        while let Some(before) = self.past.pop() {
            if before != self.present {
                self.future.push(std::mem::replace(&mut self.present, before));
                return true;
            }
        }
        false
    }

    pub fn redo(&mut self) -> bool {
        let Some(after) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(&mut self.present, after));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_and_redo_walk_the_steps() {
        let mut h = History::<Vec<i32>>::default();
        for i in 1..=3 {
            h.checkpoint();
            h.get_mut().push(i);
        }
        assert!(h.undo() && h.undo());
        assert_eq!(h.get(), &[1]);
        assert!(h.redo());
        assert_eq!(h.get(), &[1, 2]);
        h.checkpoint();
        h.get_mut().push(9);
        assert!(!h.redo(), "a new step forgets what was undone");
        assert_eq!(h.get(), &[1, 2, 9]);
        while h.undo() {}
        assert_eq!(h.get(), &[] as &[i32]);
    }

    #[test]
    fn a_step_that_changed_nothing_is_skipped() {
        let mut h = History::<i32>::default();
        h.checkpoint();
        *h.get_mut() = 1;
        h.checkpoint();
        h.checkpoint();
        assert!(h.undo());
        assert_eq!(*h.get(), 0);
    }
}
