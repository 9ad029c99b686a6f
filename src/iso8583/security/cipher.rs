//! Block ciphers on one block at a time, by the length of the key. The modes are their users' work.
//!
//! The key schedules wipe themselves when they are dropped: the `zeroize` features of the crates.

use super::key::{KeyError, Secret};
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use cmac::digest::crypto_common::InnerInit as _;
use cmac::{Cmac, CmacCore, Mac as _};

/// DES with a key of 8 octets, triple DES (EDE) with one of 16 or 24.
#[derive(Clone)]
pub(super) enum Des {
    Single(Box<des::Des>),
    Double(Box<des::TdesEde2>),
    Triple(Box<des::TdesEde3>),
}

impl Des {
    pub(super) fn new(key: &Secret) -> Result<Self, KeyError> {
        let octets = key.octets();
        let cipher = match octets.len() {
            8 => schedule(octets).map(Self::Single),
            16 => schedule(octets).map(Self::Double),
            24 => schedule(octets).map(Self::Triple),
            _ => None,
        };
        cipher.ok_or(wrong_length(octets.len(), "a DES key has 8, 16 or 24"))
    }

    pub(super) fn encrypt(&self, block: &mut [u8; 8]) {
        let block = block.into();
        match self {
            Self::Single(cipher) => cipher.encrypt_block(block),
            Self::Double(cipher) => cipher.encrypt_block(block),
            Self::Triple(cipher) => cipher.encrypt_block(block),
        }
    }

    pub(super) fn decrypt(&self, block: &mut [u8; 8]) {
        let block = block.into();
        match self {
            Self::Single(cipher) => cipher.decrypt_block(block),
            Self::Double(cipher) => cipher.decrypt_block(block),
            Self::Triple(cipher) => cipher.decrypt_block(block),
        }
    }
}

/// AES with a key of 16, 24 or 32 octets.
#[derive(Clone)]
pub(super) enum Aes {
    Aes128(Box<aes::Aes128>),
    Aes192(Box<aes::Aes192>),
    Aes256(Box<aes::Aes256>),
}

impl Aes {
    pub(super) fn new(key: &Secret) -> Result<Self, KeyError> {
        let octets = key.octets();
        let cipher = match octets.len() {
            16 => schedule(octets).map(Self::Aes128),
            24 => schedule(octets).map(Self::Aes192),
            32 => schedule(octets).map(Self::Aes256),
            _ => None,
        };
        cipher.ok_or(wrong_length(octets.len(), "an AES key has 16, 24 or 32"))
    }

    pub(super) fn encrypt(&self, block: &mut [u8; 16]) {
        let block = block.into();
        match self {
            Self::Aes128(cipher) => cipher.encrypt_block(block),
            Self::Aes192(cipher) => cipher.encrypt_block(block),
            Self::Aes256(cipher) => cipher.encrypt_block(block),
        }
    }

    pub(super) fn decrypt(&self, block: &mut [u8; 16]) {
        let block = block.into();
        match self {
            Self::Aes128(cipher) => cipher.decrypt_block(block),
            Self::Aes192(cipher) => cipher.decrypt_block(block),
            Self::Aes256(cipher) => cipher.decrypt_block(block),
        }
    }

    /// AES-CMAC (RFC 4493, NIST SP 800-38B), whole.
    pub(super) fn cmac(&self, data: &[u8]) -> [u8; 16] {
        // The schedule is cloned for each message, which costs less than to make it anew.
        macro_rules! mac {
            ($cipher:ident) => {
                Cmac::from_core(CmacCore::inner_init((**$cipher).clone()))
                    .chain_update(data)
                    .finalize()
                    .into_bytes()
                    .into()
            };
        }
        match self {
            Self::Aes128(cipher) => mac!(cipher),
            Self::Aes192(cipher) => mac!(cipher),
            Self::Aes256(cipher) => mac!(cipher),
        }
    }
}

fn schedule<C: KeyInit>(octets: &[u8]) -> Option<Box<C>> {
    C::new_from_slice(octets).ok().map(Box::new)
}

pub(super) fn wrong_length(given: usize, wanted: &'static str) -> KeyError {
    KeyError::Length { given, wanted }
}
