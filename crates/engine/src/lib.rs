//! Runs LogQL over any source of pages.
//!
//! It cannot tell memory from storage, and does not know who asked.
