//! Lookups of names.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::ctx::WasiCtx;
use crate::network::Refusal;
use crate::p2::P2Ctx;
use crate::p2::poll::{block, ready};
use crate::p2::sockets::ip_name_lookup::{resolve_addresses, resolve_next_address, subscribe};
use crate::p2::sockets::{ErrorCode, IpAddress, Network, ResolveAddressStream, instance_network};
use crate::p2::table::{Borrow, Own};
use crate::p2::tests::built;
use crate::resolver::Resolver;

type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

fn with_dns(lookup: Option<Lookup>) -> (P2Ctx, Borrow<Network>) {
    let mut ctx = built(WasiCtx::builder().allow_dns());
    if let Some(lookup) = lookup {
        ctx.wasi.network.resolver = Resolver::with(lookup);
    }
    let network = instance_network(&mut ctx).unwrap().borrow();
    (ctx, network)
}

fn start(ctx: &mut P2Ctx, network: Borrow<Network>, name: &str) -> Result<Own<ResolveAddressStream>, ErrorCode> {
    resolve_addresses(ctx, network, name.to_owned()).unwrap()
}

/// Returns all addresses, after waits for them.
fn all(ctx: &mut P2Ctx, stream: Borrow<ResolveAddressStream>) -> Result<Vec<IpAddress>, ErrorCode> {
    let mut addresses = Vec::new();
    loop {
        match resolve_next_address(ctx, stream).unwrap() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => {
                let pollable = subscribe(ctx, stream).unwrap();
                block(ctx, pollable.borrow()).unwrap();
                ctx.drop_resource(pollable).unwrap();
            }
            Err(code) => return Err(code),
        }
    }
}

#[test]
fn an_address_is_its_own_answer_without_a_grant() {
    let mut ctx = built(&mut WasiCtx::builder());
    let network = instance_network(&mut ctx).unwrap().borrow();
    for (name, address) in [
        ("127.0.0.1", IpAddress::Ipv4((127, 0, 0, 1))),
        ("::1", IpAddress::Ipv6((0, 0, 0, 0, 0, 0, 0, 1))),
        ("::ffff:1.2.3.4", IpAddress::Ipv4((1, 2, 3, 4))),
    ] {
        let stream = start(&mut ctx, network, name).unwrap();
        let pollable = subscribe(&mut ctx, stream.borrow()).unwrap().borrow();
        assert_eq!(ready(&mut ctx, pollable), Ok(true));
        assert_eq!(resolve_next_address(&mut ctx, stream.borrow()).unwrap(), Ok(Some(address)));
        assert_eq!(resolve_next_address(&mut ctx, stream.borrow()).unwrap(), Ok(None));
    }
    assert_eq!(start(&mut ctx, network, "localhost"), Err(ErrorCode::AccessDenied));
    assert_eq!(ctx.wasi.network_refusals(), [Refusal::Lookup("localhost".to_owned())]);
    for text in ["", "1.2.3", "a b", "127.0.0.1:80", "b\u{fc}cher.example"] {
        assert_eq!(start(&mut ctx, network, text), Err(ErrorCode::InvalidArgument), "{text}");
    }
}

#[test]
fn localhost_has_addresses_of_the_loopback() {
    let (mut ctx, network) = with_dns(None);
    let stream = start(&mut ctx, network, "localhost").unwrap().borrow();
    let addresses = all(&mut ctx, stream).unwrap();
    let loopback = [IpAddress::Ipv4((127, 0, 0, 1)), IpAddress::Ipv6((0, 0, 0, 0, 0, 0, 0, 1))];
    assert!(!addresses.is_empty() && addresses.iter().all(|address| loopback.contains(address)), "{addresses:?}");
    assert_eq!(resolve_next_address(&mut ctx, stream).unwrap(), Ok(None));
}

#[test]
fn failures_keep_their_code() {
    let (mut ctx, network) = with_dns(Some(|name| match name {
        "late.example" => Err(io::Error::other("Temporary failure in name resolution")),
        _ => Err(io::Error::other("Name or service not known")),
    }));
    for (name, code) in
        [("no.example", ErrorCode::NameUnresolvable), ("late.example", ErrorCode::TemporaryResolverFailure)]
    {
        let stream = start(&mut ctx, network, name).unwrap().borrow();
        for _ in 0..2 {
            assert_eq!(all(&mut ctx, stream), Err(code));
        }
    }
}

#[test]
fn a_lookup_counts_as_a_descriptor_until_it_is_dropped() {
    let mut ctx = built(WasiCtx::builder().allow_dns().max_fds(4));
    ctx.wasi.network.resolver = Resolver::with(|_| Ok(vec![]));
    let network = instance_network(&mut ctx).unwrap().borrow();
    let one = start(&mut ctx, network, "a.example").unwrap();
    assert_eq!(start(&mut ctx, network, "b.example"), Err(ErrorCode::NewSocketLimit));
    ctx.drop_resource(one).unwrap();
    assert!(start(&mut ctx, network, "b.example").is_ok());
}

#[test]
fn an_interrupt_ends_the_wait_for_a_resolver_that_never_answers() {
    let (mut ctx, network) = with_dns(Some(|_| {
        std::thread::sleep(Duration::from_secs(600));
        Ok(vec![])
    }));
    let stream = start(&mut ctx, network, "a.example").unwrap();
    assert_eq!(resolve_next_address(&mut ctx, stream.borrow()).unwrap(), Err(ErrorCode::WouldBlock));
    let pollable = subscribe(&mut ctx, stream.borrow()).unwrap().borrow();
    assert_eq!(ready(&mut ctx, pollable), Ok(false));
    super::interrupted(&mut ctx, "resolve", |ctx| block(ctx, pollable));
}
