//! `NAME=FILE`: arrays as they are, pictures and volumes in the shape and type that the model declares.
//!
//! A volume from NIfTI is indexed as nibabel does (x, y, z), one from DICOM by slice, row and column, a picture by
//! channel, row and column; axes of extent 1 are put in front until the model's rank is reached.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use imaging::disk::files_under;
use imaging::limits::Limits;
use imaging::read_study;
use imaging::volume::{Volume, Voxels};
use inference::graph::{Graph, Input};
use inference::npy::{self, NpyError};
use inference::ops::elementwise::cast;
use inference::{Data, Tensor};

/// Why there is no input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No name where one is needed.
    #[error("--input {given:?} names no input. The model's are: {names}. Write --input NAME=FILE.")]
    Name {
        /// As given.
        given: String,
        /// Of the model.
        names: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file that holds no array.
    #[error("{}: {error}", path.display())]
    Array {
        /// Which.
        path: PathBuf,
        /// Why.
        error: NpyError,
    },
    /// Anything else.
    #[error("{}: {what}", path.display())]
    Other {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

/// Reads all inputs.
pub fn read(arguments: &[String], graph: &Graph) -> Result<Vec<(String, Tensor)>, Error> {
    let names = || graph.inputs.iter().map(|i| i.name.clone()).collect::<Vec<_>>().join(", ");
    let mut inputs = Vec::with_capacity(arguments.len());
    for argument in arguments {
        // Names may hold '=', and so may paths: the longest name that is one of the model's.
        let named = graph
            .inputs
            .iter()
            .filter_map(|i| Some((i, argument.strip_prefix(i.name.as_str())?.strip_prefix('=')?)))
            .max_by_key(|(i, _)| i.name.len());
        let (input, file) = match (named, graph.inputs.as_slice()) {
            (Some(found), _) => found,
            (None, [only]) if !argument.contains('=') || Path::new(argument).exists() => {
                (only, argument.as_str())
            }
            _ => return Err(Error::Name { given: argument.clone(), names: names() }),
        };
        inputs.push((input.name.clone(), one(file, input)?));
    }
    Ok(inputs)
}

fn one(file: &str, input: &Input) -> Result<Tensor, Error> {
    let lower = file.to_lowercase();
    if lower.ends_with(".npy") {
        let path = Path::new(file);
        let bytes = std::fs::read(path).map_err(|error| Error::File { path: path.into(), error })?;
        return npy::read(&bytes).map_err(|error| Error::Array { path: path.into(), error });
    }
    if let Some((path, array)) = archive(file) {
        return npz(Path::new(path), array, &input.name);
    }
    picture(Path::new(file), input)
}

/// The path of a `.npz` file and the array that is named behind it.
fn archive(file: &str) -> Option<(&str, Option<&str>)> {
    if file.to_lowercase().ends_with(".npz") {
        return Some((file, None));
    }
    let (path, array) = file.rsplit_once(':')?;
    path.to_lowercase().ends_with(".npz").then_some((path, Some(array)))
}

fn npz(path: &Path, array: Option<&str>, input: &str) -> Result<Tensor, Error> {
    let other = |what: String| Error::Other { path: path.into(), what };
    let file = std::fs::File::open(path).map_err(|error| Error::File { path: path.into(), error })?;
    let mut archive = zip::ZipArchive::new(file).map_err(|e| other(e.to_string()))?;
    let mut names = Vec::new();
    for i in 0..archive.len() {
        let entry = archive.by_index(i).map_err(|e| other(e.to_string()))?;
        let name = entry.name().map_err(|e| other(e.to_string()))?;
        names.push(name.trim_end_matches(".npy").to_owned());
    }
    let wanted = array.unwrap_or(input);
    let at = match names.iter().position(|n| n == wanted) {
        Some(at) => at,
        None if names.len() == 1 && array.is_none() => 0,
        None => {
            return Err(other(format!(
                "holds no array {wanted:?} but {}; choose one with FILE.npz:ARRAY",
                names.join(", ")
            )));
        }
    };
    let mut bytes = Vec::new();
    let mut entry = archive.by_index(at).map_err(|e| other(e.to_string()))?;
    entry.read_to_end(&mut bytes).map_err(|error| Error::File { path: path.into(), error })?;
    npy::read(&bytes).map_err(|error| Error::Array { path: path.into(), error })
}

/// A picture or volume in the model's rank and type.
fn picture(path: &Path, input: &Input) -> Result<Tensor, Error> {
    let other = |what: String| Error::Other { path: path.into(), what };
    let files = files_under(&[path.to_owned()]).map_err(|error| Error::File { path: path.into(), error })?;
    let catalog = read_study(files, &Limits::default());
    let shown: Vec<usize> = (0..catalog.series.len()).filter(|&i| catalog.series[i].displayable).collect();
    let &[index] = shown.as_slice() else {
        return Err(other(format!("holds {} series with a picture, one is needed", shown.len())));
    };
    let numpy_order = catalog.series[index].modality == "NIfTI";
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut loader = catalog.loader(index).map_err(|e| other(e.to_string()))?;
    loader.load_rest(threads).map_err(|e| other(e.to_string()))?;
    let tensor = tensor(&loader.finish(), numpy_order, input).map_err(other)?;
    match input.dtype {
        Some(dtype) => cast(&tensor, dtype).map_err(|e| other(e.to_string())),
        None => Ok(tensor),
    }
}

fn tensor(volume: &Volume, numpy_order: bool, input: &Input) -> Result<Tensor, String> {
    let [nx, ny, nz] = volume.grid.dims().map(|n| n as usize);
    let nt = volume.time_points as usize;
    if nt > 1 {
        return Err(format!("has {nt} time points, one is needed"));
    }
    let rank = input.shape.as_ref().map(Vec::len);
    let (mut shape, values) = match &volume.voxels {
        Voxels::Rgba8(v) => {
            let plane = |c: usize| v.iter().map(move |p| f32::from(p[c]));
            ([3, nz, ny, nx].to_vec(), plane(0).chain(plane(1)).chain(plane(2)).collect::<Vec<f32>>())
        }
        voxels => {
            let value = |i: usize| volume.rescale.apply(voxels.get(i).unwrap_or(0.0)) as f32;
            if numpy_order {
                let at = |i: usize| (i % nz * ny + i / nz % ny) * nx + i / (nz * ny);
                ([nx, ny, nz].to_vec(), (0..nx * ny * nz).map(|i| value(at(i))).collect())
            } else {
                ([nz, ny, nx].to_vec(), (0..nx * ny * nz).map(value).collect())
            }
        }
    };
    // One slice is a picture: the axis of the slices goes, for colour that behind the channels.
    if nz == 1 && !numpy_order {
        shape.retain({
            let mut dropped = false;
            move |&e| {
                let drop = e == 1 && !dropped;
                dropped |= drop;
                !drop
            }
        });
    }
    if let Some(rank) = rank {
        if shape.len() > rank {
            return Err(format!("has {} axes, the model's input {:?} has {rank}", shape.len(), input.name));
        }
        while shape.len() < rank {
            shape.insert(0, 1);
        }
    }
    Tensor::new(shape, Data::F32(values)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_may_be_named_behind_its_archive() {
        assert_eq!(archive("a/b.npz"), Some(("a/b.npz", None)));
        assert_eq!(archive("a/b.NPZ:logits"), Some(("a/b.NPZ", Some("logits"))));
        assert_eq!(archive("a/b.npy"), None);
        assert_eq!(archive("a:b.nii.gz"), None);
    }
}
