//! What became of every file received: used, shown, or refused with a reason.
//!
//! It is an account and not a log because viewers are known to drop instances silently (OHIF#5876: 56 of
//! 84 instances of a 4D series); here the sum is checked, and a file that was forgotten makes it fail.

use serde::Serialize;

/// Names one received file for as long as a scan and its catalog live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FileId(pub u32);

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", content = "reason", rename_all = "snake_case")]
pub enum Fate {
    /// Its pixels are part of a series.
    Used,
    /// Listed but not part of a volume, and why.
    Shown(String),
    /// Not readable or not an image, and why.
    Refused(String),
    /// An archive: accounted for by its entries.
    Container(String),
}

/// The account is wrong: a fault of this program, told instead of hidden.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Files without a fate.
    #[error(
        "{unaccounted} of {received} files were received but neither used, shown nor refused (first: file number {first}). Please report this."
    )]
    Unaccounted {
        /// All files.
        received: usize,
        /// Those without a fate.
        unaccounted: usize,
        /// Position of the first of them.
        first: usize,
    },
    /// The counts do not add up to what was received.
    #[error(
        "{received} files were received, but used {used} + shown {shown} + refused {refused} = {sum}. Please report this.",
        sum = used + shown + refused
    )]
    Sum {
        /// Counted on arrival.
        received: usize,
        /// See [`Fate::Used`].
        used: usize,
        /// See [`Fate::Shown`].
        shown: usize,
        /// See [`Fate::Refused`].
        refused: usize,
    },
}

/// One received file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Path inside what was received. Never logged.
    pub file: String,
    /// `None` only while scanning.
    pub fate: Option<Fate>,
}

/// `received == used + shown + refused`; archives are received as their entries and counted beside.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstanceLedger {
    entries: Vec<Entry>,
    /// Counted on its own, when a file arrives, so that a lost entry shows.
    received: usize,
    containers: usize,
}

impl InstanceLedger {
    /// A file arrived.
    pub fn receive(&mut self, file: &str) -> FileId {
        self.received += 1;
        self.entries.push(Entry { file: file.to_owned(), fate: None });
        FileId((self.entries.len() - 1) as u32)
    }

    /// Decides what became of a file; a later word replaces an earlier one.
    pub fn settle(&mut self, file: FileId, fate: Fate) {
        let Some(entry) = self.entries.get_mut(file.0 as usize) else { return };
        let was = matches!(entry.fate, Some(Fate::Container(_)));
        let is = matches!(fate, Fate::Container(_));
        match (was, is) {
            (false, true) => {
                self.containers += 1;
                self.received -= 1;
            }
            (true, false) => {
                self.containers -= 1;
                self.received += 1;
            }
            _ => {}
        }
        entry.fate = Some(fate);
    }

    /// Every file in the order of arrival.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Path of a file.
    pub fn file(&self, id: FileId) -> &str {
        self.entries.get(id.0 as usize).map_or("", |e| e.file.as_str())
    }

    /// Fate of a file, once settled.
    pub fn fate(&self, id: FileId) -> Option<&Fate> {
        self.entries.get(id.0 as usize)?.fate.as_ref()
    }

    /// Files received, archives replaced by their entries.
    pub fn received(&self) -> usize {
        self.received
    }

    /// Archives that were opened.
    pub fn containers(&self) -> usize {
        self.containers
    }

    /// Files whose pixels are part of a series.
    pub fn used(&self) -> usize {
        self.entries.iter().filter(|e| e.fate == Some(Fate::Used)).count()
    }

    /// Files that are listed but not part of a volume, each with its reason.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|e| match &e.fate {
            Some(Fate::Shown(reason)) => Some((e.file.as_str(), reason.as_str())),
            _ => None,
        })
    }

    /// Files that were refused, each with its reason.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|e| match &e.fate {
            Some(Fate::Refused(reason)) => Some((e.file.as_str(), reason.as_str())),
            _ => None,
        })
    }

    /// Whether every file received is accounted for.
    pub fn check(&self) -> Result<(), LedgerError> {
        let mut open = self.entries.iter().enumerate().filter(|(_, e)| e.fate.is_none());
        if let Some((first, _)) = open.next() {
            return Err(LedgerError::Unaccounted {
                received: self.received,
                unaccounted: open.count() + 1,
                first,
            });
        }
        let (used, shown, refused) = (self.used(), self.shown().count(), self.refused().count());
        if used + shown + refused != self.received {
            return Err(LedgerError::Sum { received: self.received, used, shown, refused });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> InstanceLedger {
        let mut ledger = InstanceLedger::default();
        let ids: Vec<_> = ["a.zip", "a.zip/1", "a.zip/2", "b"].map(|f| ledger.receive(f)).into();
        ledger.settle(ids[0], Fate::Container("zip of 2".into()));
        ledger.settle(ids[1], Fate::Used);
        ledger.settle(ids[2], Fate::Shown("duplicate".into()));
        ledger.settle(ids[3], Fate::Refused("not an image".into()));
        ledger
    }

    #[test]
    fn every_file_counts_once_and_an_archive_as_its_entries() {
        let ledger = settled();
        assert_eq!((ledger.received(), ledger.containers(), ledger.used()), (3, 1, 1));
        ledger.check().unwrap();
    }

    #[test]
    fn planted_faults_are_found() {
        let mut forgotten = settled();
        forgotten.receive("c");
        assert!(matches!(
            forgotten.check(),
            Err(LedgerError::Unaccounted { received: 4, unaccounted: 1, first: 4 })
        ));
        let mut lost = settled();
        lost.entries.remove(1);
        assert!(matches!(lost.check(), Err(LedgerError::Sum { received: 3, used: 0, .. })));
    }
}
