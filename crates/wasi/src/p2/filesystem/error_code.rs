//! [`ErrorCode`]: the errors of `wasi:filesystem`, and the one table from the host's errors to them.

use crate::errno::Errno;
use crate::p2::error_codes::error_codes;

error_codes! {
    Errno, Io;
    Access              "access"                [Acces];
    WouldBlock          "would-block"           [Again];
    Already             "already"               [Already];
    BadDescriptor       "bad-descriptor"        [Badf];
    Busy                "busy"                  [Busy];
    Deadlock            "deadlock"              [Deadlk];
    Quota               "quota"                 [Dquot];
    Exist               "exist"                 [Exist];
    FileTooLarge        "file-too-large"        [Fbig];
    IllegalByteSequence "illegal-byte-sequence" [Ilseq];
    InProgress          "in-progress"           [Inprogress];
    Interrupted         "interrupted"           [Intr];
    Invalid             "invalid"               [Inval];
    Io                  "io"                    [Io];
    IsDirectory         "is-directory"          [Isdir];
    Loop                "loop"                  [Loop];
    TooManyLinks        "too-many-links"        [Mlink];
    MessageSize         "message-size"          [Msgsize];
    NameTooLong         "name-too-long"         [Nametoolong];
    NoDevice            "no-device"             [Nodev];
    NoEntry             "no-entry"              [Noent];
    NoLock              "no-lock"               [Nolck];
    // Too many descriptors have no code of their own.
    InsufficientMemory  "insufficient-memory"   [Nomem, Nobufs, Mfile, Nfile];
    InsufficientSpace   "insufficient-space"    [Nospc];
    NotDirectory        "not-directory"         [Notdir];
    NotEmpty            "not-empty"             [Notempty];
    NotRecoverable      "not-recoverable"       [Notrecoverable];
    Unsupported         "unsupported"           [Notsup, Nosys];
    NoTty               "no-tty"                [Notty];
    NoSuchDevice        "no-such-device"        [Nxio];
    Overflow            "overflow"              [Overflow];
    NotPermitted        "not-permitted"         [Perm, Notcapable];
    Pipe                "pipe"                  [Pipe];
    ReadOnly            "read-only"             [Rofs];
    InvalidSeek         "invalid-seek"          [Spipe];
    TextFileBusy        "text-file-busy"        [Txtbsy];
    CrossDevice         "cross-device"          [Xdev];
}
