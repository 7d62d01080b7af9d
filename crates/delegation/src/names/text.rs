//! The macro that makes a type of text with a rule.
//!
//! The copies of one value share its text: names are the keys of most tables, and hardly any is ever changed.

macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks `text` and copies it.
            ///
            /// # Errors
            /// When `text` does not follow the rule of this type.
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::names::NameError> {
                let text = text.as_ref();
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err($crate::names::NameError::new($what, text, $rule)) }
            }
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl $crate::names::FromValidParts for $name {
            fn from_valid_parts(text: String) -> Self {
                debug_assert!(Self::new(text.as_str()).is_ok(), "{}: {text}", $what);
                Self(text.into())
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl std::str::FromStr for $name {
            type Err = $crate::names::NameError;
            fn from_str(s: &str) -> Result<Self, $crate::names::NameError> { Self::new(s) }
        }
        impl std::borrow::Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
    };
}
