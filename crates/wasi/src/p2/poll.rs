//! `wasi:io/poll`: pollables, and the wait for the first of several.
//!
//! A [`Pollable`] is a recipe, not a registration: at each question the host looks at the object that the pollable belongs to.
//! A pollable may therefore be asked any number of times, and it is ready again whenever its object is.

use super::table::{Bond, Borrow, Kind, Object, Own, Table};
use super::{End, Misuse, P2Ctx};
use crate::interest::{Interest, wait_any};
use crate::time::monotonic;

/// A `pollable`.
#[derive(Debug)]
pub struct Pollable(Recipe);

/// The condition of a pollable.
#[derive(Debug)]
enum Recipe {
    /// A time on the monotonic clock, in nanoseconds.
    At(u64),
    /// The parent is ready.
    Parent,
}

impl Pollable {
    /// Returns a pollable that is ready from this time on the monotonic clock on, in nanoseconds.
    pub fn at(time: u64) -> Pollable {
        Pollable(Recipe::At(time))
    }
}

/// Adds a pollable of an object, which is ready when [`interest_of`] says so.
pub(crate) fn subscribe<P: Kind>(ctx: &mut P2Ctx, parent: Borrow<P>) -> Result<Own<Pollable>, End> {
    Ok(ctx.table.push_child(Pollable(Recipe::Parent), parent, Bond::Strict)?)
}

/// Returns the interest of a pollable whose parent is `object`.
fn interest_of<'a>(object: &'a Object, ctx: &'a crate::WasiCtx) -> Interest<'a> {
    match object {
        Object::InputStream(stream) => stream.interest(ctx),
        Object::OutputStream(stream) => stream.interest(ctx),
        Object::TcpSocket(socket) => socket.interest(ctx),
        Object::IncomingDatagramStream(stream) => stream.interest(ctx),
        Object::OutgoingDatagramStream(stream) => stream.interest(ctx),
        Object::ResolveAddressStream(stream) => stream.interest(),
        _ => Interest::Ready,
    }
}

fn interest<'a>(table: &'a Table, ctx: &'a crate::WasiCtx, pollable: Borrow<Pollable>) -> Result<Interest<'a>, End> {
    Ok(match table.get(pollable)?.0 {
        Recipe::At(time) => Interest::Until(time),
        Recipe::Parent => table.parent(pollable)?.map_or(Interest::Ready, |parent| interest_of(parent, ctx)),
    })
}

/// Lets the object of a pollable proceed whose descriptor has become ready. Returns true if the pollable is ready now.
fn proceed(ctx: &mut P2Ctx, pollable: Borrow<Pollable>) -> Result<bool, End> {
    match ctx.table.parent_mut(pollable)? {
        Some(Object::OutputStream(stream)) => stream.proceed(&mut ctx.wasi),
        _ => Ok(true),
    }
}

/// Returns the indices of the ready pollables, after a wait for the first if `may_wait`.
fn ready_ones(ctx: &mut P2Ctx, pollables: &[Borrow<Pollable>], may_wait: bool) -> Result<Vec<u32>, End> {
    loop {
        let found = {
            let interests: Vec<Interest<'_>> = pollables
                .iter()
                .map(|pollable| interest(&ctx.table, &ctx.wasi, *pollable))
                .collect::<Result<_, _>>()?;
            wait_any(&ctx.wasi.waits, &interests, may_wait)
        };
        let mut ready = Vec::new();
        for index in found.map_err(End::without_errno)? {
            if proceed(ctx, pollables[index as usize])? {
                ready.push(index);
            }
        }
        if !ready.is_empty() || !may_wait {
            return Ok(ready);
        }
    }
}

/// `wasi:io/poll#[method]pollable.ready`.
pub fn ready(ctx: &mut P2Ctx, pollable: Borrow<Pollable>) -> Result<bool, End> {
    Ok(!ready_ones(ctx, &[pollable], false)?.is_empty())
}

/// `wasi:io/poll#[method]pollable.block`.
pub fn block(ctx: &mut P2Ctx, pollable: Borrow<Pollable>) -> Result<(), End> {
    ready_ones(ctx, &[pollable], true).map(drop)
}

/// `wasi:io/poll#poll`.
///
/// # Errors
/// [`Misuse::EmptyPoll`] for an empty list, which would wait for ever.
pub fn poll(ctx: &mut P2Ctx, pollables: Vec<Borrow<Pollable>>) -> Result<Vec<u32>, End> {
    if pollables.is_empty() {
        return Err(Misuse::EmptyPoll.into());
    }
    ready_ones(ctx, &pollables, true)
}

/// `wasi:clocks/monotonic-clock#subscribe-instant`.
pub fn subscribe_instant(ctx: &mut P2Ctx, when: u64) -> Result<Own<Pollable>, End> {
    Ok(ctx.table.push(Pollable::at(when))?)
}

/// `wasi:clocks/monotonic-clock#subscribe-duration`.
pub fn subscribe_duration(ctx: &mut P2Ctx, when: u64) -> Result<Own<Pollable>, End> {
    Ok(ctx.table.push(Pollable::at(monotonic().saturating_add(when)))?)
}
