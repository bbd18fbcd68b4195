//! The benchmark: loads a running server and times its answers.
