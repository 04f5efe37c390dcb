//! What happens to dist/ after Trunk: smaller modules, true names and hashes, compressed copies, the list
//! for offline use.
//!
//! After Trunk, because wasm-opt is run by us (Trunk would download its own), and everything that
//! depends on the bytes of a module (file names, integrity attributes, the list) has to follow it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use sha2::{Digest, Sha256, Sha384};

use crate::{places, shell};

/// Version 108, Debian 12's, read a module of ours without complaint and wrote one whose tables were mixed
/// up: the page died of `WebAssembly.Table.set(): Argument 1 is invalid`. 132 is the oldest that was seen to
/// work.
const OLDEST_WASM_OPT: u32 = 132;

/// What rustc 1.95 uses by default on wasm32-unknown-unknown, and our simd128.
const WASM_OPT_FLAGS: [&str; 9] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-simd",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--strip-producers",
];

/// A marker in static/sw.js that becomes the version of the build, so that browsers see a new worker.
const VERSION_MARKER: &str = "__ISOCENTER_VERSION__";
/// Below this a compressed copy saves less than its headers cost.
const COMPRESS_FROM_BYTES: u64 = 1024;

/// Size of one module as it is and as it travels.
#[derive(Clone, Debug)]
pub struct ModuleSize {
    /// File name.
    pub name: String,
    /// As instantiated.
    pub raw_bytes: u64,
    /// As sent to every browser.
    pub brotli_bytes: u64,
}

/// All of it.
pub fn seal(dist: &Path) -> Result<Vec<ModuleSize>, String> {
    remove_compressed(dist)?;
    self_contained(dist)?;
    optimise(dist)?;
    correct_integrity(dist)?;
    write_list(dist)?;
    compress(dist)?;
    sizes(dist)
}

fn remove_compressed(dist: &Path) -> Result<(), String> {
    for name in files(dist)?.iter().filter(|name| name.ends_with(".br")) {
        fs::remove_file(dist.join(name)).map_err(|e| format!("cannot remove dist/{name}: {e}"))?;
    }
    Ok(())
}

/// Code translated from C may call `malloc` by name; it links all the same, and the browser then refuses the
/// whole module for lack of a file called `env`.
fn self_contained(dist: &Path) -> Result<(), String> {
    for name in files(dist)?.iter().filter(|name| name.ends_with(".js")) {
        if let Some(line) = foreign_import(&read_text(&dist.join(name))?) {
            return Err(format!(
                "dist/{name} has `{line}`: a dependency calls a C function that no crate gives it"
            ));
        }
    }
    Ok(())
}

/// The first import of a script that is not a file beside it.
fn foreign_import(script: &str) -> Option<&str> {
    script.lines().find(|line| {
        let Some(from) = line.starts_with("import ").then(|| line.split_once(" from ")).flatten() else {
            return false;
        };
        !from.1.trim_start_matches(['"', '\'']).starts_with(['.', '/'])
    })
}

/// Runs wasm-opt over every module and renames what was hashed before.
fn optimise(dist: &Path) -> Result<(), String> {
    let printed = shell::output(shell::command("wasm-opt").arg("--version")).unwrap_or_default();
    match wasm_opt_version(&printed) {
        Some(version) if version >= OLDEST_WASM_OPT => {}
        Some(version) => {
            println!(
                "note: wasm-opt {version} is older than {OLDEST_WASM_OPT} and not used: 108 broke a module of ours"
            );
            return Ok(());
        }
        None => {
            println!("note: no wasm-opt on the PATH; the modules stay about a tenth larger");
            return Ok(());
        }
    }
    for name in files(dist)?.iter().filter(|name| name.ends_with(".wasm")) {
        let path = dist.join(name);
        let before = read(&path)?;
        let key = hex(&Sha256::new()
            .chain_update(&printed)
            .chain_update(WASM_OPT_FLAGS.join(" "))
            .chain_update(&before)
            .finalize());
        let after = match cached(&key, "wasm", |out| {
            shell::run(shell::command("wasm-opt").args(WASM_OPT_FLAGS).arg(&path).arg("-o").arg(out))
        }) {
            Ok(after) => after,
            Err(error) => {
                println!("note: {error}; {name} stays as it is");
                continue;
            }
        };
        write(&path, &after)?;
        println!("{name}: {} -> {} bytes", before.len(), after.len());
        if let Some(token) = hash_token(name) {
            let fresh =
                &hex(&Sha256::new().chain_update(token).chain_update(&after).finalize())[..token.len()];
            rename_token(dist, token, fresh)?;
        }
    }
    Ok(())
}

