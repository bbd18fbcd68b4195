//! End-to-end tests: they talk to built binaries as a client does, and link no service.
