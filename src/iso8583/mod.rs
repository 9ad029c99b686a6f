//! The ISO 8583:1987 protocol core.
