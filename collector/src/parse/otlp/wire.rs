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
    let tag = u32::try_from(varint(input)?).ok()?;
    let value = match tag & 7 {
        0 => Wire::Varint(varint(input)?),
        1 => Wire::Fixed64(u64::from_le_bytes(fixed(input)?)),
        2 => {
            let length = usize::try_from(varint(input)?).ok()?;
            let (bytes, rest) = input.split_at_checked(length)?;
            *input = rest;
            Wire::Bytes(bytes)
        }
        5 => Wire::Fixed32(u32::from_le_bytes(fixed(input)?)),
        _ => return None,
    };
    (tag >= 8).then_some((tag >> 3, value))
}

fn fixed<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*bytes)
}

/// Seven bits a byte, the lowest first. Most are one byte long: tags, lengths, small numbers.
#[inline]
fn varint(input: &mut &[u8]) -> Option<u64> {
    match input.split_first() {
        Some((first, rest)) if *first < 0x80 => {
            *input = rest;
            Some(u64::from(*first))
        }
        _ => long_varint(input),
    }
}

fn long_varint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for index in 0..10 {
        let byte = *input.get(index)?;
        // The tenth byte has room for one bit.
        if index == 9 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *input = &input[index + 1..];
            return Some(number);
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
