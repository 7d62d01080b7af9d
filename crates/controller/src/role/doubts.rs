//! Roles that are doubted: the broker says of a binding that AWS refuses its sessions, so somebody may have changed the role there. Such a
//! role is read, whatever was seen of it before and whatever a listing shows.
//!
//! A tenant who makes AWS refuse a session now and then shall not spend the calls that the account has for all: a binding has a role doubted
//! when it turns refused, not while it is; and a role that was read for a doubt is not read for another one before a pause is over, which grows
//! with each. What came meanwhile is read then.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use deputy_api::conditions::ConditionReason;
use deputy_delegation::model::{ObjectId, RoleId};
use deputy_index::Index;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::queue::{Lane, Queue, Requeue};

/// After a role was read for a doubt, so long it is read for no other; doubled with each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest pause. Two listings have shown the role by then.
const LAST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Which roles are to be read because AWS refuses sessions of them.
#[derive(Debug, Default)]
pub struct Doubts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bindings of which it is known, and the roles that they name.
    refused: HashMap<ObjectId, RoleId>,
    roles: HashMap<RoleId, Doubt>,
}

/// What is known of a role that was ever doubted.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// Since when it is; `None` when it was read since.
    since: Option<Instant>,
    /// Before then it is not read for a doubt.
    not_before: Instant,
    /// From when it is read for a doubt until it may be for the next one.
    pause: Duration,
}

impl Doubts {
    /// These bindings changed, or were there when the process began. A role whose binding turned refused since is put into the queue, where it
    /// is time to look: a first listing, two minutes after the beginning at the latest, shows what was so before.
    pub fn hear(&self, index: &Index, bindings: &BTreeSet<ObjectId>, is_news: bool, queue: &Queue<RoleId>) {
        for id in bindings {
            let refused = index.binding(id).and_then(|binding| {
                let is_doubtful = binding.state.refused.is_some_and(may_be_the_role);
                let binding = binding.head().filter(|_| is_doubtful)?;
                Some(binding.role.clone())
            });
            if let Some(role) = self.turned(id, refused)
                && is_news
            {
                self.doubt(&role);
                queue.add(role, Lane::Routine);
            }
        }
    }

    /// Of `binding` this role is refused now, or none. Gives the role if that was not known.
    fn turned(&self, binding: &ObjectId, refused: Option<RoleId>) -> Option<RoleId> {
        let mut state = self.state.lock();
        let Some(role) = refused else {
            state.refused.remove(binding);
            return None;
        };
        let known = state.refused.insert(binding.clone(), role.clone());
        (known.as_ref() != Some(&role)).then_some(role)
    }

    fn doubt(&self, id: &RoleId) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let doubt = state.roles.entry(id.clone()).or_insert(Doubt {
            since: None,
            not_before: now,
            pause: FIRST_PAUSE,
        });
        if now >= doubt.not_before + LAST_PAUSE {
            doubt.pause = FIRST_PAUSE;
        }
        doubt.since = Some(now);
    }

    /// Whether the role is to be read now.
    #[must_use]
    pub fn is_doubted(&self, id: &RoleId) -> bool {
        let state = self.state.lock();
        let doubt = state.roles.get(id).filter(|doubt| doubt.since.is_some());
        doubt.is_some_and(|doubt| Instant::now() >= doubt.not_before)
    }

    /// AWS showed the role when it was read, which began then.
    pub fn looked_at(&self, id: &RoleId, began: Instant) {
        let mut state = self.state.lock();
        let Some(doubt) = state.roles.get_mut(id) else {
            return;
        };
        // What was read before says nothing of what AWS refused later.
        if doubt.since.take_if(|since| *since <= began).is_some() && began >= doubt.not_before {
            doubt.not_before = began + doubt.pause;
            doubt.pause = LAST_PAUSE.min(doubt.pause * 2);
        }
    }

    /// When a role is looked at again: at the latest when it may be read for a doubt that waits.
    #[must_use]
    pub fn look_again(&self, id: &RoleId, requeue: Requeue) -> Requeue {
        let Requeue::After(time) = requeue else {
            return requeue;
        };
        let state = self.state.lock();
        let waits = state.roles.get(id).filter(|doubt| doubt.since.is_some());
        let left = waits.and_then(|doubt| doubt.not_before.checked_duration_since(Instant::now()));
        // One that waits for nothing any more was not read in this attempt, and would not be in the next one.
        let left = left.filter(|left| !left.is_zero());
        Requeue::After(left.map_or(time, |left| left.min(time)))
    }

    /// There is no such role any more.
    pub fn forget(&self, id: &RoleId) {
        self.state.lock().roles.remove(id);
    }
}

