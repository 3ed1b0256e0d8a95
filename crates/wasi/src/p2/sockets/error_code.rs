//! [`ErrorCode`]: the errors of `wasi:sockets`, and the one table from the host's errors to them.

use rustix::io::Errno;
use wasmr_canon::enumeration;

/// Declares [`ErrorCode`]: one row per code, `Variant "name in WIT" [ERRNO, …]`, in the order of the interface.
macro_rules! error_codes {
    ($($name:ident $text:literal [$($errno:ident),*];)*) => {
        enumeration! {
            /// An `error-code`.
            pub enum ErrorCode "error-code" {
                $(#[doc = concat!("`", $text, "`.")] $name $text,)*
            }
        }

        impl From<Errno> for ErrorCode {
            /// Returns the guest's code for a host error: `unknown` if the interface has none.
            fn from(errno: Errno) -> ErrorCode {
                match errno {
                    $($(Errno::$errno => ErrorCode::$name,)*)*
                    _ => ErrorCode::Unknown,
                }
            }
        }
    };
}

error_codes! {
    Unknown                  "unknown"                    [];
    AccessDenied             "access-denied"              [ACCESS, PERM];
    NotSupported             "not-supported"              [OPNOTSUPP, AFNOSUPPORT, PROTONOSUPPORT, NOPROTOOPT];
    InvalidArgument          "invalid-argument"           [INVAL, DESTADDRREQ, ISCONN];
    OutOfMemory              "out-of-memory"              [NOMEM, NOBUFS];
    Timeout                  "timeout"                    [TIMEDOUT];
    ConcurrencyConflict      "concurrency-conflict"       [ALREADY];
    NotInProgress            "not-in-progress"            [];
    WouldBlock               "would-block"                [AGAIN, INPROGRESS];
    InvalidState             "invalid-state"              [NOTCONN, BADF];
    NewSocketLimit           "new-socket-limit"           [MFILE, NFILE];
    AddressNotBindable       "address-not-bindable"       [ADDRNOTAVAIL];
    AddressInUse             "address-in-use"             [ADDRINUSE];
    RemoteUnreachable        "remote-unreachable"         [HOSTUNREACH, HOSTDOWN, NETUNREACH, NETDOWN, NETRESET, NONET];
    ConnectionRefused        "connection-refused"         [CONNREFUSED];
    ConnectionReset          "connection-reset"           [CONNRESET, PIPE];
    ConnectionAborted        "connection-aborted"         [CONNABORTED];
    DatagramTooLarge         "datagram-too-large"         [MSGSIZE];
    NameUnresolvable         "name-unresolvable"          [];
    TemporaryResolverFailure "temporary-resolver-failure" [];
    PermanentResolverFailure "permanent-resolver-failure" [];
}
