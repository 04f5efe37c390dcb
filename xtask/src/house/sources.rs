//! Small files, and nothing of the machine they were written on.
//!
//! A file of a thousand lines is read by nobody, and a path of one machine works on one machine.

use super::{text, tracked};

const MAX_LINES: usize = 700;
/// Data and what programs write: nobody reads these from top to bottom.
const NOT_READ: [&str; 3] = [".lock", ".json", ".csv"];

fn too_long(name: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_LINES && !NOT_READ.iter().any(|ending| name.ends_with(ending)))
        .then(|| format!("{name} has {lines} lines, more than {MAX_LINES}: split it"))
}

/// Folders that exist on some machines only. In two pieces, or this file would find itself.
const HOMES: [(&str, &str); 5] =
    [("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"), ("/wo", "rk/"), ("C:\\Us", "ers\\")];

/// Absolute paths of a machine, with their line.
fn machine_paths(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (head, tail) in HOMES {
            let path = format!("{head}{tail}");
            let absolute = line.match_indices(&path).any(|(at, _)| {
                // `https://example.org/work/` and `framework/work/` are no paths of a machine.
                !line[..at].ends_with(|c: char| {
                    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '/')
                })
            });
            if absolute {
                found.push(format!("{name}:{}: {path}", index + 1));
            }
        }
    }
    found
}

#[test]
fn no_file_is_longer_than_a_person_reads() {
    let faults: Vec<String> = tracked().iter().filter_map(|name| too_long(name, &text(name)?)).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let faults: Vec<String> =
        tracked().iter().flat_map(|name| machine_paths(name, &text(name).unwrap_or_default())).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_planted_long_file_is_found() {
    assert_eq!(too_long("a.rs", &"x\n".repeat(MAX_LINES)), None);
    assert!(too_long("a.rs", &"x\n".repeat(MAX_LINES + 1)).is_some_and(|fault| fault.contains("701 lines")));
    assert_eq!(too_long("Cargo.lock", &"x\n".repeat(9000)), None);
}

#[test]
fn a_planted_machine_path_is_found() {
    let planted = ["\"/wo", "rk/data\"\nok\n  cd /ho", "me/someone\n"].concat();
    assert_eq!(machine_paths("a", &planted).len(), 2);
    let fine = ["https://example.org/wo", "rk/x $HOME/wo", "rk/ ../wo", "rk/ a/ro", "ot/"].concat();
    assert_eq!(machine_paths("a", &fine), Vec::<String>::new());
}