/// `wasm-opt version 132 (version_132)`, `wasm-opt version 108`.
fn wasm_opt_version(printed: &str) -> Option<u32> {
    printed.split_whitespace().nth(2)?.parse().ok()
}

/// The hash in `app-0123456789abcdef_bg.wasm`.
fn hash_token(name: &str) -> Option<&str> {
    name.split(['-', '_', '.', '/'])
        .find(|part| part.len() >= 15 && part.chars().all(|c| c.is_ascii_hexdigit()))
}

/// A name whose hash does not follow its bytes would be kept for ever by browsers, with the old bytes.
fn rename_token(dist: &Path, old: &str, new: &str) -> Result<(), String> {
    for name in files(dist)? {
        let path = dist.join(&name);
        if name.ends_with(".html") || name.ends_with(".js") {
            let text = read_text(&path)?;
            if text.contains(old) {
                write(&path, text.replace(old, new).as_bytes())?;
            }
        }
        if name.contains(old) {
            let renamed = dist.join(name.replace(old, new));
            fs::rename(&path, renamed).map_err(|e| format!("cannot rename dist/{name}: {e}"))?;
        }
    }
    Ok(())
}

/// Trunk wrote the hashes of the modules as they were.
fn correct_integrity(dist: &Path) -> Result<(), String> {
    let index = dist.join("index.html");
    let html = read_text(&index)?;
    let fixed = with_integrity(&html, |file| fs::read(dist.join(file)).ok())?;
    if fixed == html { Ok(()) } else { write(&index, fixed.as_bytes()) }
}

/// `html` with every `integrity` computed from what `file` gives for its `href` or `src`.
fn with_integrity(html: &str, file: impl Fn(&str) -> Option<Vec<u8>>) -> Result<String, String> {
    let mut out = String::with_capacity(html.len());
    for (index, piece) in html.split('<').enumerate() {
        if index > 0 {
            out.push('<');
        }
        let tag = piece.split('>').next().unwrap_or_default();
        let Some(old) = attribute(tag, "integrity").filter(|value| !value.is_empty()) else {
            out.push_str(piece);
            continue;
        };
        let address = attribute(tag, "href").or_else(|| attribute(tag, "src")).unwrap_or_default();
        let bytes = file(address.trim_start_matches(['/', '.']))
            .ok_or_else(|| format!("index.html names {address}, which is not in dist/: build again"))?;
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha384::digest(&bytes));
        out.push_str(&piece.replacen(old, &format!("sha384-{digest}"), 1));
    }
    Ok(out)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let len = tag[start..].find('"')?;
    Some(&tag[start..start + len])
}

/// precache.json: what the service worker fetches on the first visit, with the hash of each file.
fn write_list(dist: &Path) -> Result<(), String> {
    let mut list = BTreeMap::new();
    for name in files(dist)?.into_iter().filter(|name| is_precached(name)) {
        let digest = Sha256::digest(read(&dist.join(&name))?);
        list.insert(name, base64::engine::general_purpose::STANDARD.encode(digest));
    }
    let worker = dist.join("sw.js");
    let text = read_text(&worker)?;
    let mut version = Sha256::new().chain_update(&text);
    for (name, digest) in &list {
        version.update(format!("{name} {digest}\n"));
    }
    let version = hex(&version.finalize())[..16].to_owned();
    if !text.contains(VERSION_MARKER) {
        return Err(format!("static/sw.js lacks {VERSION_MARKER}: browsers would not see a new build"));
    }
    write(&worker, text.replace(VERSION_MARKER, &version).as_bytes())?;

    let entries: Vec<_> = list
        .iter()
        .map(|(name, digest)| serde_json::json!({ "url": format!("/{name}"), "integrity": format!("sha256-{digest}") }))
        .collect();
    let json = serde_json::json!({ "version": version, "files": entries });
    write(&dist.join("precache.json"), format!("{json:#}\n").as_bytes())
}

