//! From TOML to settings that cannot be wrong.
