//! [`error_codes`]: declares the `error-code` of an interface, with the one table from errors to codes.

/// Declares `ErrorCode`: the type of errors and the code of those that have none of their own, then one row per code, in the order of
/// the interface: `Variant "name in WIT" [ERROR, …]`.
macro_rules! error_codes {
    ($errors:ident, $other:ident; $($name:ident $text:literal [$($error:ident),*];)*) => {
        wasmr_canon::enumeration! {
            /// An `error-code`.
            pub enum ErrorCode "error-code" {
                $(#[doc = concat!("`", $text, "`.")] $name $text,)*
            }
        }

        impl From<$errors> for ErrorCode {
            /// Returns the guest's code for an error.
            fn from(error: $errors) -> ErrorCode {
                match error {
                    $($($errors::$error => ErrorCode::$name,)*)*
                    _ => ErrorCode::$other,
                }
            }
        }
    };
}
pub(super) use error_codes;
