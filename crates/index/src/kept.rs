//! *Kept*: an object between two questions. A few words of it, and the text that it is read from again when somebody asks for all of it.
//!
//! A policy document that is ready to be compared takes four kilobytes, its text some hundreds of bytes; and there are tens of
//! thousands of them, about which what was decided is remembered. So of roles and bindings the text is kept.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use deputy_api::convert::RoleTemplate;
use deputy_delegation::{
    ObjectName, ServiceAccountName,
    model::{Account, Binding, FederatedBinding, OwnedStatement, Role, RoleId},
};
use parking_lot::Mutex;

/// So many objects of a kind stay read: whoever asks about one asks several questions.
const RECENT: usize = 128;

/// What is known of an object without reading it again.
pub trait Headed: Sized + Send + Sync + 'static {
    /// That.
    type Head: fmt::Debug + Send + Sync;
    /// That, of this object.
    fn head(&self) -> Self::Head;
}

/// Of a role.
#[derive(Debug)]
pub struct RoleHead {
    /// The AWSAccount that it names.
    pub account: ObjectName,
    /// Whether the IAM role is somebody else's.
    pub is_existing: bool,
}

/// Of a binding.
#[derive(Debug)]
pub struct BindingHead {
    /// The role that it names.
    pub role: RoleId,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The ServiceAccounts that it names.
    pub service_accounts: Box<[ServiceAccountName]>,
}

impl Headed for Role {
    type Head = RoleHead;
    fn head(&self) -> RoleHead {
        RoleHead {
            account: self.account.clone(),
            is_existing: self.existing().is_some(),
        }
    }
}

impl Headed for Binding {
    type Head = BindingHead;
    fn head(&self) -> BindingHead {
        BindingHead {
            role: self.role.clone(),
            created: self.created,
            service_accounts: self.subjects.service_accounts().iter().cloned().collect(),
        }
    }
}

impl Headed for Account {
    type Head = ();
    fn head(&self) {}
}

impl Headed for FederatedBinding {
    type Head = ();
    fn head(&self) {}
}

impl Headed for OwnedStatement {
    type Head = ();
    fn head(&self) {}
}

impl Headed for RoleTemplate {
    type Head = ();
    fn head(&self) {}
}

/// Reads an object that could be read before.
type Read<T> = Box<dyn Fn() -> Result<T, Arc<str>> + Send + Sync>;

/// An object that can be read.
pub(crate) struct Kept<T: Headed> {
    pub(crate) head: T::Head,
    source: Source<T>,
}

enum Source<T> {
    /// There are few of its kind: it stays read.
    Whole(Arc<T>),
    /// It is read again.
    Again {
        number: u64,
        read: Read<T>,
        recent: Arc<Recent<T>>,
    },
}

impl<T: Headed> Kept<T> {
    /// It stays read.
    pub(crate) fn whole(object: T) -> Self {
        Self {
            head: object.head(),
            source: Source::Whole(Arc::new(object)),
        }
    }

    /// It is read again by `read`, which gives the same object each time.
    pub(crate) fn again(object: T, recent: &Arc<Recent<T>>, read: Read<T>) -> Self {
        let head = object.head();
        let number = recent.numbers.fetch_add(1, Ordering::Relaxed);
        recent.put(number, Arc::new(object));
        Self {
            head,
            source: Source::Again {
                number,
                read,
                recent: Arc::clone(recent),
            },
        }
    }

    /// All of it.
    pub(crate) fn object(&self) -> Result<Arc<T>, Arc<str>> {
        match &self.source {
            Source::Whole(object) => Ok(Arc::clone(object)),
            Source::Again { number, read, recent } => recent.get(*number).map_or_else(
                || {
                    let object = Arc::new(read()?);
                    recent.put(*number, Arc::clone(&object));
                    Ok(object)
                },
                Ok,
            ),
        }
    }
}

impl<T: Headed> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

struct ReadObjects<T> {
    by_number: HashMap<u64, Arc<T>>,
    /// Oldest first.
    order: VecDeque<u64>,
}

/// The objects of a kind that were read last.
pub(crate) struct Recent<T> {
    /// Each object has a number of its own, and a new one when it changes.
    numbers: AtomicU64,
    read: Mutex<ReadObjects<T>>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            numbers: AtomicU64::default(),
            read: Mutex::new(ReadObjects {
                by_number: HashMap::new(),
                order: VecDeque::new(),
            }),
        }
    }
}

impl<T> Recent<T> {
    fn get(&self, number: u64) -> Option<Arc<T>> {
        self.read.lock().by_number.get(&number).cloned()
    }

    fn put(&self, number: u64, object: Arc<T>) {
        let dropped = {
            let mut read = self.read.lock();
            if read.by_number.insert(number, object).is_none() {
                read.order.push_back(number);
            }
            let is_full = read.order.len() > RECENT;
            let oldest = if is_full { read.order.pop_front() } else { None };
            oldest.and_then(|number| read.by_number.remove(&number))
        };
        // Outside of the lock: there is much to free.
        drop(dropped);
    }
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}
