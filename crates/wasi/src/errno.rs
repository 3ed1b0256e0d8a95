//! The [error numbers] of WASI Preview 1, and the one mapping from host errors.
//!
//! In: `rustix` and `std::io` errors from system calls and from `cap-primitives`. Out: an [`Errno`], which a call returns to
//! the guest as its `i32` result. `wasi_unstable` uses the same numbers.
//!
//! Invariant: the table below is in the order of the WASI type `errno`, so a variant's position is its value.
//!
//! # Why does an escape become `PERM`?
//! `cap-primitives` reports a path that leaves its directory as "permission denied" without a system error number. wasi-libc
//! knows `NOTCAPABLE` too, but existing programs and test suites expect `PERM` for escapes and `NOTCAPABLE` for a revoked
//! right.
//!
//! [error numbers]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno

use rustix::io::Errno as HostErrno;

/// Declares [`Errno`]: one row per error, `Variant "wasi name" [HOST_ERROR];`.
macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident $text:literal $([$host:ident])?;)*) => {
        /// An error number as the guest sees it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Errno { $($(#[$doc])* $name,)* }

        impl Errno {
            /// All error numbers in the order of their values: `ALL[errno as usize] == errno`.
            pub const ALL: &'static [Errno] = &[$(Errno::$name,)*];

            /// Returns the name in the WASI documentation.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => $text,)* }
            }

            /// Returns the guest's number for a host error: `IO` if WASI has none.
            fn from_host(host: HostErrno) -> Self {
                match host {
                    $($(HostErrno::$host => Errno::$name,)?)*
                    _ => Errno::Io,
                }
            }
        }
    };
}

errnos! {
    /// No error.
    Success        "success";
    /// Argument list too long.
    TooBig         "2big"           [TOOBIG];
    /// Permission denied.
    Acces          "acces"          [ACCESS];
    /// Address in use.
    Addrinuse      "addrinuse"      [ADDRINUSE];
    /// Address not available.
    Addrnotavail   "addrnotavail"   [ADDRNOTAVAIL];
    /// Address family not supported.
    Afnosupport    "afnosupport"    [AFNOSUPPORT];
    /// Not ready now, or the operation would block.
    Again          "again"          [AGAIN];
    /// Connection already in progress.
    Already        "already"        [ALREADY];
    /// Not an open descriptor, or not one for this operation.
    Badf           "badf"           [BADF];
    /// Bad message.
    Badmsg         "badmsg"         [BADMSG];
    /// Device or resource busy.
    Busy           "busy"           [BUSY];
    /// Operation cancelled.
    Canceled       "canceled"       [CANCELED];
    /// No child processes.
    Child          "child"          [CHILD];
    /// Connection aborted.
    Connaborted    "connaborted"    [CONNABORTED];
    /// Connection refused.
    Connrefused    "connrefused"    [CONNREFUSED];
    /// Connection reset.
    Connreset      "connreset"      [CONNRESET];
    /// Resource deadlock would occur.
    Deadlk         "deadlk"         [DEADLK];
    /// Destination address required.
    Destaddrreq    "destaddrreq"    [DESTADDRREQ];
    /// Argument out of the domain of the function.
    Dom            "dom"            [DOM];
    /// Disk quota exceeded.
    Dquot          "dquot"          [DQUOT];
    /// File exists.
    Exist          "exist"          [EXIST];
    /// Bad address. No call returns it: a pointer outside the memory ends the guest.
    Fault          "fault"          [FAULT];
    /// File too large.
    Fbig           "fbig"           [FBIG];
    /// Host unreachable.
    Hostunreach    "hostunreach"    [HOSTUNREACH];
    /// Identifier removed.
    Idrm           "idrm"           [IDRM];
    /// Not valid UTF-8.
    Ilseq          "ilseq"          [ILSEQ];
    /// Operation in progress.
    Inprogress     "inprogress"     [INPROGRESS];
    /// Interrupted function.
    Intr           "intr"           [INTR];
    /// Invalid argument.
    Inval          "inval"          [INVAL];
    /// Input or output error.
    Io             "io"             [IO];
    /// Socket is connected.
    Isconn         "isconn"         [ISCONN];
    /// Is a directory.
    Isdir          "isdir"          [ISDIR];
    /// Too many levels of symbolic links, or a link where none may be followed.
    Loop           "loop"           [LOOP];
    /// Too many open descriptors.
    Mfile          "mfile"          [MFILE];
    /// Too many links.
    Mlink          "mlink"          [MLINK];
    /// Message too large.
    Msgsize        "msgsize"        [MSGSIZE];
    /// Reserved.
    Multihop       "multihop"       [MULTIHOP];
    /// A path or a name in it is too long.
    Nametoolong    "nametoolong"    [NAMETOOLONG];
    /// Network is down.
    Netdown        "netdown"        [NETDOWN];
    /// Connection aborted by the network.
    Netreset       "netreset"       [NETRESET];
    /// Network unreachable.
    Netunreach     "netunreach"     [NETUNREACH];
    /// Too many files open in the system.
    Nfile          "nfile"          [NFILE];
    /// No buffer space available.
    Nobufs         "nobufs"         [NOBUFS];
    /// No such device.
    Nodev          "nodev"          [NODEV];
    /// No such file or directory.
    Noent          "noent"          [NOENT];
    /// Executable file format error.
    Noexec         "noexec"         [NOEXEC];
    /// No locks available.
    Nolck          "nolck"          [NOLCK];
    /// Reserved.
    Nolink         "nolink"         [NOLINK];
    /// Not enough space.
    Nomem          "nomem"          [NOMEM];
    /// No message of the desired type.
    Nomsg          "nomsg"          [NOMSG];
    /// Protocol not available.
    Noprotoopt     "noprotoopt"     [NOPROTOOPT];
    /// No space left on the device, or an output limit reached.
    Nospc          "nospc"          [NOSPC];
    /// Function not supported.
    Nosys          "nosys"          [NOSYS];
    /// The socket is not connected.
    Notconn        "notconn"        [NOTCONN];
    /// Not a directory.
    Notdir         "notdir"         [NOTDIR];
    /// Directory not empty.
    Notempty       "notempty"       [NOTEMPTY];
    /// State not recoverable.
    Notrecoverable "notrecoverable" [NOTRECOVERABLE];
    /// Not a socket.
    Notsock        "notsock"        [NOTSOCK];
    /// Not supported.
    Notsup         "notsup"         [NOTSUP];
    /// Inappropriate control operation.
    Notty          "notty"          [NOTTY];
    /// No such device or address.
    Nxio           "nxio"           [NXIO];
    /// Value too large for its type.
    Overflow       "overflow"       [OVERFLOW];
    /// Previous owner died.
    Ownerdead      "ownerdead"      [OWNERDEAD];
    /// Operation not permitted, such as a path that leaves its directory.
    Perm           "perm"           [PERM];
    /// Broken pipe.
    Pipe           "pipe"           [PIPE];
    /// Protocol error.
    Proto          "proto"          [PROTO];
    /// Protocol not supported.
    Protonosupport "protonosupport" [PROTONOSUPPORT];
    /// Wrong type of protocol for the socket.
    Prototype      "prototype"      [PROTOTYPE];
    /// Result too large.
    Range          "range"          [RANGE];
    /// Read-only file system, or a directory granted read-only.
    Rofs           "rofs"           [ROFS];
    /// Seek on an object without a position.
    Spipe          "spipe"          [SPIPE];
    /// No such process.
    Srch           "srch"           [SRCH];
    /// Stale file handle.
    Stale          "stale"          [STALE];
    /// Connection timed out.
    Timedout       "timedout"       [TIMEDOUT];
    /// Text file busy.
    Txtbsy         "txtbsy"         [TXTBSY];
    /// Link across devices.
    Xdev           "xdev"           [XDEV];
    /// The right for this operation was revoked.
    Notcapable     "notcapable";
}

