//! The life of an authority in its Secret: pure, with the time passed in.
//!
//! ```text
//!             made        2/3 of its life      5/6 (and settled)          its end
//! current      |---------------|--------------------|                        |
//! next                         | published, idle    | becomes current        |
//! retired                                           | key gone, trusted until|
//! ```
//!
//! The Secret's `ca.crt` holds the current certificate and after it the retired ones, `ca.key` the current key,
//! `next.crt` and `next.key` the next authority.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use zeroize::Zeroize as _;

use super::{
    AuthorityPolicy, Bundle,
    certificate::{Ca, CaCertificate, CertificateError, after, parse_bundle},
    error::AuthorityError,
    pinned::Pinned,
};

const CURRENT_CERTIFICATE: &str = "ca.crt";
const CURRENT_KEY: &str = "ca.key";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const KEYS: [&str; 4] = [CURRENT_CERTIFICATE, CURRENT_KEY, NEXT_CERTIFICATE, NEXT_KEY];

/// What a Secret holds.
pub(super) type SecretData = BTreeMap<String, ByteString>;

/// The authorities in a Secret.
pub(super) struct CaSet {
    pub(super) current: Ca,
    pub(super) next: Option<Ca>,
    /// Certificates whose keys are gone, trusted until they expire.
    pub(super) retired: Vec<CaCertificate>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// The Secret is empty: make an authority.
    Create,
    /// The Secret lost the authority that this replica serves with: put it back.
    Restore,
    /// The current one expired without a successor: make another.
    Replace,
    /// Make the next one and publish it.
    Prepare,
    /// The next one becomes the current one.
    Switch,
    /// Forget retired ones that expired.
    Prune,
}

impl CaSet {
    /// Reads a Secret. `None` when it is empty.
    pub(super) fn parse(data: &SecretData) -> Result<Option<Self>, AuthorityError> {
        let text = |key: &'static str| match data.get(key).map(|value| value.0.as_slice()) {
            None | Some([]) => None,
            Some(bytes) => Some(bytes),
        };
        let slots = [
            pair(
                CURRENT_CERTIFICATE,
                text(CURRENT_CERTIFICATE),
                CURRENT_KEY,
                text(CURRENT_KEY),
            )?,
            pair(NEXT_CERTIFICATE, text(NEXT_CERTIFICATE), NEXT_KEY, text(NEXT_KEY))?,
        ];
        match slots {
            [None, None] => Ok(None),
            [None, Some(_)] => Err(AuthorityError::Incomplete {
                missing: CURRENT_CERTIFICATE,
            }),
            [Some((current, retired)), next] => Ok(Some(Self {
                current,
                next: next.map(|(next, _)| next),
                retired,
            })),
        }
    }

    /// The same again: keys are not copied by accident.
    fn copy(&self) -> Result<Self, AuthorityError> {
        Ok(Self {
            current: self.current.copy().map_err(AuthorityError::Issue)?,
            next: self
                .next
                .as_ref()
                .map(Ca::copy)
                .transpose()
                .map_err(AuthorityError::Issue)?,
            retired: self.retired.clone(),
        })
    }

    /// What the Secret that held `data` should hold: other keys stay.
    pub(super) fn merged_into(&self, mut data: SecretData) -> SecretData {
        data.retain(|key, _| !KEYS.contains(&key.as_str()));
        let mut insert = |key: &str, text: String| data.insert(key.to_owned(), ByteString(text.into_bytes()));
        let mut certificates = self.current.certificate.pem.clone();
        self.retired
            .iter()
            .for_each(|retired| certificates.push_str(&retired.pem));
        insert(CURRENT_CERTIFICATE, certificates);
        insert(CURRENT_KEY, self.current.key_pem());
        if let Some(next) = &self.next {
            insert(NEXT_CERTIFICATE, next.certificate.pem.clone());
            insert(NEXT_KEY, next.key_pem());
        }
        data
    }

    /// What clients should trust, the one that signs first.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &CaCertificate> {
        let next = self.next.iter().map(|next| &next.certificate);
        std::iter::once(&self.current.certificate)
            .chain(next)
            .chain(&self.retired)
    }

    /// The same as PEM.
    pub(super) fn bundle(&self) -> Bundle {
        let text: String = self.certificates().map(|one| one.pem.as_str()).collect();
        text.into()
    }

    /// What is due at `now`.
    pub(super) fn due(&self, policy: &AuthorityPolicy, now: Timestamp) -> Option<Transition> {
        let current = &self.current.certificate;
        match &self.next {
            // Nobody can be served with an expired authority, so there is nothing to settle for.
            None if current.is_expired(now) => return Some(Transition::Replace),
            None if current.has_lived(now, 2, 3) => return Some(Transition::Prepare),
            None => {}
            Some(next) => {
                let next = &next.certificate;
                let settled = now >= after(next.created(), policy.settle) && current.has_lived(now, 5, 6);
                // A replica with a clock far ahead may have made it; it does not sign before its time.
                if next.not_before <= now && (settled || current.is_expired(now)) {
                    return Some(Transition::Switch);
                }
            }
        }
        self.retired
            .iter()
            .any(|retired| retired.is_expired(now))
            .then_some(Transition::Prune)
    }

    /// The set after `transition`.
    pub(super) fn apply(
        self,
        transition: Transition,
        common_name: &str,
        policy: &AuthorityPolicy,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let Self {
            current,
            next,
            mut retired,
        } = self;
        let new = || Ca::generate(common_name, policy.ca_lifetime, now).map_err(AuthorityError::Issue);
        let (current, next) = match (transition, next) {
            (Transition::Create | Transition::Replace, _) => (new()?, None),
            (Transition::Prepare, _) => (current, Some(new()?)),
            (Transition::Switch, Some(next)) => {
                retired.push(current.certificate.clone());
                (next, None)
            }
            (Transition::Switch | Transition::Prune | Transition::Restore, next) => (current, next),
        };
        retired.retain(|retired| !retired.is_expired(now));
        Ok(Self {
            current,
            next,
            retired,
        })
    }
}

