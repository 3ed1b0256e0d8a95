//! The interfaces of WASI 0.2, one row per function.
//!
//! In: the rows below. Out: [`visit`], by which the linker defines functions, tests compare them with the official WIT, and
//! messages name what there is.
//!
//! A row names a function as components import it, its parameters and its implementation. Types follow from those of the Rust
//! function. A function that its interface got later than in 0.2.0 says in which version.
//!
//! # Why a visitor?
//! The rows have functions of different types. A visitor's generic method sees each with its type, so the linker makes of it a host
//! function without a table of types, and a test can ask for the same types.

use wasmr_canon::{LiftParams, LowerReturn};

use super::table::Kind;
use super::{End, P2Ctx};
use super::{cli, clocks, filesystem, io, poll, random, streams, terminal};

/// Version of the interfaces that this table has. A component may import any version 0.2.x.
pub const VERSION: &str = "0.2.12";

/// A function of the host over Rust types: `P` are its parameters, as a tuple.
pub trait Function<P, R>: Copy + Send + Sync + 'static {
    /// Calls the function.
    fn call(self, ctx: &mut P2Ctx, params: P) -> Result<R, End>;
}

/// Implements [`Function`] for functions of each number of parameters.
macro_rules! functions {
    ($(($($param:ident)*))*) => {$(
        impl<Fun, Ret, $($param,)*> Function<($($param,)*), Ret> for Fun
        where
            Fun: Fn(&mut P2Ctx, $($param),*) -> Result<Ret, End> + Copy + Send + Sync + 'static,
        {
            #[allow(non_snake_case)]
            fn call(self, ctx: &mut P2Ctx, ($($param,)*): ($($param,)*)) -> Result<Ret, End> {
                self(ctx, $($param),*)
            }
        }
    )*};
}

functions! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
}

/// The part of a function's row that is not a type.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name of the interface, without its version.
    pub interface: &'static str,
    /// Name of the function in it, such as `[method]pollable.ready`.
    pub name: &'static str,
    /// Names of the parameters.
    pub params: &'static [&'static str],
    /// Version of the interface that brought the function.
    pub since: &'static str,
}

