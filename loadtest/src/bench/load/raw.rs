//! gRPC with messages as octets: what is sent is encoded beforehand, what comes is read where it lies.

use bytes::{Buf, BufMut, Bytes};
use tonic::{
    Status,
    client::Grpc,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

/// HTTP/2 flow control of what the router answers, on one stream and on one connection.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Room for what is encoded and for what came, per call, and what is gathered before it is sent.
const BUFFER_BYTES: usize = 32 << 10;
/// The longest answer taken: 1,000 results are far below it.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where the calls go.
pub(in crate::bench) const SUBMIT: &str = "/sampan.v1.Messaging/Submit";
pub(in crate::bench) const SUBMIT_STREAM: &str = "/sampan.v1.Messaging/SubmitStream";
pub(in crate::bench) const RECEIVE: &str = "/sampan.v1.Messaging/Receive";
pub(in crate::bench) const TRANSACT: &str = "/sampan.v1.Payments/Transact";
pub(in crate::bench) const TRANSACT_STREAM: &str = "/sampan.v1.Payments/TransactStream";

/// A connection of its own to the router.
///
/// # Errors
/// When the router does not take it.
pub(in crate::bench) async fn connect(rpc: &str) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(rpc.to_owned())?
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .connect()
        .await
}

/// The caller of raw calls on a connection.
pub(in crate::bench) fn caller(channel: Channel) -> Grpc<Channel> {
    Grpc::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// A request of the client with this number, which names itself.
pub(in crate::bench) fn request<T>(client: usize, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    // Letters and digits are a value.
    if let Ok(name) = AsciiMetadataValue::try_from(client_name(client)) {
        request.metadata_mut().insert("sampan-client", name);
    }
    request
}

/// What the client with this number calls itself.
pub(in crate::bench) fn client_name(client: usize) -> String {
    format!("bench-{client}")
}

/// The path of a call.
pub(in crate::bench) fn path(call: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(call)
}

/// Octets in, octets out.
#[derive(Clone, Copy, Default)]
pub(in crate::bench) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(item.len());
        out.put_slice(&item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, BUFFER_BYTES)
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, input: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(input.copy_to_bytes(input.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, BUFFER_BYTES)
    }
}
