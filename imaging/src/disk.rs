//! Files and folders of a disk as sources, for the command line and for tests.
//!
//! Files are opened for each read and never mapped or held: a study has more files than a process may
//! keep open.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::Source;

/// A file on disk.
#[derive(Clone, Debug)]
pub struct DiskFile {
    path: PathBuf,
    name: String,
    len: u64,
}

impl DiskFile {
    /// A file and its length.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let len = path.metadata()?.len();
        let name = path.to_string_lossy().replace('\\', "/");
        Ok(Self { path, name, len })
    }
}

impl Source for DiskFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut have = 0;
        while have < buf.len() {
            match file.read(&mut buf[have..])? {
                0 => break,
                n => have += n,
            }
        }
        Ok(have)
    }
}

/// Every file under the paths, folders in the order of their names.
pub fn files_under(paths: &[PathBuf]) -> io::Result<Vec<DiskFile>> {
    let mut out = Vec::new();
    for path in paths {
        collect(path, &mut out)?;
    }
    Ok(out)
}

fn collect(path: &Path, out: &mut Vec<DiskFile>) -> io::Result<()> {
    let what = path.symlink_metadata()?;
    if path.is_dir() {
        // A link to a folder may lead back here; a link given by name is meant.
        if what.is_symlink() && !out.is_empty() {
            return Ok(());
        }
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            collect(&entry, out)?;
        }
    } else if path.is_file() {
        out.push(DiskFile::open(path.to_owned())?);
    }
    Ok(())
}
