//! Machine instructions on vectors of 128 bits, by their names in the processors' manuals. All of them are part of SSE4.2.
//!
//! A constant is an [`Opcode`]; `tests` compare its name with the disassembler's. Names of two instructions with one name in
//! the manuals say which one is meant: `_TO` stores, `_FROM` takes a general register or memory.

use super::assemble::Opcode;

/// Declares opcodes, and a list of them for tests.
macro_rules! opcodes {
    ($(#[$attr:meta])* $list:ident: $($name:ident $opcode:literal)*) => {
        $(pub(crate) const $name: Opcode = $opcode;)*

        $(#[$attr])*
        #[cfg(test)]
        pub(super) const $list: &[(&str, Opcode)] = &[$((stringify!($name), $name)),*];
    };
}

#[rustfmt::skip]
opcodes! {
    /// The opcodes of instructions without an immediate operand.
    PLAIN:
    ADDPD 0x6600_0f58       ADDPS 0x0f58            ANDPD 0x6600_0f54       ANDPS 0x0f54            CVTDQ2PD 0xf300_0fe6
    CVTDQ2PS 0x0f5b         CVTPD2PS 0x6600_0f5a    CVTPS2PD 0x0f5a         CVTTPD2DQ 0x6600_0fe6   CVTTPS2DQ 0xf300_0f5b
    DIVPD 0x6600_0f5e       DIVPS 0x0f5e            MAXPD 0x6600_0f5f       MAXPS 0x0f5f            MINPD 0x6600_0f5d
    MINPS 0x0f5d            MOVAPS 0x0f28           MOVD_FROM 0x6600_0f6e   MOVD_TO 0x6600_0f7e     MOVDDUP 0xf200_0f12
    MOVHPS_TO 0x0f17        MOVLHPS 0x0f16           MOVMSKPD 0x6600_0f50    MOVMSKPS 0x0f50
    MOVSD 0xf200_0f10       MOVSD_TO 0xf200_0f11    MOVSS 0xf300_0f10       MOVSS_TO 0xf300_0f11    MOVUPS 0x0f10
    MOVUPS_TO 0x0f11        MULPD 0x6600_0f59       MULPS 0x0f59            ORPD 0x6600_0f56        ORPS 0x0f56
    PABSB 0x660f_381c       PABSD 0x660f_381e       PABSW 0x660f_381d       PACKSSDW 0x6600_0f6b    PACKSSWB 0x6600_0f63
    PACKUSDW 0x660f_382b    PACKUSWB 0x6600_0f67    PADDB 0x6600_0ffc       PADDD 0x6600_0ffe       PADDQ 0x6600_0fd4
    PADDSB 0x6600_0fec      PADDSW 0x6600_0fed      PADDUSB 0x6600_0fdc     PADDUSW 0x6600_0fdd     PADDW 0x6600_0ffd
    PAND 0x6600_0fdb        PANDN 0x6600_0fdf       PAVGB 0x6600_0fe0       PAVGW 0x6600_0fe3       PCMPEQB 0x6600_0f74
    PCMPEQD 0x6600_0f76     PCMPEQQ 0x660f_3829     PCMPEQW 0x6600_0f75     PCMPGTB 0x6600_0f64     PCMPGTD 0x6600_0f66
    PCMPGTQ 0x660f_3837     PCMPGTW 0x6600_0f65     PMADDUBSW 0x660f_3804   PMADDWD 0x6600_0ff5     PMAXSB 0x660f_383c
    PMAXSD 0x660f_383d      PMAXSW 0x6600_0fee      PMAXUB 0x6600_0fde      PMAXUD 0x660f_383f      PMAXUW 0x660f_383e
    PMINSB 0x660f_3838      PMINSD 0x660f_3839      PMINSW 0x6600_0fea      PMINUB 0x6600_0fda      PMINUD 0x660f_383b
    PMINUW 0x660f_383a      PMOVMSKB 0x6600_0fd7    PMOVSXBW 0x660f_3820    PMOVSXDQ 0x660f_3825    PMOVSXWD 0x660f_3823
    PMOVZXBW 0x660f_3830    PMOVZXDQ 0x660f_3835    PMOVZXWD 0x660f_3833    PMULDQ 0x660f_3828      PMULHRSW 0x660f_380b
    PMULHUW 0x6600_0fe4     PMULHW 0x6600_0fe5      PMULLD 0x660f_3840      PMULLW 0x6600_0fd5      PMULUDQ 0x6600_0ff4
    POR 0x6600_0feb         PSHUFB 0x660f_3800      PSLLD 0x6600_0ff2       PSLLQ 0x6600_0ff3       PSLLW 0x6600_0ff1
    PSRAD 0x6600_0fe2       PSRAW 0x6600_0fe1       PSRLD 0x6600_0fd2       PSRLQ 0x6600_0fd3       PSRLW 0x6600_0fd1
    PSUBB 0x6600_0ff8       PSUBD 0x6600_0ffa       PSUBQ 0x6600_0ffb       PSUBSB 0x6600_0fe8      PSUBSW 0x6600_0fe9
    PSUBUSB 0x6600_0fd8     PSUBUSW 0x6600_0fd9     PSUBW 0x6600_0ff9       PTEST 0x660f_3817       PUNPCKHBW 0x6600_0f68
    PUNPCKHWD 0x6600_0f69   PUNPCKLBW 0x6600_0f60   PUNPCKLQDQ 0x6600_0f6c  PUNPCKLWD 0x6600_0f61   PXOR 0x6600_0fef
    SQRTPD 0x6600_0f51      SQRTPS 0x0f51           SUBPD 0x6600_0f5c       SUBPS 0x0f5c            UNPCKLPS 0x0f14
    XORPD 0x6600_0f57       XORPS 0x0f57
}

#[rustfmt::skip]
opcodes! {
    /// The opcodes of instructions with an immediate operand of a byte.
    WITH_BYTE:
    CMPPD 0x6600_0fc2       CMPPS 0x0fc2            INSERTPS 0x660f_3a21    PBLENDW 0x660f_3a0e
    PEXTRB 0x660f_3a14      PEXTRD 0x660f_3a16      PEXTRW 0x6600_0fc5      PEXTRW_TO 0x660f_3a15   PINSRB 0x660f_3a20
    PINSRD 0x660f_3a22      PINSRW 0x6600_0fc4      PSHUFD 0x6600_0f70      PSHUFLW 0xf200_0f70     ROUNDPD 0x660f_3a09
    ROUNDPS 0x660f_3a08     SHUFPS 0x0fc6
}

/// A shift of lanes by an immediate count: the opcode, and the digit that the encoding has in place of a register.
pub(crate) type ShiftByte = (Opcode, u8);

pub(crate) const PSRLW_BYTE: ShiftByte = (0x6600_0f71, 2);
pub(crate) const PSRAW_BYTE: ShiftByte = (0x6600_0f71, 4);
pub(crate) const PSLLW_BYTE: ShiftByte = (0x6600_0f71, 6);
pub(crate) const PSRLD_BYTE: ShiftByte = (0x6600_0f72, 2);
pub(crate) const PSRAD_BYTE: ShiftByte = (0x6600_0f72, 4);
pub(crate) const PSLLD_BYTE: ShiftByte = (0x6600_0f72, 6);
pub(crate) const PSRLQ_BYTE: ShiftByte = (0x6600_0f73, 2);
pub(crate) const PSLLQ_BYTE: ShiftByte = (0x6600_0f73, 6);
