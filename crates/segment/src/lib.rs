//! The bytes of a segment: arena, builder, writer and reader; pages, filters, index, footer.
//!
//! It never opens a file, reads a clock or names a runtime: bytes in, bytes out.