/// The set in a Secret and what is due, done: the set to use now, and the set to write when that differs.
pub(super) struct Plan {
    /// What the Secret holds. `None` when it holds nothing that can be used.
    pub(super) stored: Option<CaSet>,
    /// What to write into it.
    pub(super) write: Option<(Transition, CaSet)>,
}

/// What is to be thought of beside the Secret.
pub(super) struct Circumstances<'a> {
    pub(super) common_name: &'a str,
    pub(super) policy: &'a AuthorityPolicy,
    /// What this replica serves with.
    pub(super) held: Option<&'a CaSet>,
    /// What clients trust.
    pub(super) pinned: Pinned,
    /// The fingerprint of the authority that somebody gave up.
    pub(super) abandoned: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// Reads a Secret and decides what to write into it.
pub(super) fn plan(data: &SecretData, circumstances: Circumstances<'_>) -> Result<Plan, AuthorityError> {
    let Circumstances {
        common_name,
        policy,
        held,
        pinned,
        abandoned,
        now,
    } = circumstances;
    let given_up = abandoned.is_some() && pinned.let_go("", abandoned).is_ok();
    let stored = match (CaSet::parse(data), held) {
        (Ok(Some(stored)), _) => stored,
        // Whoever emptied or damaged it did not mean to cut off every client.
        (Ok(None) | Err(_), Some(held)) if !given_up => {
            return Ok(Plan {
                stored: None,
                write: Some((Transition::Restore, held.copy()?)),
            });
        }
        (Ok(None), _) => {
            pinned.let_go("no authority", abandoned)?;
            let current =
                Ca::generate(common_name, policy.ca_lifetime, now).map_err(AuthorityError::Issue)?;
            let set = CaSet {
                current,
                next: None,
                // Other replicas may serve with them for a moment.
                retired: pinned.into_roots(),
            };
            return Ok(Plan {
                stored: None,
                write: Some((Transition::Create, set)),
            });
        }
        (Err(damaged), _) => return Err(damaged),
    };
    if !pinned.allows(stored.certificates()) {
        pinned.let_go("another authority", abandoned)?;
    }
    let due = stored.due(policy, now);
    if due == Some(Transition::Replace) {
        // However old it is by this clock.
        pinned.let_go("an authority that has expired", abandoned)?;
    }
    let write = match due {
        Some(transition) => Some((
            transition,
            stored.copy()?.apply(transition, common_name, policy, now)?,
        )),
        None => None,
    };
    Ok(Plan {
        stored: Some(stored),
        write,
    })
}

/// Overwrites what held keys.
pub(super) fn wipe(data: SecretData) {
    for (_, ByteString(mut bytes)) in data {
        bytes.zeroize();
    }
}

type Slot = Option<(Ca, Vec<CaCertificate>)>;

fn pair(
    certificate_key: &'static str,
    certificate: Option<&[u8]>,
    key_key: &'static str,
    key: Option<&[u8]>,
) -> Result<Slot, AuthorityError> {
    let corrupt = |key, source| AuthorityError::Corrupt { key, source };
    let (certificate, key) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(AuthorityError::Incomplete { missing: key_key }),
        (None, Some(_)) => {
            return Err(AuthorityError::Incomplete {
                missing: certificate_key,
            });
        }
        (Some(certificate), Some(key)) => (certificate, key),
    };
    let mut certificates = parse_bundle(certificate)
        .map_err(|source| corrupt(certificate_key, source))?
        .into_iter();
    let first = certificates
        .next()
        .ok_or_else(|| corrupt(certificate_key, CertificateError::Pem))?;
    let key = std::str::from_utf8(key).map_err(|_| corrupt(key_key, CertificateError::Key))?;
    let ca = Ca::from_parts(first, key).map_err(|source| corrupt(key_key, source))?;
    Ok(Some((ca, certificates.collect())))
}

#[cfg(test)]
mod tests;
