//! Person names (PN) as people write them.
//!
//! PS3.5 6.2.1: up to three groups (alphabetic, ideographic, phonetic) joined by `=`, each of five
//! components family^given^middle^prefix^suffix.

/// `Prefix Given Middle Family Suffix` per group, groups in brackets after the first.
pub fn display_name(name: &str) -> String {
    let mut groups = name.split('=').map(group).filter(|g| !g.is_empty());
    let mut out = groups.next().unwrap_or_default();
    for group in groups {
        out.push_str(" (");
        out.push_str(&group);
        out.push(')');
    }
    out
}

fn group(group: &str) -> String {
    let mut parts = group.split('^').map(str::trim);
    let [family, given, middle, prefix, suffix] = std::array::from_fn(|_| parts.next().unwrap_or(""));
    [prefix, given, middle, family, suffix]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_in_speaking_order() {
        assert_eq!(display_name("Adams^John Robert Quincy^^Rev.^B.A."), "Rev. John Robert Quincy Adams B.A.");
        assert_eq!(
            display_name("Yamada^Tarou=山田^太郎=やまだ^たろう"),
            "Tarou Yamada (太郎 山田) (たろう やまだ)"
        );
        assert_eq!(display_name("ANON"), "ANON");
        assert_eq!(display_name("^^^^"), "");
    }
}
