//! [`Mode`]: the modes of execution, one row each. The command line, its help and the test harness all read this table.

/// Declares [`Mode`]: one row per mode, `Variant "name" "help";`. The first row is the default.
macro_rules! modes {
    ($(#[$default_doc:meta])* $default:ident $default_name:literal $default_help:literal;
     $($(#[$doc:meta])* $mode:ident $name:literal $help:literal;)*) => {
        /// A mode of execution.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Mode {
            $(#[$default_doc])* #[default] $default,
            $($(#[$doc])* $mode,)*
        }

        impl Mode {
            /// Every mode, in the order of the table.
            pub const ALL: &'static [Mode] = &[Mode::$default, $(Mode::$mode,)*];

            /// Returns the name that users know.
            pub const fn name(self) -> &'static str {
                match self {
                    Mode::$default => $default_name,
                    $(Mode::$mode => $name,)*
                }
            }

            /// Returns the line for the help.
            pub const fn help(self) -> &'static str {
                match self {
                    Mode::$default => $default_help,
                    $(Mode::$mode => $help,)*
                }
            }
        }
    };
}

#[cfg(feature = "jit")]
modes! {
    /// Functions are interpreted at first; hot ones are compiled meanwhile.
    Tiered "tiered" "Start in the interpreter, and compile hot functions while the program runs; the default";
    /// Every function is compiled before its first call. A function that cannot be compiled is interpreted.
    Jit "jit" "Compile every function before its first call";
    /// Every function is interpreted.
    Interp "interp" "Interpret all functions; this starts fastest and runs on any host";
}

#[cfg(not(feature = "jit"))]
modes! {
    /// Every function is interpreted.
    Interp "interp" "Interpret all functions";
}

impl Mode {
    /// Returns the mode of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Mode> {
        Mode::ALL.iter().copied().find(|mode| mode.name() == name)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_modes() {
        for mode in Mode::ALL {
            assert_eq!(Mode::from_name(mode.name()), Some(*mode));
        }
        assert_eq!(Mode::from_name("warp"), None);
    }
}
