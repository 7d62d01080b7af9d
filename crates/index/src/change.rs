use deputy_delegation::{ObjectName, model::ObjectId};

/// Something in the world is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// An account.
    Account(ObjectName),
    /// A limit.
    Limit(ObjectName),
    /// A role, its spec or its standing.
    Role(ObjectId),
    /// A binding. The role it names, or named before, is [`Change::Bindings`].
    Binding(ObjectId),
    /// The bindings of a role.
    Bindings(ObjectId),
    /// Everything may be: a watch began again.
    Everything,
}
