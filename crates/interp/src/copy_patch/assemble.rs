//! The encoder of the few machine instructions that copied code has and no handler contains.

/// Hardware number of `rdi`.
pub(crate) const RDI: u8 = 7;
/// Alignment of a function's constants in bytes.
pub(crate) const CONSTANT_ALIGN: usize = 16;

/// A buffer of machine code. Registers go by hardware number.
#[derive(Debug, Default)]
pub(crate) struct Assembler(Vec<u8>);

impl Assembler {
    /// Returns the number of bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// Removes all but the first `size` bytes.
    pub(crate) fn truncate(&mut self, size: usize) {
        self.0.truncate(size);
    }

    /// Returns the bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends `int3`, which is never executed.
    pub(crate) fn pad(&mut self) {
        self.0.push(0xcc);
    }

    /// Appends a jump up to its 32-bit distance.
    pub(crate) fn jump(&mut self) {
        self.0.push(0xe9);
    }

    /// Appends a conditional jump up to its 32-bit distance.
    pub(crate) fn branch(&mut self, condition: u8) {
        self.0.extend([0x0f, 0x80 | condition]);
    }

    /// Appends `jmp [rdi]`, which continues with the handler of the instruction at `rdi`.
    pub(crate) fn dispatch(&mut self) {
        self.0.extend([0xff, 0x27]);
    }

    /// Appends `mov reg, [rdi]`.
    pub(crate) fn load_from_rdi(&mut self, reg: u8) {
        self.0.extend([0x48 | (reg >> 3) << 2, 0x8b, (reg & 7) << 3 | RDI]);
    }

    /// Appends a move of a constant to a register, which leaves the flags alone.
    pub(crate) fn constant(&mut self, reg: u8, value: u64) {
        let (high, low) = (reg >> 3, reg & 7);
        if let Ok(value) = u32::try_from(value) {
            if high != 0 {
                self.0.push(0x41);
            }
            self.0.push(0xb8 | low);
            self.0.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value as i64) {
            self.0.extend([0x48 | high, 0xc7, 0xc0 | low]);
            self.0.extend(value.to_le_bytes());
        } else {
            self.0.extend([0x48 | high, 0xb8 | low]);
            self.0.extend(value.to_le_bytes());
        }
    }

    /// Appends `lea reg, [base + displacement]`.
    pub(crate) fn add_to(&mut self, reg: u8, base: u8, displacement: i32) {
        let rex = 0x48 | (reg >> 3) << 2 | base >> 3;
        let modrm = (reg & 7) << 3 | base & 7;
        let head = [rex, 0x8d, modrm, 0x24];
        // A base of `rsp` or `r12` takes a SIB byte.
        let length = if base & 7 == 4 { 4 } else { 3 };
        self.displaced(&head[..length], 2, true, displacement);
    }

    /// Appends an instruction up to its displacement, then the displacement in its shortest form. `modrm_at` is the position of
    /// the ModRM byte in `head`.
    pub(crate) fn displaced(&mut self, head: &[u8], modrm_at: u8, needs_displacement: bool, displacement: i32) {
        let start = self.0.len();
        self.0.extend_from_slice(head);
        let modrm = &mut self.0[start + usize::from(modrm_at)];
        if displacement == 0 && !needs_displacement {
            // ModRM mode 0 has no displacement.
        } else if let Ok(short) = i8::try_from(displacement) {
            *modrm |= 0x40;
            self.0.push(short as u8);
        } else {
            *modrm |= 0x80;
            self.0.extend(displacement.to_le_bytes());
        }
    }

    /// Appends an arithmetic instruction on a register and a constant.
    pub(crate) fn arithmetic(&mut self, operation: u8, reg: u8, wide: bool, constant: i32) {
        self.prefix(reg, wide);
        let modrm = 0xc0 | operation << 3 | reg & 7;
        match i8::try_from(constant) {
            Ok(short) => self.0.extend([0x83, modrm, short as u8]),
            Err(_) => {
                self.0.extend([0x81, modrm]);
                self.0.extend(constant.to_le_bytes());
            }
        }
    }

    /// Appends a shift or rotation of a register by a constant.
    pub(crate) fn shift(&mut self, operation: u8, reg: u8, wide: bool, count: u8) {
        self.prefix(reg, wide);
        self.0.extend([0xc1, 0xc0 | operation << 3 | reg & 7, count & if wide { 63 } else { 31 }]);
    }

    /// Appends the REX prefix of an instruction on one register, if it needs one.
    fn prefix(&mut self, reg: u8, wide: bool) {
        let rex = 0x40 | u8::from(wide) << 3 | reg >> 3;
        if rex != 0x40 {
            self.0.push(rex);
        }
    }
}
