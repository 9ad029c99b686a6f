//! One link of the bank: it approves whatever came in one write.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::{Buf, BytesMut};

use super::{
    Answers, Flow,
    iso::{NoMessage, answer, split},
};

/// A link.
pub(super) struct Link {
    authorizations: Arc<AtomicU64>,
}

impl Link {
    pub(super) fn new(authorizations: Arc<AtomicU64>) -> Self {
        Self { authorizations }
    }

    /// Answers all whole messages; how many octets they had.
    fn answer_all(&self, input: &[u8], out: &mut BytesMut) -> Result<usize, NoMessage> {
        let mut rest = input;
        while let Some((message, behind)) = split(rest)? {
            let authorization = self.authorizations.fetch_add(1, Relaxed);
            answer(message, authorization, out)?;
            rest = behind;
        }
        Ok(input.len() - rest.len())
    }
}

impl Answers for Link {
    fn on_bytes(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Flow {
        match self.answer_all(input, out) {
            Ok(read) => {
                input.advance(read);
                Flow::Open
            }
            Err(NoMessage) => Flow::Close,
        }
    }
}
