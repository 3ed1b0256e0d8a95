//! `wasi:sockets/ip-name-lookup`: addresses of a host name.
//!
//! An address as text is its own answer: it needs no grant and no lookup. A name is looked up by `resolver`, if the
//! context grants that.
//!
//! # Why is a name that is not ASCII invalid?
//! The conversion of names (IDNA) needs tables of Unicode, and toolchains convert names before they look them up.

use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::event::PollFlags;

use super::{ErrorCode, IpAddress, Network, SocketResult};
use crate::ctx::WasiCtx;
use crate::fd_table::Descriptor;
use crate::interest::Interest;
use crate::p2::poll::{self, Pollable};
use crate::p2::table::{Borrow, Own};
use crate::p2::{End, P2Ctx};
use crate::resolver::{Answer, LookupError};

/// Origin of the addresses.
#[derive(Debug)]
enum Origin {
    /// The guest passed the address as text.
    Literal(IpAddr),
    /// A lookup. Its event has this number in the descriptor table.
    Lookup { fd: u32, answer: Arc<Answer> },
}

/// A `resolve-address-stream`.
#[derive(Debug)]
pub struct ResolveAddressStream {
    origin: Origin,
    /// Number of addresses that the guest has got.
    taken: usize,
}

impl From<LookupError> for ErrorCode {
    fn from(error: LookupError) -> ErrorCode {
        match error {
            LookupError::Unresolvable => ErrorCode::NameUnresolvable,
            LookupError::Temporary => ErrorCode::TemporaryResolverFailure,
            LookupError::Permanent => ErrorCode::PermanentResolverFailure,
        }
    }
}

/// Longest name (RFC 1035, section 2.3.4), without the dot at its end.
const MAX_NAME: usize = 253;

/// Longest part of a name.
const MAX_LABEL: usize = 63;

/// Returns true if the text can be the name of a host. A name whose last part is a number would be a misspelt IPv4 address.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.len() <= MAX_NAME && text.split('.').all(is_label) && !is_number
}

impl ResolveAddressStream {
    fn start(ctx: &mut WasiCtx, name: &str) -> Result<ResolveAddressStream, ErrorCode> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(ResolveAddressStream { origin: Origin::Literal(address.to_canonical()), taken: 0 });
        }
        if !is_name(name) {
            return Err(ErrorCode::InvalidArgument);
        }
        if !ctx.network.may_look_up(name) {
            return Err(ErrorCode::AccessDenied);
        }
        ctx.fds.check_free().map_err(|_| ErrorCode::NewSocketLimit)?;
        let answer = ctx.network.resolver.start(name).map_err(|_| ErrorCode::TemporaryResolverFailure)?;
        let event = Descriptor::shared(answer.event.clone());
        let fd = ctx.fds.insert(event).map_err(|_| ErrorCode::NewSocketLimit)?;
        Ok(ResolveAddressStream { origin: Origin::Lookup { fd, answer }, taken: 0 })
    }

    /// Gives up the lookup.
    pub(crate) fn close(self, ctx: &mut WasiCtx) {
        if let Origin::Lookup { fd, .. } = self.origin {
            // The number is this resource's alone, so it is open.
            let _ = ctx.fds.remove(fd);
        }
    }

    /// Returns the interest in the answer.
    pub(crate) fn interest(&self) -> Interest<'_> {
        match &self.origin {
            Origin::Lookup { answer, .. } if answer.addresses().is_none() => {
                Interest::Fd(answer.event.fd.as_fd(), PollFlags::IN)
            }
            _ => Interest::Ready,
        }
    }

    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        let addresses = match &self.origin {
            Origin::Literal(address) => std::slice::from_ref(address),
            Origin::Lookup { answer, .. } => match answer.addresses() {
                Some(Ok(addresses)) => addresses,
                Some(Err(error)) => return Err((*error).into()),
                None => return Err(ErrorCode::WouldBlock),
            },
        };
        let next = addresses.get(self.taken).map(|address| IpAddress::from(*address));
        self.taken += usize::from(next.is_some());
        Ok(next)
    }
}

/// `resolve-addresses`: returns at once.
pub fn resolve_addresses(
    ctx: &mut P2Ctx,
    network: Borrow<Network>,
    name: String,
) -> SocketResult<Own<ResolveAddressStream>> {
    ctx.table.get(network)?;
    match ResolveAddressStream::start(&mut ctx.wasi, &name) {
        Ok(stream) => Ok(Ok(ctx.table.push(stream)?)),
        Err(code) => Ok(Err(code)),
    }
}

/// `[method]resolve-address-stream.resolve-next-address`.
pub fn resolve_next_address(ctx: &mut P2Ctx, stream: Borrow<ResolveAddressStream>) -> SocketResult<Option<IpAddress>> {
    Ok(ctx.table.get_mut(stream)?.next())
}

/// `[method]resolve-address-stream.subscribe`.
pub fn subscribe(ctx: &mut P2Ctx, stream: Borrow<ResolveAddressStream>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, stream)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_of_hosts_are_told_from_other_texts() {
        let label = "a".repeat(63);
        let longest = [&*label, &*label, &*label, &label[..61]].join(".");
        for name in [
            "localhost",
            "example.com",
            "example.com.",
            "a-b.c_d.e",
            "_tcp.x",
            "xn--bcher-kva.example",
            "1.a",
            &longest,
        ] {
            assert!(is_name(name), "{name}");
        }
        let long = format!("{longest}a");
        for text in [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "a:80",
            "https://a",
            "[::1]",
            "::1%lo",
            "-a",
            "b\u{fc}cher.example",
            "a\0",
            "1.2.3",
            "256.1.1.1",
            "1.2.3.4.5",
            "127.1",
            "a.0x7f",
            "7",
            "0x",
            &long,
            &"a".repeat(64),
        ] {
            assert!(!is_name(text), "{text}");
        }
    }
}
