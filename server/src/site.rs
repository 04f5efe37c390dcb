//! The app that is being served, read anew when it was built anew.
//!
//! A listing is replaced as a whole, so that a page never gets half of one build and half of the next.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use crate::listing::{Listing, SiteError};

pub(crate) struct Site {
    dist: PathBuf,
    current: RwLock<Arc<Listing>>,
    /// Held while listing, so that many requests after a build list it once.
    reading: tokio::sync::Mutex<()>,
}

impl Site {
    pub(crate) fn open(dist: PathBuf) -> Result<Self, SiteError> {
        let listing = Arc::new(Listing::read(&dist)?);
        Ok(Self { dist, current: RwLock::new(listing), reading: tokio::sync::Mutex::new(()) })
    }

    pub(crate) fn current(&self) -> Arc<Listing> {
        // A writer only stores a pointer, so a poisoned lock still holds a whole listing.
        self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Lists again unless that has happened since `stale` was taken. `None` while the app is half built.
    pub(crate) async fn reread(&self, stale: &Arc<Listing>) -> Option<Arc<Listing>> {
        let _reading = self.reading.lock().await;
        let current = self.current();
        if !Arc::ptr_eq(&current, stale) {
            return Some(current);
        }
        let dist = self.dist.clone();
        let fresh = Arc::new(tokio::task::spawn_blocking(move || Listing::read(&dist)).await.ok()?.ok()?);
        *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh.clone();
        Some(fresh)
    }
}
