//! The closed set of failure kinds, and the one table that maps them to HTTP and gRPC.

/// What a failure means to its caller. Every operation's error names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The request cannot be right, whoever sends it and however often; query limits belong here.
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    Unprocessable,
    /// A rate limit or a full budget: the same request may succeed later.
    TooMany,
    Cancelled,
    /// Stored bytes fail their checksum or their format.
    Corrupt,
    Internal,
    Unavailable,
    Timeout,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindRow {
    pub kind: ErrorKind,
    /// In logs and metrics.
    pub name: &'static str,
    pub http: u16,
    /// gRPC status number, as in the gRPC specification.
    pub grpc: i32,
    /// Whether sending the same request again can help.
    pub retryable: bool,
}

const fn row(kind: ErrorKind, name: &'static str, http: u16, grpc: i32, retryable: bool) -> KindRow {
    KindRow { kind, name, http, grpc, retryable }
}

/// In the order of the enum, so that a kind is its own index. gRPC numbers are distinct, so that a
/// kind crosses a gRPC call unchanged.
const TABLE: [KindRow; 13] = [
    row(ErrorKind::Invalid, "invalid", 400, 3, false),
    row(ErrorKind::Unauthenticated, "unauthenticated", 401, 16, false),
    row(ErrorKind::Forbidden, "forbidden", 403, 7, false),
    row(ErrorKind::NotFound, "not_found", 404, 5, false),
    row(ErrorKind::Conflict, "conflict", 409, 6, false),
    row(ErrorKind::TooLarge, "too_large", 413, 11, false),
    row(ErrorKind::Unprocessable, "unprocessable", 422, 9, false),
    row(ErrorKind::TooMany, "too_many", 429, 8, true),
    row(ErrorKind::Cancelled, "cancelled", 499, 1, false),
    row(ErrorKind::Corrupt, "corrupt", 500, 15, false),
    row(ErrorKind::Internal, "internal", 500, 13, false),
    row(ErrorKind::Unavailable, "unavailable", 503, 14, true),
    row(ErrorKind::Timeout, "timeout", 504, 4, true),
];

impl ErrorKind {
    pub const fn row(self) -> KindRow {
        TABLE[self as usize]
    }

    pub const fn table() -> &'static [KindRow] {
        &TABLE
    }

    pub const fn name(self) -> &'static str {
        self.row().name
    }

    pub const fn http(self) -> u16 {
        self.row().http
    }

    pub const fn grpc(self) -> i32 {
        self.row().grpc
    }

    pub const fn is_retryable(self) -> bool {
        self.row().retryable
    }

    /// The way back from a gRPC status. Numbers that Larch never sends mean that something between
    /// two of its processes failed.
    pub fn from_grpc(code: i32) -> Self {
        for row in &TABLE {
            if row.grpc == code {
                return row.kind;
            }
        }
        Self::Internal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_its_own_row_and_survives_grpc() {
        for (index, row) in ErrorKind::table().iter().enumerate() {
            assert_eq!(row.kind as usize, index);
            assert_eq!(row.kind.row(), *row);
            assert_eq!(ErrorKind::from_grpc(row.grpc), row.kind, "gRPC numbers are distinct");
        }
        assert_eq!(ErrorKind::from_grpc(2), ErrorKind::Internal);
    }
}
