//! SUPPORTED_OPS.md: the registry as a table.
//!
//! Generated, because a list that is kept by hand is wrong after the second operator; a test compares it.

use std::fmt::Write as _;

use super::registry::{Entry, Tier, registry};

/// The text of SUPPORTED_OPS.md.
pub fn supported_ops() -> String {
    let mut entries: Vec<&Entry> = registry().iter().collect();
    entries.sort_by_key(|e| (e.domain, e.name));
    let mut text = String::from(
        "# Supported operators\n\n\
         Generated from the registry by `cargo run -p inference --example supported_ops`; a test holds it current.\n\n\
         Every operator runs on the CPU. \"GPU\" means that the GPU executor takes it for the element types it has;\n\
         what it does not take runs on the CPU within the same model. Versions are those of the operator: a graph of\n\
         a later opset takes the newest that is not later. Any other operator is refused at load, by name.\n\n\
         | operator | versions | tier | CPU | GPU |\n|---|---|---|---|---|\n",
    );
    for entry in &entries {
        let versions: Vec<String> = entry.since.iter().map(i64::to_string).collect();
        let tier = match entry.tier {
            Tier::One => 1,
            Tier::Two => 2,
            Tier::Three => 3,
        };
        let domain = if entry.domain.is_empty() { String::new() } else { format!("{}::", entry.domain) };
        let gpu = if entry.gpu { "yes" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {domain}{} | {} | {tier} | yes | {gpu} |", entry.name, versions.join(", "));
    }
    let _ = write!(text, "\n{} operators.\n", entries.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_beside_the_source_is_current() {
        let kept = std::fs::read_to_string(testbed::checkout().join("inference/SUPPORTED_OPS.md")).unwrap();
        assert!(kept == supported_ops(), "run `cargo run -p inference --example supported_ops`");
    }

    #[test]
    fn no_operator_stands_twice_and_versions_rise() {
        let mut names: Vec<_> = registry().iter().map(|e| (e.domain, e.name)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]), "a name stands twice");
        for entry in registry() {
            assert!(!entry.since.is_empty() && entry.since.is_sorted(), "{}", entry.name);
        }
    }
}
