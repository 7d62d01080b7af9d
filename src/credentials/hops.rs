//! A chain of roles: what is sent of each.

use deputy_delegation::{RoleArn, TagKey, TagValue};

use crate::exit::Failure;

/// Seconds of a session that only makes the next one: the fewest there are.
const BETWEEN: u32 = 15 * 60;
/// Seconds of the longest session that a role session makes.
const CHAINED: u32 = 60 * 60;
/// Seconds of the longest session of a role.
const LONGEST: u32 = 12 * 60 * 60;
/// Session tags that AWS takes.
const TAGS: usize = deputy_delegation::quota::TAGS;

/// What is asked of a chain.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    pub roles: Vec<RoleArn>,
    /// None, or one for each role; an empty one is none.
    pub external_ids: Vec<String>,
    pub duration: Option<u32>,
    pub tags: Vec<(TagKey, TagValue)>,
    pub transitive: Vec<TagKey>,
    pub source_identity: Option<String>,
}

/// One role of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    pub role: RoleArn,
    pub external_id: Option<String>,
    pub duration: u32,
    pub tags: Vec<(String, String)>,
    pub transitive: Vec<String>,
    pub source_identity: Option<String>,
    /// Whether it is the session that is wanted: the one that session policies narrow.
    pub is_last: bool,
}

impl Chain {
    /// The roles in order. Source identity and transitive tags are set on the first, from which they stay; other tags and the duration
    /// are the last one's.
    ///
    /// # Errors
    /// What does not go together, or what AWS never gives.
    pub fn hops(&self) -> Result<Vec<Hop>, Failure> {
        let last = self.roles.len().saturating_sub(1);
        let seconds = self.seconds()?;
        if !self.external_ids.is_empty() && self.external_ids.len() != self.roles.len() {
            return Err(Failure::input(format!(
                "{} external ids for {} roles: give --external-id once for each --role-arn, in their order, and an empty one where a \
                 role needs none",
                self.external_ids.len(),
                self.roles.len()
            )));
        }
        self.check_tags()?;
        let hop = |(at, role): (usize, &RoleArn)| {
            let is_here = |(key, _): &&(TagKey, TagValue)| {
                let place = if self.transitive.contains(key) { 0 } else { last };
                at == place
            };
            let tags = self.tags.iter().filter(is_here);
            let external_id = self.external_ids.get(at).filter(|id| !id.is_empty());
            let transitive = self.transitive.iter().filter(|_| at == 0);
            Hop {
                role: role.clone(),
                external_id: external_id.cloned(),
                duration: if at == last { seconds } else { BETWEEN },
                tags: tags
                    .map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned()))
                    .collect(),
                transitive: transitive.map(|key| key.as_str().to_owned()).collect(),
                source_identity: self.source_identity.clone().filter(|_| at == 0),
                is_last: at == last,
            }
        };
        Ok(self.roles.iter().enumerate().map(hop).collect())
    }

    fn seconds(&self) -> Result<u32, Failure> {
        let most = if self.roles.len() > 1 { CHAINED } else { LONGEST };
        let seconds = self.duration.unwrap_or(CHAINED);
        if (BETWEEN..=most).contains(&seconds) {
            return Ok(seconds);
        }
        Err(Failure::input(if most == CHAINED {
            "--duration: a session that a role session makes lives 15m to 1h"
        } else {
            "--duration: a session of a role lives 15m to 12h"
        }))
    }

    fn check_tags(&self) -> Result<(), Failure> {
        if self.tags.len() > TAGS {
            return Err(Failure::input(format!(
                "{} tags; AWS takes {TAGS}",
                self.tags.len()
            )));
        }
        for (at, (key, _)) in self.tags.iter().enumerate() {
            let same = |(other, _): &(TagKey, TagValue)| other.as_str().eq_ignore_ascii_case(key.as_str());
            if self.tags.iter().take(at).any(same) {
                return Err(Failure::input(format!(
                    "--tag {key} is given twice: AWS takes keys that differ in case only for the same"
                )));
            }
        }
        let given = |key: &&TagKey| !self.tags.iter().any(|(tag, _)| tag == *key);
        match self.transitive.iter().find(given) {
            Some(key) => Err(Failure::input(format!(
                "--transitive-tag {key} needs --tag {key}=VALUE"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(roles: usize) -> Chain {
        let role = |n| RoleArn::parse(&format!("arn:aws:iam::123456789012:role/r{n}")).unwrap();
        let tag = |key, value| (TagKey::new(key).unwrap(), TagValue::new(value).unwrap());
        Chain {
            roles: (0..roles).map(role).collect(),
            tags: vec![tag("team", "blue"), tag("ticket", "7")],
            transitive: vec![TagKey::new("team").unwrap()],
            source_identity: Some("alice".into()),
            ..Chain::default()
        }
    }

    #[test]
    fn each_role_of_a_chain_gets_what_is_its_own() {
        let hops = Chain {
            external_ids: vec!["x".into(), String::new()],
            duration: Some(1800),
            ..chain(2)
        }
        .hops()
        .unwrap();
        let [first, second] = hops.as_slice() else {
            panic!("two")
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            (first.duration, first.external_id.as_deref(), first.is_last),
            (900, Some("x"), false)
        );
        assert_eq!(
            (&first.tags, &first.transitive),
            (&vec![pair("team", "blue")], &vec!["team".to_owned()])
        );
        assert_eq!(first.source_identity.as_deref(), Some("alice"));
        assert_eq!(
            (second.duration, &second.external_id, second.is_last),
            (1800, &None, true)
        );
        assert_eq!(
            (&second.tags, &second.transitive),
            (&vec![pair("ticket", "7")], &vec![])
        );
        assert_eq!(second.source_identity, None);

        let one = chain(1).hops().unwrap();
        assert_eq!(
            (one[0].tags.len(), one[0].transitive.len(), one[0].duration),
            (2, 1, 3600)
        );
        assert!(one[0].is_last && one[0].source_identity.is_some());
    }

    #[test]
    fn what_aws_never_takes_is_refused_before_it_is_sent() {
        let refused = |chain: Chain| chain.hops().unwrap_err().to_string();
        let of = |seconds, roles| Chain {
            duration: Some(seconds),
            ..chain(roles)
        };
        assert!(refused(of(899, 1)).contains("15m to 12h"));
        assert!(refused(of(43_201, 1)).contains("15m to 12h"));
        assert!(refused(of(3601, 2)).contains("15m to 1h"));
        assert!(of(43_200, 1).hops().is_ok());
        assert!(
            refused(Chain {
                external_ids: vec!["x".into()],
                ..chain(2)
            })
            .contains("1 external ids for 2 roles")
        );
        let other = vec![TagKey::new("other").unwrap()];
        assert!(
            refused(Chain {
                transitive: other,
                ..chain(1)
            })
            .contains("needs --tag other=")
        );
        let mut twice = chain(1);
        twice
            .tags
            .push((TagKey::new("TEAM").unwrap(), TagValue::new("x").unwrap()));
        assert!(refused(twice).contains("given twice"));
        let mut many = chain(1);
        let tag = |n| (TagKey::new(format!("k{n}")).unwrap(), TagValue::new("x").unwrap());
        many.tags.extend((0..50).map(tag));
        assert!(refused(many).contains("52 tags; AWS takes 50"));
    }
}
