//! Lets several checkouts share a target folder without taking each other's programs for their own.
//!
//! Cargo compares the dates of sources with those of what it built, whatever checkout that was built from: in a
//! second checkout with older files it took the first one's programs for up to date, and tested those.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::{places, shell};

/// In the target folder: the checkout that was last built there.
const STAMP: &str = "isocenter-checkout";

/// Makes the target folder this checkout's. True where it was another's: all sources count as changed then,
/// those of this program too, so it has to start anew.
pub fn claim() -> Result<bool, String> {
    let root = fs::canonicalize(places::root()).map_err(|error| format!("no checkout: {error}"))?;
    let files = || {
        let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let list = shell::output(shell::command("git").args(words))?;
        Ok(list.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    };
    claim_for(&places::target(), &root, files)
}

fn claim_for(
    target: &Path,
    root: &Path,
    files: impl FnOnce() -> Result<Vec<String>, String>,
) -> Result<bool, String> {
    let stamp = target.join(STAMP);
    let mine = root.display().to_string();
    let last = fs::read_to_string(&stamp).ok();
    if last.as_deref() == Some(mine.as_str()) {
        return Ok(false);
    }
    // Nobody's, so far: what lies there was built here, or nothing does.
    let others = last.is_some();
    if others {
        println!(
            "note: the target folder was last used by another checkout; everything of ours is built again"
        );
        let now = SystemTime::now();
        for name in files()? {
            touch(&root.join(&name), now).map_err(|error| format!("cannot touch {name}: {error}"))?;
        }
    }
    // After the files: cut off in between, the next run does it again.
    let written = fs::create_dir_all(target).and_then(|()| fs::write(&stamp, mine));
    written.map_err(|error| format!("cannot write {}: {error}", places::short(&stamp)))?;
    Ok(others)
}

fn touch(path: &Path, now: SystemTime) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.set_modified(now),
        // Removed in the working tree, still in the index.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn another_checkouts_target_makes_every_source_new_once() {
        let folder = tempfile::tempdir().unwrap();
        let [target, root] = ["target", "root"].map(|name| folder.path().join(name));
        fs::create_dir(&root).unwrap();
        let source = root.join("lib.rs");
        fs::write(&source, "").unwrap();
        let old = SystemTime::now() - Duration::from_secs(86_400);
        let age = |file: &Path| file.metadata().unwrap().modified().unwrap();
        let claim = || claim_for(&target, &root, || Ok(vec!["lib.rs".into(), "gone.rs".into()]));
        File::open(&source).unwrap().set_modified(old).unwrap();

        assert_eq!(claim(), Ok(false), "nobody's");
        assert_eq!(claim(), Ok(false), "ours");
        assert_eq!(age(&source), old, "our own builds stay good");

        assert_eq!(claim_for(&target, &folder.path().join("second"), || Ok(vec![])), Ok(true));
        assert_eq!(claim(), Ok(true), "another's");
        assert!(age(&source) > old + Duration::from_secs(80_000), "cargo would take the other's for ours");
        assert_eq!(claim(), Ok(false), "once");
    }

    #[test]
    fn without_the_list_nothing_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(STAMP), "elsewhere").unwrap();
        let claim = || claim_for(folder.path(), Path::new("here"), || Err("no git".into()));
        assert_eq!((claim(), claim()), (Err("no git".into()), Err("no git".into())));
    }
}
