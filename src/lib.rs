//! Sampan: one router between upstream services and the two networks that mobile commerce lives
//! on, SMSCs (SMPP 3.4) and banks (ISO 8583:1987).

pub mod config;
pub mod iso8583;
pub mod smpp;
