//! The SMPP 3.4 protocol core.
