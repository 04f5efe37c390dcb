//! Whether the device is lost, and who wants to know.
//!
//! A driver reset, a crashed GPU process and a tab in the background all end here. The device's callback
//! must be `Send` while its listeners hold JavaScript values, so listeners wait on a future instead.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;

#[derive(Default)]
struct State {
    why: Option<String>,
    waiting: Vec<oneshot::Sender<String>>,
}

/// Shared between a [`crate::Gpu`] and the callbacks that learn of the loss.
#[derive(Clone, Default)]
pub(crate) struct Lost(Arc<Mutex<State>>);

impl Lost {
    /// Tells everyone, once; the first reason stays.
    pub(crate) fn report(&self, why: String) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.why.is_some() {
            return;
        }
        for sender in state.waiting.drain(..) {
            // A listener that went away needs no answer.
            let _ = sender.send(why.clone());
        }
        state.why = Some(why);
    }

    pub(crate) fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).why.clone()
    }

    /// Resolves with the reason when the device is lost; at once if it already is.
    pub(crate) fn wait(&self) -> impl Future<Output = String> + 'static {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.why {
            Some(why) => {
                let _ = sender.send(why.clone());
            }
            None => state.waiting.push(sender),
        }
        drop(state);
        async move { receiver.await.unwrap_or_else(|_| "the device was dropped".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Lost;

    #[test]
    fn early_and_late_listeners_hear_the_first_reason() {
        let lost = Lost::default();
        let early = lost.wait();
        assert_eq!(lost.why(), None);
        lost.report("driver reset".to_owned());
        lost.report("second".to_owned());
        assert_eq!(pollster::block_on(early), "driver reset");
        assert_eq!(pollster::block_on(lost.wait()), "driver reset");
    }

    #[test]
    fn dropping_the_device_ends_the_wait() {
        let lost = Lost::default();
        let waiting = lost.wait();
        drop(lost);
        assert_eq!(pollster::block_on(waiting), "the device was dropped");
    }
}
