//! The protobuf wire format: fields of a message, one after the other, without copying.
//!
//! Own code because a generated reader copies every weight and trusts every length; here a length is a slice of
//! what is left, or an error. <https://protobuf.dev/programming-guides/encoding/>

use super::ReadError;

/// The value of a field, by wire type.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: string, bytes, message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Reads a message field by field.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ReadError> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(ReadError::Truncated)?;
        *bytes = rest;
        if shift == 63 && byte > 1 {
            return Err(ReadError::Varint);
        }
        value |= u64::from(byte & 0x7f) << shift.min(63);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ReadError::Varint)
}

fn fixed<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N], ReadError> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(ReadError::Truncated)?;
    *bytes = rest;
    Ok(head)
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Field<'a>), ReadError> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).map_err(|_| ReadError::Key { key })?;
        if number == 0 {
            return Err(ReadError::Key { key });
        }
        let value = match key & 7 {
            0 => Field::Varint(varint(&mut self.rest)?),
            1 => Field::Fixed64(u64::from_le_bytes(*fixed(&mut self.rest)?)),
            2 => {
                let length = varint(&mut self.rest)?;
                let length = usize::try_from(length).map_err(|_| ReadError::Truncated)?;
                let (head, rest) = self.rest.split_at_checked(length).ok_or(ReadError::Truncated)?;
                self.rest = rest;
                Field::Bytes(head)
            }
            5 => Field::Fixed32(u32::from_le_bytes(*fixed(&mut self.rest)?)),
            // Groups (3 and 4) do not occur in onnx.proto.
            _ => return Err(ReadError::Key { key }),
        };
        Ok((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    /// A nested message or bytes.
    pub const fn bytes(self) -> Result<&'a [u8], ReadError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(ReadError::WireType),
        }
    }

    /// A string; protobuf demands UTF-8.
    pub fn text(self, longest: usize) -> Result<&'a str, ReadError> {
        let bytes = self.bytes()?;
        if bytes.len() > longest {
            return Err(ReadError::Name { length: bytes.len(), longest });
        }
        std::str::from_utf8(bytes).map_err(|_| ReadError::Utf8)
    }

    /// An integer; negative ones are stored as their two's complement.
    pub const fn int(self) -> Result<i64, ReadError> {
        match self {
            Self::Varint(value) => Ok(value as i64),
            _ => Err(ReadError::WireType),
        }
    }

    /// A `float`.
    pub const fn float(self) -> Result<f32, ReadError> {
        match self {
            Self::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(ReadError::WireType),
        }
    }

    /// Appends one or, packed, many integers.
    pub fn ints(self, into: &mut Vec<i64>) -> Result<(), ReadError> {
        match self {
            Self::Varint(value) => into.push(value as i64),
            Self::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    into.push(varint(&mut bytes)? as i64);
                }
            }
            _ => return Err(ReadError::WireType),
        }
        Ok(())
    }

    /// Appends one or, packed, many `float`.
    pub fn floats(self, into: &mut Vec<f32>) -> Result<(), ReadError> {
        match self {
            Self::Fixed32(bits) => into.push(f32::from_bits(bits)),
            Self::Bytes(bytes) => {
                let (words, []) = bytes.as_chunks::<4>() else { return Err(ReadError::Truncated) };
                into.extend(words.iter().map(|w| f32::from_le_bytes(*w)));
            }
            _ => return Err(ReadError::WireType),
        }
        Ok(())
    }

    /// Appends one or, packed, many `double`.
    pub fn doubles(self, into: &mut Vec<f64>) -> Result<(), ReadError> {
        match self {
            Self::Fixed64(bits) => into.push(f64::from_bits(bits)),
            Self::Bytes(bytes) => {
                let (words, []) = bytes.as_chunks::<8>() else { return Err(ReadError::Truncated) };
                into.extend(words.iter().map(|w| f64::from_le_bytes(*w)));
            }
            _ => return Err(ReadError::WireType),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_wire_type_are_read() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f];
        let fields: Vec<_> = Fields::new(&message).map(Result::unwrap).collect();
        assert!(matches!(fields[0], (1, Field::Varint(150))));
        assert_eq!(fields[1].1.text(9).unwrap(), "hi");
        assert!((fields[2].1.float().unwrap() - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn negative_integers_take_ten_bytes() {
        let message = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Fields::new(&message).next().unwrap().unwrap().1.int().unwrap(), -1);
    }

    #[test]
    fn damage_ends_in_an_error_and_the_walk_stops() {
        for message in [
            &[0x08u8][..],
            &[0x12, 200, 1, 2],
            &[0x00, 0],
            &[0x0b],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            let mut fields = Fields::new(message);
            assert!(fields.next().unwrap().is_err(), "{message:?}");
            assert!(fields.next().is_none());
        }
    }
}
