//! Why a run of the browser failed.
//!
//! One enum for the whole harness: a test only ever prints it.

use std::time::Duration;

/// See the variants.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A process could not be started.
    #[error("cannot start {program}: {source}. {hint}")]
    Start {
        /// What was to be started.
        program: String,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A process ended or stayed silent.
    #[error("{program} did not say where it listens: {said}")]
    Silent {
        /// Who.
        program: String,
        /// Its output so far.
        said: String,
    },
    /// The connection to the driver failed.
    #[error("the connection to ChromeDriver failed: {0}")]
    Connection(#[from] std::io::Error),
    /// The driver answered something that is no answer.
    #[error("ChromeDriver answered what cannot be read: {0}")]
    Answer(String),
    /// The driver refused a command.
    #[error("ChromeDriver refused {command}: {message}")]
    Refused {
        /// Method and path.
        command: String,
        /// Its words.
        message: String,
    },
    /// What was waited for did not come.
    #[error("waited {after:?} for {what}; the page says: {page}")]
    Timeout {
        /// The condition in words.
        what: String,
        /// How long.
        after: Duration,
        /// What is on the page instead.
        page: String,
    },
    /// The page misbehaved.
    #[error("the page reported faults:\n{0}")]
    Faults(String),
    /// A screenshot is no PNG.
    #[error("a screenshot cannot be decoded: {0}")]
    Png(String),
    /// A study could not be made.
    #[error(transparent)]
    Phantom(#[from] phantom::Error),
    /// Something the tests need is not installed.
    #[error("{what} is missing: {hint}")]
    Missing {
        /// What.
        what: String,
        /// How to get it.
        hint: &'static str,
    },
}