impl From<HostErrno> for Errno {
    fn from(host: HostErrno) -> Self {
        Errno::from_host(host)
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        match HostErrno::from_io_error(&error) {
            Some(host) => Errno::from_host(host),
            None => match error.kind() {
                std::io::ErrorKind::PermissionDenied => Errno::Perm,
                std::io::ErrorKind::InvalidInput => Errno::Inval,
                _ => Errno::Io,
            },
        }
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::{Errno, HostErrno};

    #[test]
    fn positions_are_the_values_of_the_standard() {
        assert_eq!(Errno::ALL.len(), 77);
        for (value, errno) in Errno::ALL.iter().enumerate() {
            assert_eq!(*errno as usize, value);
        }
        let pinned = [
            (Errno::Acces, 2),
            (Errno::Badf, 8),
            (Errno::Exist, 20),
            (Errno::Fault, 21),
            (Errno::Ilseq, 25),
            (Errno::Inval, 28),
            (Errno::Isdir, 31),
            (Errno::Loop, 32),
            (Errno::Nametoolong, 37),
            (Errno::Noent, 44),
            (Errno::Nosys, 52),
            (Errno::Notdir, 54),
            (Errno::Notempty, 55),
            (Errno::Notsup, 58),
            (Errno::Perm, 63),
            (Errno::Pipe, 64),
            (Errno::Rofs, 69),
            (Errno::Spipe, 70),
            (Errno::Xdev, 75),
            (Errno::Notcapable, 76),
        ];
        for (errno, value) in pinned {
            assert_eq!(errno as u16, value, "{errno}");
        }
    }

    #[test]
    fn host_errors_keep_their_meaning() {
        assert_eq!(Errno::from(HostErrno::NOENT), Errno::Noent);
        assert_eq!(Errno::from(std::io::Error::from_raw_os_error(HostErrno::ISDIR.raw_os_error())), Errno::Isdir);
        assert_eq!(Errno::from(std::io::Error::from(std::io::ErrorKind::PermissionDenied)), Errno::Perm);
        assert_eq!(Errno::from(HostErrno::NOTUNIQ), Errno::Io);
    }
}