/// Whether the role, or its trust policy, may be why STS gives no session: it says neither of the two, and nothing of the longest session of
/// a role but that a parameter is wrong.
fn may_be_the_role(reason: ConditionReason) -> bool {
    matches!(reason, ConditionReason::AccessDenied | ConditionReason::AWSError)
}

#[cfg(test)]
mod tests {
    use deputy_index::ResourceKind;
    use serde_json::json;
    use tokio::time::advance;

    use super::*;
    use crate::{
        fixtures::{binding, binding_object, index, uploader},
        queue::{Place, Workers},
    };

    const MINUTE: Duration = Duration::from_secs(60);

    /// Says of the binding that its sessions are refused for `reason`, or not; gives whether the role is to be read now.
    fn said(doubts: &Doubts, index: &std::sync::Arc<Index>, reason: Option<&str>, is_news: bool) -> bool {
        let mut object = binding_object("uploader");
        if let Some(reason) = reason {
            let condition = json!({"type": "SessionsIssued", "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-11-28T00:00:00Z"});
            object.data["status"] = json!({"conditions": [condition]});
        }
        index.reset(ResourceKind::Bindings, [object]);
        let queue = Queue::new(Workers::each(1), |_| Place::default());
        doubts.hear(index, &[binding().id].into(), is_news, &queue);
        let is_doubted = doubts.is_doubted(&uploader());
        assert!(queue.depth().sum() == queue.depth().routine, "it is time to look");
        is_doubted
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_is_doubted_when_its_binding_turns_refused() {
        for (before, now, is_doubted) in [
            (None, Some("AccessDenied"), true),
            (None, Some("AWSError"), true),
            (None, Some("a word of a later release"), true),
            (Some("Throttled"), Some("AccessDenied"), true),
            (None, Some("Throttled"), false),
            (None, Some("PackedPolicyTooLarge"), false),
            (None, Some("RegionDisabled"), false),
            (None, Some("Unavailable"), false),
            (None, None, false),
            // It was refused when the process began.
            (Some("AccessDenied"), Some("AccessDenied"), false),
            (Some("AccessDenied"), None, false),
        ] {
            let (doubts, index) = (Doubts::default(), index());
            assert!(!said(&doubts, &index, before, false), "{before:?}");
            assert_eq!(said(&doubts, &index, now, true), is_doubted, "{before:?} {now:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_again_and_again_has_a_role_read_ever_less() {
        let (doubts, index, id) = (Doubts::default(), index(), uploader());
        let mut reads = Vec::new();
        // Refused and not, by turns, all day.
        for minute in 0..24 * 60 {
            said(&doubts, &index, None, true);
            said(&doubts, &index, Some("AccessDenied"), true);
            if doubts.is_doubted(&id) {
                doubts.looked_at(&id, Instant::now());
                reads.push(minute);
            }
            assert!(!doubts.is_doubted(&id));
            advance(MINUTE).await;
        }
        assert_eq!(reads[..7], [0, 5, 15, 35, 75, 135, 195]);
        assert_eq!(reads.len(), 27);
        advance(LAST_PAUSE).await;
        doubts.looked_at(&id, Instant::now());
        // While it stays so, nothing is read; and after a long time the pauses begin anew.
        advance(LAST_PAUSE * 3).await;
        assert!(!said(&doubts, &index, Some("AccessDenied"), true));
        said(&doubts, &index, None, true);
        assert!(said(&doubts, &index, Some("AccessDenied"), true));
        doubts.looked_at(&id, Instant::now());
        said(&doubts, &index, None, true);
        assert!(!said(&doubts, &index, Some("AccessDenied"), true));
        advance(FIRST_PAUSE).await;
        assert!(doubts.is_doubted(&id), "what came meanwhile is read then");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_settles_no_doubt_and_what_waits_is_not_forgotten() {
        let (doubts, index, id) = (Doubts::default(), index(), uploader());
        let hour = Requeue::After(MINUTE * 60);
        let began = Instant::now();
        advance(MINUTE).await;
        assert!(said(&doubts, &index, Some("AccessDenied"), true));
        doubts.looked_at(&id, began);
        assert!(doubts.is_doubted(&id), "it was read before it was refused");
        assert_eq!(doubts.look_again(&id, hour), hour, "it is to be read now");
        doubts.looked_at(&id, Instant::now());
        assert_eq!(doubts.look_again(&id, hour), hour, "nothing waits");
        said(&doubts, &index, None, true);
        assert!(!said(&doubts, &index, Some("AccessDenied"), true));
        assert_eq!(doubts.look_again(&id, hour), Requeue::After(FIRST_PAUSE));
        assert_eq!(doubts.look_again(&id, Requeue::Retry), Requeue::Retry);
        // Read for another reason meanwhile.
        doubts.looked_at(&id, Instant::now());
        advance(FIRST_PAUSE).await;
        assert!(!doubts.is_doubted(&id));
    }
}