/// A use of the rows.
pub trait Visitor {
    /// Begins an interface. If it returns false, its rows are left out.
    fn interface(&mut self, name: &'static str) -> bool;

    /// Visits a resource type of the interface.
    fn resource<T: Kind + 'static>(&mut self);

    /// Visits a function of the interface.
    fn function<P: LiftParams + 'static, R: LowerReturn + 'static>(&mut self, row: Row, function: impl Function<P, R>);
}

/// Makes [`visit`] of the rows.
macro_rules! interfaces {
    ($($interface:literal {
        $(resource $kind:path;)*
        $($name:literal ($($param:literal),*) = $function:path $(, since $since:literal)?;)*
    })*) => {
        /// Shows all rows to `visitor`, interface by interface.
        pub fn visit(visitor: &mut impl Visitor) {
            $(if visitor.interface($interface) {
                $(visitor.resource::<$kind>();)*
                $(visitor.function(
                    Row {
                        interface: $interface,
                        name: $name,
                        params: &[$($param),*],
                        since: interfaces!(@since $($since)?),
                    },
                    $function,
                );)*
            })*
        }
    };
    (@since) => { "0.2.0" };
    (@since $since:literal) => { $since };
}

interfaces! {
    "wasi:io/error" {
        resource io::IoError;
        "[method]error.to-debug-string"("self") = io::to_debug_string;
    }
    "wasi:io/poll" {
        resource poll::Pollable;
        "[method]pollable.ready"("self") = poll::ready;
        "[method]pollable.block"("self") = poll::block;
        "poll"("in") = poll::poll;
    }
    "wasi:io/streams" {
        resource super::input::InputStream;
        resource super::output::OutputStream;
        "[method]input-stream.read"("self", "len") = streams::read;
        "[method]input-stream.blocking-read"("self", "len") = streams::blocking_read;
        "[method]input-stream.skip"("self", "len") = streams::skip;
        "[method]input-stream.blocking-skip"("self", "len") = streams::blocking_skip;
        "[method]input-stream.subscribe"("self") = streams::subscribe_input;
        "[method]output-stream.check-write"("self") = streams::check_write;
        "[method]output-stream.write"("self", "contents") = streams::write;
        "[method]output-stream.blocking-write-and-flush"("self", "contents") = streams::blocking_write_and_flush;
        "[method]output-stream.flush"("self") = streams::flush;
        "[method]output-stream.blocking-flush"("self") = streams::blocking_flush;
        "[method]output-stream.subscribe"("self") = streams::subscribe_output;
        "[method]output-stream.write-zeroes"("self", "len") = streams::write_zeroes;
        "[method]output-stream.blocking-write-zeroes-and-flush"("self", "len")
            = streams::blocking_write_zeroes_and_flush;
        "[method]output-stream.splice"("self", "src", "len") = streams::splice;
        "[method]output-stream.blocking-splice"("self", "src", "len") = streams::blocking_splice;
    }
    "wasi:cli/environment" {
        "get-environment"() = cli::get_environment;
        "get-arguments"() = cli::get_arguments;
        "initial-cwd"() = cli::initial_cwd;
    }
    "wasi:cli/exit" {
        "exit"("status") = cli::exit;
        "exit-with-code"("status-code") = cli::exit_with_code, since "0.2.12";
    }
    "wasi:cli/stdin" {
        "get-stdin"() = streams::get_stdin;
    }
    "wasi:cli/stdout" {
        "get-stdout"() = streams::get_stdout;
    }
    "wasi:cli/stderr" {
        "get-stderr"() = streams::get_stderr;
    }
    "wasi:cli/terminal-input" {
        resource terminal::TerminalInput;
    }
    "wasi:cli/terminal-output" {
        resource terminal::TerminalOutput;
    }
    "wasi:cli/terminal-stdin" {
        "get-terminal-stdin"() = terminal::stdin;
    }
    "wasi:cli/terminal-stdout" {
        "get-terminal-stdout"() = terminal::stdout;
    }
    "wasi:cli/terminal-stderr" {
        "get-terminal-stderr"() = terminal::stderr;
    }
    "wasi:clocks/monotonic-clock" {
        "now"() = clocks::monotonic_now;
        "resolution"() = clocks::monotonic_resolution;
        "subscribe-instant"("when") = poll::subscribe_instant;
        "subscribe-duration"("when") = poll::subscribe_duration;
    }
    "wasi:clocks/wall-clock" {
        "now"() = clocks::wall_now;
        "resolution"() = clocks::wall_resolution;
    }
    "wasi:random/random" {
        "get-random-bytes"("len") = random::bytes;
        "get-random-u64"() = random::number;
    }
    "wasi:random/insecure" {
        "get-insecure-random-bytes"("len") = random::bytes;
        "get-insecure-random-u64"() = random::number;
    }
    "wasi:random/insecure-seed" {
        "insecure-seed"() = random::seed;
    }
    "wasi:filesystem/types" {
        resource filesystem::Descriptor;
        resource filesystem::DirectoryEntryStream;
        "[method]descriptor.read-via-stream"("self", "offset") = filesystem::descriptor::read_via_stream;
        "[method]descriptor.write-via-stream"("self", "offset") = filesystem::descriptor::write_via_stream;
        "[method]descriptor.append-via-stream"("self") = filesystem::descriptor::append_via_stream;
        "[method]descriptor.advise"("self", "offset", "length", "advice") = filesystem::descriptor::advise;
        "[method]descriptor.sync-data"("self") = filesystem::descriptor::sync_data;
        "[method]descriptor.get-flags"("self") = filesystem::descriptor::get_flags;
        "[method]descriptor.get-type"("self") = filesystem::descriptor::get_type;
        "[method]descriptor.set-size"("self", "size") = filesystem::descriptor::set_size;
        "[method]descriptor.set-times"("self", "data-access-timestamp", "data-modification-timestamp")
            = filesystem::descriptor::set_times;
        "[method]descriptor.read"("self", "length", "offset") = filesystem::descriptor::read;
        "[method]descriptor.write"("self", "buffer", "offset") = filesystem::descriptor::write;
        "[method]descriptor.read-directory"("self") = filesystem::listing::read_directory;
        "[method]descriptor.sync"("self") = filesystem::descriptor::sync;
        "[method]descriptor.create-directory-at"("self", "path") = filesystem::paths::create_directory_at;
        "[method]descriptor.stat"("self") = filesystem::descriptor::stat;
        "[method]descriptor.stat-at"("self", "path-flags", "path") = filesystem::paths::stat_at;
        "[method]descriptor.set-times-at"(
            "self", "path-flags", "path", "data-access-timestamp", "data-modification-timestamp"
        ) = filesystem::paths::set_times_at;
        "[method]descriptor.link-at"("self", "old-path-flags", "old-path", "new-descriptor", "new-path")
            = filesystem::paths::link_at;
        "[method]descriptor.open-at"("self", "path-flags", "path", "open-flags", "flags")
            = filesystem::paths::open_at;
        "[method]descriptor.readlink-at"("self", "path") = filesystem::paths::readlink_at;
        "[method]descriptor.remove-directory-at"("self", "path") = filesystem::paths::remove_directory_at;
        "[method]descriptor.rename-at"("self", "old-path", "new-descriptor", "new-path")
            = filesystem::paths::rename_at;
        "[method]descriptor.symlink-at"("self", "old-path", "new-path") = filesystem::paths::symlink_at;
        "[method]descriptor.unlink-file-at"("self", "path") = filesystem::paths::unlink_file_at;
        "[method]descriptor.is-same-object"("self", "other") = filesystem::descriptor::is_same_object;
        "[method]descriptor.metadata-hash"("self") = filesystem::descriptor::metadata_hash;
        "[method]descriptor.metadata-hash-at"("self", "path-flags", "path") = filesystem::paths::metadata_hash_at;
        "[method]directory-entry-stream.read-directory-entry"("self") = filesystem::listing::read_directory_entry;
        "filesystem-error-code"("err") = filesystem::descriptor::filesystem_error_code;
    }
    "wasi:filesystem/preopens" {
        "get-directories"() = filesystem::descriptor::get_directories;
    }
}
