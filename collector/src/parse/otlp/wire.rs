//! Protobuf as it lies on the wire, read where it lies: fields one after the other, nothing copied.
//!
//! protobuf.dev's "Encoding", read in November 2026. Groups are not read; OTLP has none.

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire<'a> {
    /// Integers, flags and enums.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Four bytes, little-endian.
    Fixed32(u32),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

/// The wire types, as a tag's lowest three bits say them.
pub const VARINT: u8 = 0;
pub const FIXED64: u8 = 1;
pub const BYTES: u8 = 2;
pub const FIXED32: u8 = 5;

/// The fields of a message in their order, each with its number. Ends where something is no field.
#[derive(Clone, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Wire<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() { None } else { field(&mut self.0) }
    }
}

/// Takes the next field; `None` when there is none to be read, or when its number is none.
#[inline]
pub fn field<'a>(input: &mut &'a [u8]) -> Option<(u32, Wire<'a>)> {
    let (number, wire_type) = tag(input)?;
    Some((number, value(input, wire_type)?))
}

/// Takes the next field's number and the wire type of its value.
#[inline]
pub fn tag(input: &mut &[u8]) -> Option<(u32, u8)> {
    let tag = u32::try_from(varint(input)?).ok()?;
    (tag >= 8).then_some((tag >> 3, (tag & 7) as u8))
}

/// Takes a value of a wire type.
#[inline]
pub fn value<'a>(input: &mut &'a [u8], wire_type: u8) -> Option<Wire<'a>> {
    Some(match wire_type {
        VARINT => Wire::Varint(varint(input)?),
        FIXED64 => Wire::Fixed64(u64::from_le_bytes(fixed(input)?)),
        BYTES => Wire::Bytes(bytes(input)?),
        FIXED32 => Wire::Fixed32(u32::from_le_bytes(fixed(input)?)),
        _ => return None,
    })
}

/// Takes what its length stands in front of.
#[inline]
pub fn bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(input)?).ok()?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

#[inline]
pub fn fixed<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*bytes)
}

/// Seven bits a byte, the lowest first. Most are one byte long: tags, lengths, small numbers.
#[inline]
pub fn varint(input: &mut &[u8]) -> Option<u64> {
    let (number, rest) = match input.split_first() {
        Some((first, rest)) if *first < 0x80 => (u64::from(*first), rest),
        // By value: `input` then stays in registers.
        _ => long_varint(input)?,
    };
    *input = rest;
    Some(number)
}

fn long_varint(input: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for index in 0..10 {
        let byte = *input.get(index)?;
        // The tenth byte has room for one bit.
        if index == 9 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((number, &input[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_type_is_read() {
        let input = [0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 2, 0, 0, 0];
        let fields: Vec<_> = Fields(&input).collect();
        assert_eq!(fields, [(1, Wire::Varint(150)), (2, Wire::Fixed64(1)), (3, Wire::Bytes(b"hi")), (4, Wire::Fixed32(2))]);
    }

    #[test]
    fn what_is_no_field_ends_the_message() {
        for input in [
            &[0x0b_u8][..],
            &[0x00, 0x01],
            &[0x08],
            &[0x1a, 5, b'x'],
            &[0x25, 1],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00],
        ] {
            assert_eq!(Fields(input).next(), None, "{input:?}");
        }
        assert_eq!(Fields(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).next(), Some((1, Wire::Varint(u64::MAX))));
    }
}
