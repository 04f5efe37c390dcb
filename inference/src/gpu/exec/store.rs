//! Tensors to words and back.
//!
//! Half floats are widened on the GPU and rounded on the way back; 64-bit integers are kept in 32 bits, which is checked
//! on the way there. Bytes are widened on the GPU too.

use half::f16;

use crate::gpu::fault::GpuFault;
use crate::gpu::kernels::unpack::{self, Stored, Unpack, words_of};
use crate::gpu::memory::Block;
use crate::gpu::recorder::Recorder;
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// Whether elements of this type have a word that says all of them.
pub(super) fn has_word(dtype: DType) -> bool {
    !matches!(dtype, DType::F64 | DType::BF16 | DType::U64)
}

/// Whether all of these have 32 bits.
pub(super) fn narrow(tensor: &Tensor) -> bool {
    match tensor.data() {
        Data::I64(v) => v.iter().all(|&x| i32::try_from(x).is_ok()),
        _ => true,
    }
}

pub(super) fn upload(rec: &mut Recorder, tensor: &Tensor) -> Result<Block, GpuFault> {
    let elements = tensor.data().len();
    let packed = match tensor.data() {
        Data::F16(v) => Some((Stored::F16, v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())),
        Data::U8(v) => Some((Stored::U8, v.clone())),
        Data::I8(v) => Some((Stored::I8, v.iter().map(|&x| x as u8).collect())),
        _ => None,
    };
    if let Some((stored, bytes)) = packed {
        let raw = rec.upload(&words_of(&bytes))?;
        let block = rec.take(elements as u64)?;
        unpack::record(rec, &Unpack { elements, stored }, &raw, &block)?;
        return Ok(block);
    }
    if !narrow(tensor) {
        return Err(GpuFault::unfit("upload", "a 64-bit integer beyond 32 bits has no place on a GPU"));
    }
    let words: Vec<u32> = match tensor.data() {
        Data::F32(v) => return rec.upload(bytemuck::cast_slice(v)),
        Data::U32(v) => return rec.upload(v),
        Data::I32(v) => return rec.upload(bytemuck::cast_slice(v)),
        Data::I64(v) => v.iter().map(|&x| x as u32).collect(),
        Data::I16(v) => v.iter().map(|&x| i32::from(x) as u32).collect(),
        Data::U16(v) => v.iter().map(|&x| u32::from(x)).collect(),
        Data::Bool(v) => v.iter().map(|&x| u32::from(x)).collect(),
        data => {
            return Err(GpuFault::unfit("upload", format!("{} has no type on a GPU", data.dtype().name())));
        }
    };
    rec.upload(&words)
}

/// Half floats as they are, two to a word.
pub(super) fn upload_halves(rec: &mut Recorder, tensor: &Tensor) -> Result<Block, GpuFault> {
    match tensor.data() {
        Data::F16(v) => rec.upload_bytes(bytemuck::cast_slice(v)),
        data => Err(GpuFault::unfit("upload", format!("{} is no half float", data.dtype().name()))),
    }
}

/// The same back.
pub(super) async fn download_halves(
    rec: &mut Recorder,
    block: &Block,
    info: &TensorInfo,
) -> Result<Tensor, GpuFault> {
    let elements = info.elements().unwrap_or(0);
    let words = rec.download(block, elements.div_ceil(2)).await?;
    let halves = words.into_iter().flat_map(|word| [word as u16, (word >> 16) as u16]);
    let data = Data::F16(halves.take(elements).map(f16::from_bits).collect());
    Tensor::new(info.shape.clone(), data).map_err(|e| GpuFault::unfit("download", e.to_string()))
}

pub(super) async fn download(
    rec: &mut Recorder,
    block: &Block,
    info: &TensorInfo,
    bytes: bool,
) -> Result<Tensor, GpuFault> {
    let elements = info.elements().unwrap_or(0);
    if bytes {
        let words = rec.download(block, elements.div_ceil(4)).await?;
        let mut labels: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        labels.truncate(elements);
        return Tensor::new(info.shape.clone(), Data::U8(labels))
            .map_err(|e| GpuFault::unfit("download", e.to_string()));
    }
    let words = rec.download(block, elements).await?;
    let signed = words.iter().map(|&w| w as i32);
    let data = match info.dtype {
        DType::F32 => Data::F32(words.into_iter().map(f32::from_bits).collect()),
        DType::F16 => Data::F16(words.into_iter().map(|w| f16::from_f32(f32::from_bits(w))).collect()),
        DType::I8 => Data::I8(signed.map(|x| x as i8).collect()),
        DType::I16 => Data::I16(signed.map(|x| x as i16).collect()),
        DType::I32 => Data::I32(signed.collect()),
        DType::I64 => Data::I64(signed.map(i64::from).collect()),
        DType::U8 => Data::U8(words.into_iter().map(|x| x as u8).collect()),
        DType::U16 => Data::U16(words.into_iter().map(|x| x as u16).collect()),
        DType::U32 => Data::U32(words),
        DType::Bool => Data::Bool(words.into_iter().map(|x| x != 0).collect()),
        other => return Err(GpuFault::unfit("download", format!("{} has no type on a GPU", other.name()))),
    };
    Tensor::new(info.shape.clone(), data).map_err(|e| GpuFault::unfit("download", e.to_string()))
}
