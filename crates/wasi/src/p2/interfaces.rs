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

use wasmr_canon::{GuestBytes, LiftParams, LowerReturn};

use super::table::Kind;
use super::{End, P2Ctx};
use super::{cli, clocks, filesystem, io, poll, random, sockets, streams, terminal};

/// Version of the interfaces that this table has. A component may import any version 0.2.x.
pub const VERSION: &str = "0.2.12";

/// A function of the host over Rust types: `P` are its parameters, as a tuple.
pub trait Function<P, R>: Copy + Send + Sync + 'static {
    /// Calls the function. `lent` are the bytes of the parameter that [`lent`](Function::lent) returns.
    fn call(self, ctx: &mut P2Ctx, params: P, lent: &[u8]) -> Result<R, End>;

    /// Returns the parameter whose bytes stay in the guest's memory during the call.
    fn lent(_params: &P) -> Option<&GuestBytes> {
        None
    }
}

/// Implements [`Function`] for functions of each number of parameters.
macro_rules! functions {
    ($(($($param:ident)*))*) => {$(
        impl<Fun, Ret, $($param,)*> Function<($($param,)*), Ret> for Fun
        where
            Fun: Fn(&mut P2Ctx, $($param),*) -> Result<Ret, End> + Copy + Send + Sync + 'static,
        {
            #[allow(non_snake_case)]
            fn call(self, ctx: &mut P2Ctx, ($($param,)*): ($($param,)*), _lent: &[u8]) -> Result<Ret, End> {
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

/// A function whose second parameter is a `list<u8>` that it reads in place. Other lists are copied before the call.
#[derive(Clone, Copy, Debug)]
struct Reads<Fun>(Fun);

impl<Fun, Ret, A> Function<(A, GuestBytes), Ret> for Reads<Fun>
where
    Fun: Fn(&mut P2Ctx, A, &[u8]) -> Result<Ret, End> + Copy + Send + Sync + 'static,
{
    fn call(self, ctx: &mut P2Ctx, (first, _): (A, GuestBytes), lent: &[u8]) -> Result<Ret, End> {
        (self.0)(ctx, first, lent)
    }

    fn lent((_, bytes): &(A, GuestBytes)) -> Option<&GuestBytes> {
        Some(bytes)
    }
}

impl<Fun, Ret, A, B> Function<(A, GuestBytes, B), Ret> for Reads<Fun>
where
    Fun: Fn(&mut P2Ctx, A, &[u8], B) -> Result<Ret, End> + Copy + Send + Sync + 'static,
{
    fn call(self, ctx: &mut P2Ctx, (first, _, last): (A, GuestBytes, B), lent: &[u8]) -> Result<Ret, End> {
        (self.0)(ctx, first, lent, last)
    }

    fn lent((_, bytes, _): &(A, GuestBytes, B)) -> Option<&GuestBytes> {
        Some(bytes)
    }
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
        $($name:literal ($($param:literal),*) = $function:expr $(, since $since:literal)?;)*
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
        "[method]output-stream.write"("self", "contents") = Reads(streams::write);
        "[method]output-stream.blocking-write-and-flush"("self", "contents")
            = Reads(streams::blocking_write_and_flush);
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
        "[method]descriptor.write"("self", "buffer", "offset") = Reads(filesystem::descriptor::write);
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
    "wasi:sockets/network" {
        resource sockets::Network;
    }
    "wasi:sockets/instance-network" {
        "instance-network"() = sockets::instance_network;
    }
    "wasi:sockets/ip-name-lookup" {
        resource sockets::ResolveAddressStream;
        "resolve-addresses"("network", "name") = sockets::ip_name_lookup::resolve_addresses;
        "[method]resolve-address-stream.resolve-next-address"("self")
            = sockets::ip_name_lookup::resolve_next_address;
        "[method]resolve-address-stream.subscribe"("self") = sockets::ip_name_lookup::subscribe;
    }
    "wasi:sockets/tcp" {
        resource sockets::TcpSocket;
        "[method]tcp-socket.start-bind"("self", "network", "local-address") = sockets::tcp::start_bind;
        "[method]tcp-socket.finish-bind"("self") = sockets::tcp::finish_bind;
        "[method]tcp-socket.start-connect"("self", "network", "remote-address") = sockets::tcp::start_connect;
        "[method]tcp-socket.finish-connect"("self") = sockets::tcp::finish_connect;
        "[method]tcp-socket.start-listen"("self") = sockets::tcp::start_listen;
        "[method]tcp-socket.finish-listen"("self") = sockets::tcp::finish_listen;
        "[method]tcp-socket.accept"("self") = sockets::tcp::accept;
        "[method]tcp-socket.local-address"("self") = sockets::tcp::local_address;
        "[method]tcp-socket.remote-address"("self") = sockets::tcp::remote_address;
        "[method]tcp-socket.is-listening"("self") = sockets::tcp::is_listening;
        "[method]tcp-socket.address-family"("self") = sockets::tcp::address_family;
        "[method]tcp-socket.set-listen-backlog-size"("self", "value") = sockets::tcp_options::set_listen_backlog_size;
        "[method]tcp-socket.keep-alive-enabled"("self") = sockets::tcp_options::keep_alive_enabled;
        "[method]tcp-socket.set-keep-alive-enabled"("self", "value") = sockets::tcp_options::set_keep_alive_enabled;
        "[method]tcp-socket.keep-alive-idle-time"("self") = sockets::tcp_options::keep_alive_idle_time;
        "[method]tcp-socket.set-keep-alive-idle-time"("self", "value") = sockets::tcp_options::set_keep_alive_idle_time;
        "[method]tcp-socket.keep-alive-interval"("self") = sockets::tcp_options::keep_alive_interval;
        "[method]tcp-socket.set-keep-alive-interval"("self", "value") = sockets::tcp_options::set_keep_alive_interval;
        "[method]tcp-socket.keep-alive-count"("self") = sockets::tcp_options::keep_alive_count;
        "[method]tcp-socket.set-keep-alive-count"("self", "value") = sockets::tcp_options::set_keep_alive_count;
        "[method]tcp-socket.hop-limit"("self") = sockets::tcp_options::hop_limit;
        "[method]tcp-socket.set-hop-limit"("self", "value") = sockets::tcp_options::set_hop_limit;
        "[method]tcp-socket.receive-buffer-size"("self") = sockets::tcp_options::receive_buffer_size;
        "[method]tcp-socket.set-receive-buffer-size"("self", "value") = sockets::tcp_options::set_receive_buffer_size;
        "[method]tcp-socket.send-buffer-size"("self") = sockets::tcp_options::send_buffer_size;
        "[method]tcp-socket.set-send-buffer-size"("self", "value") = sockets::tcp_options::set_send_buffer_size;
        "[method]tcp-socket.subscribe"("self") = sockets::tcp::subscribe;
        "[method]tcp-socket.shutdown"("self", "shutdown-type") = sockets::tcp::shutdown;
    }
    "wasi:sockets/tcp-create-socket" {
        "create-tcp-socket"("address-family") = sockets::tcp::create_tcp_socket;
    }
    "wasi:sockets/udp" {
        resource sockets::UdpSocket;
        resource sockets::IncomingDatagramStream;
        resource sockets::OutgoingDatagramStream;
        "[method]udp-socket.start-bind"("self", "network", "local-address") = sockets::udp::start_bind;
        "[method]udp-socket.finish-bind"("self") = sockets::udp::finish_bind;
        "[method]udp-socket.stream"("self", "remote-address") = sockets::udp::stream;
        "[method]udp-socket.local-address"("self") = sockets::udp::local_address;
        "[method]udp-socket.remote-address"("self") = sockets::udp::remote_address;
        "[method]udp-socket.address-family"("self") = sockets::udp::address_family;
        "[method]udp-socket.unicast-hop-limit"("self") = sockets::udp::unicast_hop_limit;
        "[method]udp-socket.set-unicast-hop-limit"("self", "value") = sockets::udp::set_unicast_hop_limit;
        "[method]udp-socket.receive-buffer-size"("self") = sockets::udp::receive_buffer_size;
        "[method]udp-socket.set-receive-buffer-size"("self", "value") = sockets::udp::set_receive_buffer_size;
        "[method]udp-socket.send-buffer-size"("self") = sockets::udp::send_buffer_size;
        "[method]udp-socket.set-send-buffer-size"("self", "value") = sockets::udp::set_send_buffer_size;
        "[method]udp-socket.subscribe"("self") = sockets::udp::subscribe;
        "[method]incoming-datagram-stream.receive"("self", "max-results") = sockets::udp::receive;
        "[method]incoming-datagram-stream.subscribe"("self") = sockets::udp::subscribe_incoming;
        "[method]outgoing-datagram-stream.check-send"("self") = sockets::udp::check_send;
        "[method]outgoing-datagram-stream.send"("self", "datagrams") = sockets::udp::send_datagrams;
        "[method]outgoing-datagram-stream.subscribe"("self") = sockets::udp::subscribe_outgoing;
    }
    "wasi:sockets/udp-create-socket" {
        "create-udp-socket"("address-family") = sockets::udp::create_udp_socket;
    }
}