/// Everything the app needs; the samples are large and kept when they are first used.
fn is_precached(name: &str) -> bool {
    !(name.starts_with("samples/") || name.ends_with(".br") || matches!(name, "sw.js" | "precache.json"))
}

fn compress(dist: &Path) -> Result<(), String> {
    const TEXTUAL: [&str; 8] = [".html", ".js", ".css", ".wasm", ".json", ".svg", ".webmanifest", ".txt"];
    for name in files(dist)? {
        let path = dist.join(&name);
        let len = fs::metadata(&path).map_err(|e| format!("cannot read dist/{name}: {e}"))?.len();
        if len < COMPRESS_FROM_BYTES || !TEXTUAL.iter().any(|ending| name.ends_with(ending)) {
            continue;
        }
        let plain = read(&path)?;
        let compressed = cached(&hex(&Sha256::digest(&plain)), "br", |out| write(out, &brotli(&plain)?))?;
        write(&dist.join(format!("{name}.br")), &compressed)?;
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> Result<Vec<u8>, String> {
    // Quality 11 and the largest window that browsers accept.
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 11, 24);
    writer.write_all(plain).and_then(|()| writer.flush()).map_err(|e| format!("brotli failed: {e}"))?;
    Ok(writer.into_inner())
}

fn sizes(dist: &Path) -> Result<Vec<ModuleSize>, String> {
    let len = |name: &str| {
        fs::metadata(dist.join(name)).map(|m| m.len()).map_err(|e| format!("cannot read dist/{name}: {e}"))
    };
    files(dist)?
        .into_iter()
        .filter(|name| name.ends_with(".wasm"))
        .map(|name| {
            let (raw_bytes, brotli_bytes) = (len(&name)?, len(&format!("{name}.br"))?);
            Ok(ModuleSize { name, raw_bytes, brotli_bytes })
        })
        .collect()
}

/// The outcome of `make` for this key, from an earlier run where there was one: an unchanged module is
/// neither optimised nor compressed twice.
fn cached(
    key: &str,
    ending: &str,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<Vec<u8>, String> {
    let folder = places::cache().join("sealed");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let path = folder.join(format!("{key}.{ending}"));
    if !path.is_file() {
        // Renamed when complete: a run that was stopped half way leaves nothing that looks whole.
        let partial = folder.join(format!("{key}.{}.partial", std::process::id()));
        make(&partial)?;
        fs::rename(&partial, &path).map_err(|e| format!("cannot keep {}: {e}", path.display()))?;
    }
    read(&path)
}

/// Every regular file below `dist`, by its path with slashes, sorted; hidden ones are Trunk's own.
pub fn files(dist: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let folder = dist.join(&below);
        let failed = |e: std::io::Error| format!("cannot list {}: {e}", places::short(&folder));
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = below.join(&name);
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path);
            } else {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("cannot read {}: {e}", places::short(path)))
}

