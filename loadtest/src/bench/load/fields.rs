//! Protobuf as octets, as far as the generator reads it: field numbers and values, without building
//! the messages. What a generated type would cost per answer, the router could not be given.

/// A value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A varint; the fixed-length kinds are in no message that is read here.
    Number(u64),
    /// A string, bytes or a message.
    Octets(&'a [u8]),
}

/// The fields of a message in their order. It ends early where the octets are no message; what is missed
/// then is missing in the book.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (octet, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (octets, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Value::Octets(octets)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        field
    }
}

/// The octets of the fields with this number.
pub(super) fn all(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    Fields::of(message).filter_map(move |field| match field {
        (found, Value::Octets(octets)) if found == number => Some(octets),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use sampan::rpc::proto::{SubmitResult, SubmitResults};

    use super::*;

    #[test]
    fn what_the_contract_writes_is_read() {
        let result = SubmitResult {
            request_id: "a".to_owned(),
            outcome: 300,
            ..SubmitResult::default()
        };
        let results = SubmitResults {
            results: vec![result.clone(), result],
        };
        let octets = results.encode_to_vec();
        let read: Vec<Vec<_>> = all(&octets, 1)
            .map(|one| Fields::of(one).collect())
            .collect();
        let expected = vec![(1, Value::Octets(&b"a"[..])), (2, Value::Number(300))];
        assert_eq!(read, [expected.clone(), expected]);
    }

    #[test]
    fn octets_that_are_no_message_end_the_reading() {
        for octets in [&[0x0A, 5, 1][..], &[0x08], &[0x09, 1], &[0xFF; 11]] {
            assert_eq!(Fields::of(octets).count(), 0, "{octets:?}");
        }
        assert_eq!(Fields::of(&[0x08, 7, 0xFF]).count(), 1);
    }
}
