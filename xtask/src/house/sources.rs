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

/// Uses of a macro that builds the folder of one checkout into the program, with their line.
///
/// Two checkouts may share a target folder; cargo then hands the program that was built in the one to the
/// other, and tests of the second looked for their data in the first, which was gone.
fn built_in_folders(name: &str, text: &str) -> Vec<String> {
    const VARIABLES: [&str; 2] = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"];
    if !name.ends_with(".rs") {
        return Vec::new();
    }
    // Without white space, because the macro and its argument may stand on two lines.
    let mut dense = String::new();
    let mut line_of = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let piece: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        line_of.extend(std::iter::repeat_n(index + 1, piece.len()));
        dense += &piece;
    }
    let mut found = Vec::new();
    for variable in VARIABLES {
        // `option_env!` ends alike; in two pieces, or this file would find itself.
        let (head, tail) = ("env", format!("!(\"{variable}\""));
        for (at, _) in dense.match_indices(&format!("{head}{tail}")) {
            found.push(format!("{name}:{}: {variable}: ask testbed::checkout() instead", line_of[at]));
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
fn no_program_has_the_folder_of_its_checkout_built_in() {
    let sources: Vec<String> = tracked().into_iter().filter(|name| name.ends_with(".rs")).collect();
    assert!(sources.len() > 50, "only {} sources", sources.len());
    let faults: Vec<String> =
        sources.iter().flat_map(|name| built_in_folders(name, &text(name).unwrap_or_default())).collect();
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

#[test]
fn a_planted_built_in_folder_is_found() {
    let planted = [
        "let a = env",
        "!(\"CARGO_MANIFEST_DIR\");\nok\nconcat!(env",
        "!(\n    \"CARGO_MANIFEST_DIR\",\n), \"/x\");\noption_env",
        "! (\"CARGO_MANIFEST_PATH\")",
    ]
    .concat();
    let lines: Vec<String> = built_in_folders("a.rs", &planted)
        .iter()
        .map(|f| f.split(": ask").next().unwrap().to_owned())
        .collect();
    let (folder, file) = ("CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH");
    assert_eq!(lines, [format!("a.rs:1: {folder}"), format!("a.rs:3: {folder}"), format!("a.rs:6: {file}")]);
    // Asked at run time, and in a text that explains the rule.
    let fine = ["std::env::var_os(\"CARGO_MANIFEST_DIR\"); env", "!(\"CARGO_PKG_VERSION\")"].concat();
    assert_eq!(built_in_folders("a.rs", &fine), Vec::<String>::new());
    assert_eq!(built_in_folders("a.md", &planted), Vec::<String>::new());
}
