//! numpy's `.npy`: the tensors that go in and out of the command line and the tests.
//!
//! Versions 1 to 3, C and Fortran order, little and big endian; no pickled objects.
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use half::f16;

use crate::ops::layout::permute;
use crate::tensor::{DType, Data, Tensor, elements};

/// Why bytes are no array.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// Not numpy's format at all.
    #[error("this is no .npy file: its first bytes are not numpy's")]
    Magic,
    /// A header that cannot be read.
    #[error("the header of the .npy file is damaged: {0}")]
    Header(String),
    /// An element type that is not computed with.
    #[error("the .npy file has elements of type {0:?}, which are not supported")]
    Type(String),
    /// More or fewer bytes than the shape says.
    #[error("the .npy file has {bytes} bytes of elements for a shape of {shape:?}")]
    Size {
        /// As the header says.
        shape: Vec<usize>,
        /// As found.
        bytes: usize,
    },
}

/// The text behind `'key':` in the header, which is a Python dictionary.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, NpyError> {
    let quoted = [format!("'{key}':"), format!("\"{key}\":")];
    let at = quoted.iter().find_map(|q| header.find(q.as_str()).map(|at| at + q.len()));
    at.map(|at| header[at..].trim_start()).ok_or_else(|| NpyError::Header(format!("there is no {key}")))
}

/// The array in `bytes`.
///
/// # Errors
/// See [`NpyError`].
pub fn read(bytes: &[u8]) -> Result<Tensor, NpyError> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or(NpyError::Magic)?;
    let cut = || NpyError::Header("it is cut off".into());
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = if version[0] == 1 {
        let (n, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        (usize::from(u16::from_le_bytes(*n)), rest)
    } else {
        let (n, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        (u32::from_le_bytes(*n) as usize, rest)
    };
    let (header, raw) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header("it is no text".into()))?;
    let descr = value(header, "descr")?;
    let descr = descr.split(['\'', '"']).nth(1).ok_or_else(|| NpyError::Type(descr.into()))?;
    let fortran = value(header, "fortran_order")?.starts_with("True");
    let shape = value(header, "shape")?;
    let shape = shape
        .strip_prefix('(')
        .and_then(|s| s.split_once(')'))
        .ok_or_else(|| NpyError::Header("the shape is no tuple".into()))?
        .0;
    let mut extents: Vec<usize> = shape
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(|s| s.trim_end_matches('L').parse().map_err(|_| NpyError::Header(format!("extent {s:?}"))))
        .collect::<Result<_, _>>()?;
    if fortran {
        extents.reverse();
    }
    let size = || NpyError::Size { shape: extents.clone(), bytes: raw.len() };
    let (order, kind) = descr.split_at_checked(1).ok_or_else(|| NpyError::Type(descr.into()))?;
    let big = order == ">";
    let n = elements(&extents).ok_or_else(size)?;
    macro_rules! numbers {
        ($t:ty, $n:literal, $d:ident) => {{
            let (words, rest) = raw.as_chunks::<$n>();
            if words.len() != n || !rest.is_empty() {
                return Err(size());
            }
            let read = if big { <$t>::from_be_bytes } else { <$t>::from_le_bytes };
            Data::$d(words.iter().map(|w| read(*w)).collect())
        }};
    }
    let data = match kind {
        "f4" => numbers!(f32, 4, F32),
        "f8" => numbers!(f64, 8, F64),
        "f2" => numbers!(f16, 2, F16),
        "i1" => numbers!(i8, 1, I8),
        "i2" => numbers!(i16, 2, I16),
        "i4" => numbers!(i32, 4, I32),
        "i8" => numbers!(i64, 8, I64),
        "u1" => numbers!(u8, 1, U8),
        "u2" => numbers!(u16, 2, U16),
        "u4" => numbers!(u32, 4, U32),
        "u8" => numbers!(u64, 8, U64),
        "b1" if raw.len() == n => Data::Bool(raw.iter().map(|&b| b != 0).collect()),
        "b1" => return Err(size()),
        _ => return Err(NpyError::Type(descr.into())),
    };
    let tensor = Tensor::new(extents.clone(), data).map_err(|_| size())?;
    if fortran {
        let order: Vec<usize> = (0..extents.len()).rev().collect();
        return permute(&tensor, &order).map_err(|e| NpyError::Header(e.to_string()));
    }
    Ok(tensor)
}

/// The tensor as a `.npy` file; bfloat16, which numpy does not have, as float32.
pub fn write(tensor: &Tensor) -> Vec<u8> {
    let descr = match tensor.dtype() {
        DType::F32 | DType::BF16 => "<f4",
        DType::F64 => "<f8",
        DType::F16 => "<f2",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::Bool => "|b1",
    };
    let extents: String = tensor.shape().iter().map(|e| format!("{e}, ")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // The elements begin at a multiple of 64 bytes.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', padded - header.len() - 1));
    header.push('\n');
    // Twelve axes of twenty digits are far below the 64 KiB of version 1.
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    match tensor.data() {
        Data::Bool(v) => out.extend(v.iter().map(|&b| u8::from(b))),
        Data::BF16(v) => out.extend(v.iter().flat_map(|x| x.to_f32().to_le_bytes())),
        Data::F16(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::F32(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::F64(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I8(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I16(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I32(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I64(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::U8(v) => out.extend(v),
        Data::U16(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::U32(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::U64(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_as_they_went() {
        for tensor in [
            Tensor::new(vec![2, 3], Data::F32(vec![1.0, -2.5, 0.0, 4.0, 5.0, 6.0])).unwrap(),
            Tensor::new(vec![], Data::I64(vec![i64::MIN])).unwrap(),
            Tensor::new(vec![3], Data::Bool(vec![true, false, true])).unwrap(),
            Tensor::new(vec![0, 4], Data::U8(vec![])).unwrap(),
        ] {
            let bytes = write(&tensor);
            assert_eq!(read(&bytes).unwrap(), tensor);
            assert!(read(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn fortran_order_and_big_endian_are_turned() {
        let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([1i16, 4, 2, 5, 3, 6].iter().flat_map(|x| x.to_be_bytes()));
        let tensor = read(&bytes).unwrap();
        assert_eq!(tensor, Tensor::new(vec![2, 3], Data::I16(vec![1, 2, 3, 4, 5, 6])).unwrap());
    }
}
