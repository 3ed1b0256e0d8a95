//! The few instructions of copied code that no handler has.

/// Hardware number of `rdi`.
pub const RDI: u8 = 7;
/// To which the constants of a function are aligned.
pub const CONSTANT_ALIGN: usize = 16;

/// Code being written. Registers go by hardware number.
#[derive(Debug, Default)]
pub struct Assembler(Vec<u8>);

impl Assembler {
    /// Bytes so far.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Takes back what was written after `size` bytes.
    pub fn truncate(&mut self, size: usize) {
        self.0.truncate(size);
    }

    /// The code.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Code as it is.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A byte that is not executed.
    pub fn pad(&mut self) {
        self.0.push(0xcc);
    }

    /// A jump, but for its distance of 32 bits.
    pub fn jump(&mut self) {
        self.0.push(0xe9);
    }

    /// A conditional jump, but for its distance of 32 bits.
    pub fn branch(&mut self, condition: u8) {
        self.0.extend([0x0f, 0x80 | condition]);
    }

    /// `mov rax, [rdi]; jmp rax`: goes on with the cell that `rdi` points to.
    pub fn dispatch(&mut self) {
        self.0.extend([0x48, 0x8b, 0x07, 0xff, 0xe0]);
    }

    /// `mov reg, [rdi]`.
    pub fn load_from_rdi(&mut self, reg: u8) {
        self.0.extend([0x48 | (reg >> 3) << 2, 0x8b, (reg & 7) << 3 | RDI]);
    }

    /// A constant into a register; flags stay.
    pub fn constant(&mut self, reg: u8, value: u64) {
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

    /// `lea reg, [base + displacement]`.
    pub fn add_to(&mut self, reg: u8, base: u8, displacement: i32) {
        let rex = 0x48 | (reg >> 3) << 2 | base >> 3;
        let modrm = (reg & 7) << 3 | base & 7;
        let head = [rex, 0x8d, modrm, 0x24];
        // A base of this kind takes another byte.
        let length = if base & 7 == 4 { 4 } else { 3 };
        self.displaced(&head[..length], 2, true, displacement);
    }

    /// An instruction up to its displacement, whose ModRM byte is at `modrm_at`, and the displacement in the shortest form.
    pub fn displaced(&mut self, head: &[u8], modrm_at: u8, needs_displacement: bool, displacement: i32) {
        let start = self.0.len();
        self.0.extend_from_slice(head);
        let modrm = &mut self.0[start + usize::from(modrm_at)];
        if displacement == 0 && !needs_displacement {
            // Mode 0 it is.
        } else if let Ok(short) = i8::try_from(displacement) {
            *modrm |= 0x40;
            self.0.push(short as u8);
        } else {
            *modrm |= 0x80;
            self.0.extend(displacement.to_le_bytes());
        }
    }

    /// Arithmetic on a register and a constant.
    pub fn arithmetic(&mut self, operation: u8, reg: u8, wide: bool, constant: i32) {
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

    /// A shift or rotation of a register by a constant.
    pub fn shift(&mut self, operation: u8, reg: u8, wide: bool, count: u8) {
        self.prefix(reg, wide);
        self.0.extend([0xc1, 0xc0 | operation << 3 | reg & 7, count & if wide { 63 } else { 31 }]);
    }

    /// The prefix of an instruction on one register, if it takes one.
    fn prefix(&mut self, reg: u8, wide: bool) {
        let rex = 0x40 | u8::from(wide) << 3 | reg >> 3;
        if rex != 0x40 {
            self.0.push(rex);
        }
    }
}
