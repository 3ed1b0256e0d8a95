//! [`ErrorCode`]: the errors of `wasi:sockets`, and the one table from the host's errors to them.

use rustix::io::Errno;

use crate::p2::error_codes::error_codes;

error_codes! {
    Errno, Unknown;
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