fn read_text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", places::short(path)))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|e| format!("cannot write {}: {e}", places::short(path)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("file");
        }
        folder
    }

    #[test]
    fn wasm_opt_is_told_by_its_number() {
        assert_eq!(wasm_opt_version("wasm-opt version 108\n"), Some(108));
        assert_eq!(wasm_opt_version("wasm-opt version 132 (version_132)\n"), Some(132));
        assert_eq!(wasm_opt_version(""), None);
    }

    #[test]
    fn a_module_that_wants_c_functions_is_refused() {
        let calm = "import init from './engine.js';await init();";
        assert_eq!(foreign_import(calm), None);
        let planted = folder(&[("engine.js", "import * as import1 from \"env\"\n")]);
        assert!(self_contained(planted.path()).is_err_and(|e| e.contains("engine.js")));
    }

    #[test]
    fn a_hash_that_changes_changes_everywhere() {
        let dist = folder(&[
            ("index.html", "<link href=\"/app-0123456789abcdef.js\">"),
            ("app-0123456789abcdef.js", "new URL('app-0123456789abcdef_bg.wasm')"),
            ("app-0123456789abcdef_bg.wasm", "x"),
            ("engine.js", "untouched"),
        ]);
        assert_eq!(hash_token("app-0123456789abcdef_bg.wasm"), Some("0123456789abcdef"));
        assert_eq!(hash_token("engine_bg.wasm"), None);
        rename_token(dist.path(), "0123456789abcdef", "fedcba9876543210").expect("renames");
        assert_eq!(
            files(dist.path()).expect("lists"),
            ["app-fedcba9876543210.js", "app-fedcba9876543210_bg.wasm", "engine.js", "index.html"]
        );
        let js = fs::read_to_string(dist.path().join("app-fedcba9876543210.js")).expect("text");
        assert_eq!(js, "new URL('app-fedcba9876543210_bg.wasm')");
        let html = fs::read_to_string(dist.path().join("index.html")).expect("text");
        assert_eq!(html, "<link href=\"/app-fedcba9876543210.js\">");
    }

    #[test]
    fn integrity_is_that_of_the_bytes_and_other_tags_stay() {
        let html = "<p>1 < 2</p><link rel=\"preload\" href=\"/a.wasm\" integrity=\"sha384-old\" as=\"fetch\">\
                    <link href=\"/b.css\"><script src=\"/c.js\"></script>";
        let fixed = with_integrity(html, |name| (name == "a.wasm").then(|| b"abc".to_vec())).expect("fixes");
        // FIPS 180-4, SHA-384 of "abc".
        let expected = "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn";
        assert_eq!(fixed, html.replace("sha384-old", expected));
        with_integrity(html, |_| None).expect_err("a file that is not there is told");
    }

    #[test]
    fn the_list_names_what_the_app_needs_and_its_version_follows_every_byte() {
        let all = [
            ("index.html", "page"),
            ("engine_bg.wasm", "module"),
            ("icons/a.png", "icon"),
            ("samples/cardiac-ct.zip", "large"),
            ("sw.js", "const VERSION = '__ISOCENTER_VERSION__';"),
        ];
        let version_of = |files: &[(&str, &str)]| {
            let dist = folder(files);
            write_list(dist.path()).expect("writes");
            let text = fs::read_to_string(dist.path().join("precache.json")).expect("text");
            let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let version = list["version"].as_str().expect("text").to_owned();
            let worker = fs::read_to_string(dist.path().join("sw.js")).expect("text");
            assert_eq!(worker, format!("const VERSION = '{version}';"));
            let urls: Vec<_> =
                list["files"].as_array().expect("list").iter().map(|f| f["url"].clone()).collect();
            assert_eq!(urls, ["/engine_bg.wasm", "/icons/a.png", "/index.html"]);
            // sha256 of "page" in base64, from coreutils.
            assert_eq!(list["files"][2]["integrity"], "sha256-NmAxWprz3yVdjxmrB35Hl4IrQUiKDioEvGr3EhPCMnQ=");
            version
        };
        let version = version_of(&all);
        assert_eq!(version, version_of(&all), "the same files are the same version");
        let mut changed = all;
        changed[1].1 = "modulE";
        assert_ne!(version, version_of(&changed));

        let unmarked = folder(&[("index.html", "page"), ("sw.js", "no marker")]);
        write_list(unmarked.path()).expect_err("a worker without its marker is told");
    }

    #[test]
    fn brotli_gives_back_what_it_was_given() {
        let plain = "a slice, a slice, a slice ".repeat(200).into_bytes();
        let compressed = brotli(&plain).expect("compresses");
        assert!(compressed.len() < 200, "{} bytes", compressed.len());
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &compressed[..], &mut back).expect("decompresses");
        assert_eq!(back, plain);
    }
}
