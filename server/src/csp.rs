//! The Content-Security-Policy, with the hashes of the page's own inline scripts.
//!
//! Trunk starts the app from a small inline script whose text changes with every build. Its hash is
//! computed from the very file that is served, so that `'unsafe-inline'` is never needed.

use base64::Engine as _;
use sha2::{Digest, Sha256};

/// The policy for an app whose index.html is `html`.
pub(crate) fn policy(html: &str) -> String {
    let hashes: String = inline_scripts(html)
        .into_iter()
        .map(|script| {
            let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
            format!(" 'sha256-{digest}'")
        })
        .collect();
    // 'wasm-unsafe-eval' allows WebAssembly to be compiled and nothing else.
    // connect-src 'self': what a study holds has nowhere to go but here, and nothing here takes it.
    // style-src has no 'unsafe-inline': styles that the app sets through the CSSOM are not affected.
    [
        "default-src 'none'".to_owned(),
        format!("script-src 'self' 'wasm-unsafe-eval'{hashes}"),
        "worker-src 'self'".to_owned(),
        "connect-src 'self'".to_owned(),
        "img-src 'self' blob: data:".to_owned(),
        "style-src 'self'".to_owned(),
        "font-src 'self'".to_owned(),
        "manifest-src 'self'".to_owned(),
        "base-uri 'none'".to_owned(),
        "form-action 'none'".to_owned(),
        "frame-ancestors 'none'".to_owned(),
    ]
    .join("; ")
}

/// The text of every `<script>` without `src`, exactly as it stands.
fn inline_scripts(html: &str) -> Vec<&str> {
    // ASCII lower case keeps byte offsets.
    let lower = html.to_ascii_lowercase();
    let mut scripts = Vec::new();
    let mut at = 0;
    while let Some(found) = lower[at..].find("<script") {
        let tag = at + found;
        let Some(open) = lower[tag..].find('>').map(|i| tag + i + 1) else { break };
        let Some(close) = lower[open..].find("</script").map(|i| open + i) else { break };
        let has_src = lower[tag..open].split_ascii_whitespace().any(|word| word.starts_with("src="));
        if !has_src && !html[open..close].is_empty() {
            scripts.push(&html[open..close]);
        }
        at = close;
    }
    scripts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_taken_to_the_byte_and_external_ones_are_not() {
        let html = "<head><SCRIPT type=\"module\">\nimport a from '/a.js';\n</SCRIPT><script src=\"/b.js\"></script>\
                    <script\n defer\n src='/c.js'>x</script><script nonce=\"n\">y()</script></head>";
        assert_eq!(inline_scripts(html), ["\nimport a from '/a.js';\n", "y()"]);
    }

    #[test]
    fn the_hash_is_the_one_that_browsers_compute() {
        // The example that the specification, Content Security Policy Level 3, gives for a hash.
        let policy = policy("<script>alert('Hello, world.');</script>");
        assert!(
            policy.contains(
                "script-src 'self' 'wasm-unsafe-eval' 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=';"
            ),
            "{policy}"
        );
    }

    #[test]
    fn an_unclosed_script_is_not_hashed() {
        assert!(inline_scripts("<script>never closed").is_empty());
        assert!(inline_scripts("<script").is_empty());
    }
}
