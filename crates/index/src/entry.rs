use std::sync::Arc;

use deputy_delegation::decide::Fact;

/// An object as the world knows it.
#[derive(Debug)]
pub enum Entry<T> {
    /// It is there, and can be read.
    Known(Arc<T>),
    /// It is there, and can't be read: why.
    Unreadable(Arc<str>),
    /// It is not there, or is being deleted.
    Missing,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Known(t) => Self::Known(t.clone()),
            Self::Unreadable(why) => Self::Unreadable(why.clone()),
            Self::Missing => Self::Missing,
        }
    }
}

impl<T> Entry<T> {
    /// As a decision takes it.
    #[must_use]
    pub fn fact(&self) -> Fact<'_, T> {
        match self {
            Self::Known(t) => Fact::Known(t),
            Self::Unreadable(why) => Fact::Unreadable(why),
            Self::Missing => Fact::Missing,
        }
    }

    /// The object, if it can be read.
    #[must_use]
    pub fn known(&self) -> Option<&Arc<T>> {
        match self {
            Self::Known(t) => Some(t),
            Self::Unreadable(_) | Self::Missing => None,
        }
    }
}
