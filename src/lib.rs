//! Sampan: one router between upstream services and the two networks that mobile commerce lives
//! on, SMSCs (SMPP 3.4) and banks (ISO 8583:1987). So far: its protocol cores.

pub mod iso8583;
pub mod smpp;
pub mod window;
