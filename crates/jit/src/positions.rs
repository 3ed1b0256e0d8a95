//! Virtual positions: what a source location of a compiled function means.
//!
//! A function's own operators are at their distance from the start of its body. Each inlined body gets a range of positions
//! of its own behind those handed out before, with the position of the call that it stands for. So one 32-bit number tells an operator and
//! all the calls around it.

use wasmr_module::Module;

/// The bodies of a compiled function: its own, then the inlined ones.
#[derive(Clone, Debug)]
pub struct Positions {
    bodies: Vec<Body>,
    /// The body at hand.
    current: usize,
    /// The first position that is not handed out.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    /// The function's index in its module.
    func_index: u32,
    /// Offset of the body in the module.
    offset: usize,
    /// Its first position.
    start: u32,
    /// The position of the call that it was inlined for, and the body of that.
    call: Option<(u32, usize)>,
}

/// An operator of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function's index in its module.
    pub func_index: u32,
    /// Offset of the operator in the module.
    pub offset: usize,
}

impl Positions {
    /// The positions of a defined function.
    pub fn new(module: &Module, defined_index: u32) -> Positions {
        let mut positions = Positions { bodies: Vec::new(), current: 0, next: 0 };
        positions.add(module, defined_index, None);
        positions
    }

    fn add(&mut self, module: &Module, defined_index: u32, call: Option<(u32, usize)>) {
        let body = module.body(defined_index);
        let func_index = module.imported_func_count() + defined_index;
        self.bodies.push(Body { func_index, offset: body.offset, start: self.next, call });
        // The end of a body is a place, too.
        self.next += body.bytes.len() as u32 + 1;
    }

    /// Opens an inlined body for a call at an offset in the body at hand. Gives what [`close`](Positions::close) wants.
    pub fn open(&mut self, module: &Module, defined_index: u32, offset: usize) -> usize {
        let (call, caller) = (self.at(offset), self.current);
        self.add(module, defined_index, Some((call, caller)));
        self.current = self.bodies.len() - 1;
        caller
    }

    /// Goes back to the body from which one was opened.
    pub fn close(&mut self, caller: usize) {
        self.current = caller;
    }

    /// The position of the operator at an offset, in the body at hand.
    pub fn at(&self, offset: usize) -> u32 {
        let body = &self.bodies[self.current];
        body.start + (offset - body.offset) as u32
    }

    /// The function that is compiled, by its index in its module.
    pub fn func_index(&self) -> u32 {
        self.bodies[0].func_index
    }

    /// The operator at a position and the calls around it, innermost first. None if that is no position: the code of no operator,
    /// as at the start of a function.
    pub fn places(&self, position: u32) -> Vec<Place> {
        if position >= self.next {
            return Vec::new();
        }
        let after = self.bodies.partition_point(|body| body.start <= position);
        let mut places = Vec::new();
        let mut next = after.checked_sub(1).map(|index| (position, index));
        while let Some((position, index)) = next {
            let body = &self.bodies[index];
            let offset = body.offset + (position - body.start) as usize;
            places.push(Place { func_index: body.func_index, offset });
            next = body.call;
        }
        places
    }
}
