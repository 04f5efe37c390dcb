//! Child processes that never outlive the test.
//!
//! They are ended by the id we got when we started them, on success, failure and panic alike; browsers that a
//! killed driver leaves behind are found by the profile folder that only we use.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::Error;

/// A running child; ended when dropped.
pub struct Process {
    child: Child,
    program: String,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it with both outputs read line by line, so that it never blocks on a full pipe.
    pub fn start(mut command: Command, hint: &'static str) -> Result<Self, Error> {
        let program =
            Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|source| Error::Start { program: program.clone(), source, hint })?;
        let (send, lines) = channel();
        let pipes: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
            child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
        ];
        for pipe in pipes.into_iter().flatten() {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    // After the start nobody listens; the pipe is still drained.
                    let _ = send.send(line);
                }
            });
        }
        Ok(Self { child, program, lines })
    }

    /// Waits for a line from which `find` can take a port.
    pub fn port(&self, timeout: Duration, find: impl Fn(&str) -> Option<u16>) -> Result<u16, Error> {
        let begun = Instant::now();
        let mut said = String::new();
        loop {
            match self.lines.recv_timeout(timeout.saturating_sub(begun.elapsed())) {
                Ok(line) => {
                    if let Some(port) = find(&line) {
                        return Ok(port);
                    }
                    said.push_str(&line);
                    said.push('\n');
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(Error::Silent { program: self.program.clone(), said });
                }
            }
        }
    }

    /// Ends it now.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A folder that is removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty folder below the system's temporary folder.
    pub fn new(name: &str) -> Result<Self, Error> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("isocenter-e2e-{name}-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Ends every process whose command line names `folder`, which is a [`Scratch`] of ours.
pub fn end_users_of(folder: &Path) {
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    let needle = folder.to_string_lossy();
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let command_line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != std::process::id() && String::from_utf8_lossy(&command_line).contains(&*needle) {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}
