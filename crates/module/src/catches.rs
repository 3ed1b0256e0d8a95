//! Catch clauses in one form: those of `try_table`, and those of `try` from the retired draft of exceptions (legacy exceptions,
//! <https://webassembly.github.io/exception-handling/legacy/exceptions/core/>).
//!
//! Both translators and the fuel costs use this form. A clause has a tag, or none if it catches all; it may pass on the
//! reference of the exception; and it continues at a label, or, in a `try`, in the `catch` body of that clause.
//!
//! # How is a `try` translated?
//! Like a `try_table` whose clauses continue in the `catch` bodies.
//! - `rethrow` throws the reference of the exception that its `catch` body caught. A clause therefore passes on the reference
//!   if its body has a `rethrow` for it. The translators keep that reference as a hidden operand below all operands of the body.
//! - `delegate` passes exceptions on to the clauses in force at a label further out, so its `try` has no clauses of its own.
//!
//! # Why is a body read twice?
//! Translators need the clauses of a `try` at its start, for the calls inside, but the binary format has each clause after these
//! calls. So the first `try` of a body makes a translator read the whole body. Bodies without `try` are read once.

use wasmparser::{BinaryReader, BinaryReaderError, Catch, FunctionBody, Operator};

use crate::Module;
use crate::operator_class::{Nesting, OperatorClass};

/// A catch clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Tag of the exceptions that the clause catches; `None` if it catches all.
    pub tag: Option<u32>,
    /// True if the clause passes on the reference of the exception: after the payload to a label, below it to a body.
    pub with_reference: bool,
    /// Place at which the clause continues.
    pub target: ClauseTarget,
}

/// The place at which a catch clause continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClauseTarget {
    /// A label, as a relative depth from outside the `try_table`.
    Label(u32),
    /// The body of the clause.
    Body,
}

impl From<&Catch> for Clause {
    fn from(catch: &Catch) -> Clause {
        let (tag, with_reference, label) = match *catch {
            Catch::One { tag, label } => (Some(tag), false, label),
            Catch::OneRef { tag, label } => (Some(tag), true, label),
            Catch::All { label } => (None, false, label),
            Catch::AllRef { label } => (None, true, label),
        };
        Clause { tag, with_reference, target: ClauseTarget::Label(label) }
    }
}

/// A `try` operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegacyTry {
    /// Clauses in order. None if it ends with `delegate`, or with `end` before any clause.
    pub clauses: Vec<Clause>,
    /// Relative depth, from outside the `try`, of the label of its `delegate`.
    pub delegate: Option<u32>,
}

/// The `try` operators of a body.
#[derive(Clone, Debug, Default)]
pub struct LegacyTries {
    /// Offsets in the module, in order, with the operators.
    tries: Vec<(usize, LegacyTry)>,
}

impl LegacyTries {
    /// Reads the body of a defined function.
    pub fn of(module: &Module, defined_index: u32) -> LegacyTries {
        let mut reader = Reader::default();
        let body = module.body(defined_index);
        reader
            .body(&FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64)))
            .expect("validated: the body can be read");
        LegacyTries { tries: reader.tries }
    }

    /// Returns the `try` at an offset in the module.
    ///
    /// # Panics
    /// If there is none.
    pub fn at(&self, offset: usize) -> &LegacyTry {
        let index = self.tries.binary_search_by_key(&offset, |&(offset, _)| offset).expect("a `try` is there");
        &self.tries[index].1
    }

    /// Returns the `try` operators in order.
    pub(crate) fn into_ordered(self) -> impl Iterator<Item = LegacyTry> {
        self.tries.into_iter().map(|(_, legacy)| legacy)
    }
}

/// State of reading a body.
#[derive(Default)]
struct Reader {
    tries: Vec<(usize, LegacyTry)>,
    /// Open blocks, outermost first: the index of a `try`, `None` for other blocks.
    open: Vec<Option<usize>>,
}

impl Reader {
    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let offset = operators.original_position() as usize;
            self.operator(&operators.read()?, offset);
        }
        Ok(())
    }

    fn operator(&mut self, operator: &Operator<'_>, offset: usize) {
        match *operator {
            Operator::Try { .. } => {
                self.open.push(Some(self.tries.len()));
                self.tries.push((offset, LegacyTry::default()));
                return;
            }
            Operator::Catch { tag_index } => self.clause(Some(tag_index)),
            Operator::CatchAll => self.clause(None),
            Operator::Rethrow { relative_depth } => {
                let label = self.open.iter().nth_back(relative_depth as usize);
                if let Some(&Some(index)) = label
                    && let Some(clause) = self.tries[index].1.clauses.last_mut()
                {
                    clause.with_reference = true;
                }
            }
            Operator::Delegate { relative_depth } => {
                if let Some(&Some(index)) = self.open.last() {
                    self.tries[index].1.delegate = Some(relative_depth);
                }
            }
            _ => {}
        }
        match OperatorClass::of(operator).nesting() {
            Nesting::Opens => self.open.push(None),
            Nesting::Closes => {
                self.open.pop();
            }
            Nesting::Divides | Nesting::Same => {}
        }
    }

    fn clause(&mut self, tag: Option<u32>) {
        if let Some(&Some(index)) = self.open.last() {
            let clause = Clause { tag, with_reference: false, target: ClauseTarget::Body };
            self.tries[index].1.clauses.push(clause);
        }
    }
}
