//! How the servers read and write the messages of the contract.
//!
//! prost's own codec asks the transport's buffer for each octet and lets it grow as it is filled. Here
//! a message is read from the one piece that it is, and room for all of it is made before it is
//! written. It must never hold state: a codec serves one call.

use std::marker::PhantomData;

use bytes::{Buf as _, BufMut};
use prost::DecodeError;
use tonic::{
    Status,
    codec::{self, DecodeBuf, EncodeBuf},
};

/// What a server is asked.
pub(super) trait Question: Sized + Send + 'static {
    /// Reads it from protobuf.
    fn read(octets: &[u8]) -> Result<Self, DecodeError>;
}

impl<M: prost::Message + Default + 'static> Question for M {
    fn read(octets: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(octets)
    }
}

/// What a server answers.
pub(super) trait Answer: Send + 'static {
    /// Octets that [`Answer::write`] writes.
    fn octets(&self) -> usize;

    /// Writes it as protobuf.
    fn write(&self, out: &mut impl BufMut);
}

impl<M: prost::Message + 'static> Answer for M {
    fn octets(&self) -> usize {
        self.encoded_len()
    }

    fn write(&self, out: &mut impl BufMut) {
        self.encode_raw(out);
    }
}

/// The codec of a call with answers `T` and requests `U`.
pub(super) struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Answer, U: Question> codec::Codec for Codec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = Encoder<T>;
    type Decoder = Decoder<U>;

    fn encoder(&mut self) -> Encoder<T> {
        Encoder(PhantomData)
    }

    fn decoder(&mut self) -> Decoder<U> {
        Decoder(PhantomData)
    }
}

pub(super) struct Encoder<T>(PhantomData<T>);

impl<T: Answer> codec::Encoder for Encoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, answer: T, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(answer.octets());
        answer.write(out);
        Ok(())
    }
}

pub(super) struct Decoder<U>(PhantomData<U>);

impl<U: Question> codec::Decoder for Decoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, input: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let octets = input.remaining();
        let read = match input.chunk() {
            whole if whole.len() == octets => {
                let read = U::read(whole);
                input.advance(octets);
                read
            }
            // Not reached: the transport hands out a message in one piece.
            _ => U::read(&input.copy_to_bytes(octets)),
        };
        read.map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
