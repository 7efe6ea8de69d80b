//! The same rows, turned into one array per column: the values have the same binary form in both.
//!
//! Layout of an array, from `array_send` of PostgreSQL 15: dimensions, whether it holds nulls, type of its elements, and per
//! dimension its length and first index; then per element its length and bytes (length −1 for null).

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Postgres, Type};

use super::{Column, Table};

impl Column {
    /// The numbers of the type and of arrays of it, the same in every Postgres (`pg_type.dat`).
    fn oids(self) -> (u32, u32) {
        match self {
            Self::Text => (25, 1009),
            Self::Time => (1184, 1185),
            Self::Flag => (16, 1000),
            Self::Json => (114, 199),
        }
    }
}

/// An array of values that are encoded already.
pub(super) struct Array {
    column: Column,
    length: i32,
    /// Lengths and bytes of the elements.
    elements: Vec<u8>,
}

/// Turns rows into columns.
pub(super) fn columns<'a>(table: &Table, stretches: impl Iterator<Item = &'a [u8]>) -> Vec<Array> {
    let mut columns: Vec<_> = table.columns.iter().map(|column| Array { column: *column, length: 0, elements: Vec::new() }).collect();
    for mut rest in stretches {
        while !rest.is_empty() {
            rest = &rest[size_of::<i16>()..];
            for column in &mut columns {
                let (value, after) = rest.split_at(value_bytes(rest));
                column.elements.extend_from_slice(value);
                column.length += 1;
                rest = after;
            }
        }
    }
    columns
}

/// The size of the value that begins here, with its length; null has no bytes.
fn value_bytes(rest: &[u8]) -> usize {
    let length = i32::from_be_bytes(*rest.first_chunk().expect("every value of a row begins with its length"));
    size_of::<i32>() + usize::try_from(length).unwrap_or(0)
}

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(Column::Text.oids().1))
    }
}

impl Encode<'_, Postgres> for Array {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.column.oids().1)))
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let (dimensions, may_hold_nulls, first_index) = (1_i32, 1_i32, 1_i32);
        buffer.extend(&dimensions.to_be_bytes());
        buffer.extend(&may_hold_nulls.to_be_bytes());
        buffer.extend(&self.column.oids().0.to_be_bytes());
        buffer.extend(&self.length.to_be_bytes());
        buffer.extend(&first_index.to_be_bytes());
        buffer.extend(&self.elements);
        Ok(IsNull::No)
    }
}
