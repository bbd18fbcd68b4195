//! From files, environment and flags to settings: merging, refusing unknown keys with their place,
//! old keys, secrets, printing.
//!
//! Mechanism only: it knows no section. Each crate owns its own as an implementation of
//! `larch_types::Section`.
