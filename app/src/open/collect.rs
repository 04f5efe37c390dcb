//! From what the browser hands over to a flat list of files with their paths inside what was dropped.
//! Folders are walked with the entries API, in batches as the browser gives them.

use js_sys::{Array, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry, Response,
};

/// Files that are asked for together: more would not come faster and could hold up the page.
const AT_ONCE: usize = 64;

/// A file and where it lay.
#[derive(Clone, Debug)]
pub struct Dropped {
    pub file: File,
    pub path: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error(
        "The sample {name} could not be loaded: the server answered {status}. Reload the page, or open your own files."
    )]
    Status { name: String, status: u16 },
    #[error(
        "The sample {name} could not be loaded: {why}. Check that the server is reachable, or open your own files."
    )]
    Fetch { name: String, why: String },
}

/// What was picked or pasted.
pub fn from_list(list: &FileList) -> Vec<Dropped> {
    (0..list.length())
        .filter_map(|i| list.get(i))
        .map(|file| {
            let inside =
                js_sys::Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|v| v.as_string());
            let path = inside.filter(|p| !p.is_empty()).unwrap_or_else(|| file.name());
            Dropped { file, path }
        })
        .collect()
}

/// What was dropped, before its folders have been walked.
pub struct Pending {
    files: Vec<Dropped>,
    entries: Vec<FileSystemEntry>,
}

/// Whether a name is that of a file. A folder with such a name is refused with a reason, as an unreadable file.
fn named_as_file(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|e| {
        ["dcm", "ima", "nii", "gz", "hdr", "img", "png", "jpg", "jpeg", "zip"].contains(&e.as_str())
    })
}

/// Must be called while the drop event lasts.
pub fn entries(transfer: &DataTransfer) -> Pending {
    let mut pending = Pending { files: Vec::new(), entries: Vec::new() };
    let items = transfer.items();
    for i in 0..items.length() {
        let Some(item) = items.get(i) else { continue };
        if item.kind() != "file" {
            continue;
        }
        // The file itself costs nothing; its entry, which alone tells a folder, costs a task of 40 ms for 300 files
        // and another trip to the browser for each.
        let file = item.get_as_file().ok().flatten();
        let entry = match &file {
            Some(file) if named_as_file(&file.name()) => None,
            _ => item.webkit_get_as_entry().ok().flatten(),
        };
        match (entry, file) {
            (Some(entry), _) => pending.entries.push(entry),
            // No entry: its name says enough, or a script made it.
            (None, Some(file)) => {
                let path = file.name();
                pending.files.push(Dropped { file, path });
            }
            (None, None) => {}
        }
    }
    pending
}

impl Pending {
    /// All files below, and what could not be read.
    pub async fn collect(self) -> (Vec<Dropped>, Vec<String>) {
        let Pending { mut files, mut entries } = self;
        let mut missed = Vec::new();
        // Asked for together: each answer comes from another process, and 300 of them one after the other take a
        // quarter of a second.
        let mut waiting: Vec<(JsFuture, String)> = Vec::new();
        entries.reverse();
        // A stack and not recursion: folders may be nested deeper than a call stack.
        while let Some(entry) = entries.pop() {
            let path = entry.full_path().trim_start_matches('/').to_owned();
            // By what they say of themselves: browsers give the entries' classes no name to test against.
            if entry.is_directory() {
                let dir: &FileSystemDirectoryEntry = entry.unchecked_ref();
                match children(dir).await {
                    Ok(mut list) => {
                        list.reverse();
                        entries.extend(list);
                    }
                    Err(_) => missed.push(
                        "A folder inside what was dropped could not be read. Check its permissions, or choose it with \"Open folder\"."
                            .to_owned(),
                    ),
                }
            } else if entry.is_file() {
                waiting.push((file_of(entry.unchecked_ref()), path));
            }
            if waiting.len() < AT_ONCE && !entries.is_empty() {
                continue;
            }
            for (file, path) in waiting.drain(..) {
                match file.await.and_then(JsCast::dyn_into) {
                    Ok(file) => files.push(Dropped { file, path }),
                    Err(_) => missed.push(
                        "A file inside what was dropped could not be read. It may have been moved since."
                            .to_owned(),
                    ),
                }
            }
        }
        missed.dedup();
        (files, missed)
    }
}

fn file_of(entry: &FileSystemFileEntry) -> JsFuture {
    JsFuture::from(Promise::new(&mut |resolve, reject| {
        entry.file_with_callback_and_callback(&resolve, &reject);
    }))
}

/// All entries of a folder: the reader gives at most a hundred at a time and ends with an empty batch.
async fn children(dir: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = dir.create_reader();
    let mut all = Vec::new();
    loop {
        let promise = Promise::new(&mut |resolve, reject| {
            // A refusal reaches `reject`; the call itself only throws where the reader is gone.
            if let Err(error) = reader.read_entries_with_callback_and_callback(&resolve, &reject) {
                let _ = reject.call1(&JsValue::NULL, &error);
            }
        });
        let batch: Array = JsFuture::from(promise).await?.dyn_into()?;
        if batch.length() == 0 {
            return Ok(all);
        }
        all.extend(batch.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

/// A file of our own server, as if it had been dropped.
pub async fn fetch(url: &str, name: &str) -> Result<Dropped, CollectError> {
    let why = |e: JsValue| CollectError::Fetch { name: name.to_owned(), why: format!("{e:?}") };
    let window = web_sys::window().ok_or_else(|| why("there is no window".into()))?;
    let response: Response =
        JsFuture::from(window.fetch_with_str(url)).await.map_err(why)?.dyn_into().map_err(why)?;
    if !response.ok() {
        return Err(CollectError::Status { name: name.to_owned(), status: response.status() });
    }
    let blob = JsFuture::from(response.blob().map_err(why)?).await.map_err(why)?;
    let file = File::new_with_blob_sequence(&Array::of1(&blob), name).map_err(why)?;
    Ok(Dropped { file, path: name.to_owned() })
}
