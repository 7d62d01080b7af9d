//! Who of the node's pods may ask, and for what.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deputy_token::{
    BoundPod, InvalidToken, NodeName, PeerShare, PeerShares, PodTokenClaims, SignedToken, check_shape,
};
use http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    keys::{Judgement, KeyProblem, NodeKeys},
    pods::{AskingPod, NodePods, PodKey, PodSources},
};
use crate::{
    binding::SelectedBinding,
    credential::WallClock,
    keeper::CredentialAnswer,
    log::Log,
    problem::AgentProblem,
    server::{CredentialDesk, Presented, unauthorized},
};

/// Tokens that only the broker can tell about, at a time: as many as that has questions for one address, and some.
const DOUBTFUL: usize = 64;
/// Of these, how many may come from one address.
const DOUBTFUL_OF_PEER: usize = 8;
/// How often the same reason is logged.
const SAME_REASON: Duration = Duration::from_secs(60);

/// Answers the pods of one node.
pub(super) struct NodeDesk<M: PodSources> {
    node: NodeName,
    keys: Arc<NodeKeys>,
    pods: Arc<NodePods<M>>,
    doubtful: Arc<Semaphore>,
    shares: PeerShares,
    clock: WallClock,
    log: Log,
    /// When which reason was logged last.
    logged: Mutex<HashMap<String, Instant>>,
}

/// Why a token is not taken.
struct RefusedToken {
    problem: AgentProblem,
    /// The problem speaks of what stands in a token that nobody has verified.
    is_unproven: bool,
}

impl From<AgentProblem> for RefusedToken {
    fn from(problem: AgentProblem) -> Self {
        Self {
            problem,
            is_unproven: false,
        }
    }
}

/// Whose a token is.
enum Whose {
    /// A pod's of this node.
    Pod,
    /// The same by keys that nobody has confirmed for long.
    PodOnce,
    /// Only the broker can tell.
    Unknown,
}

impl<M: PodSources> NodeDesk<M> {
    pub(super) fn new(
        node: NodeName,
        keys: Arc<NodeKeys>,
        pods: Arc<NodePods<M>>,
        clock: WallClock,
        log: Log,
    ) -> Self {
        Self {
            node,
            keys,
            pods,
            doubtful: Arc::new(Semaphore::new(DOUBTFUL)),
            shares: PeerShares::new(DOUBTFUL_OF_PEER),
            clock,
            log,
            logged: Mutex::default(),
        }
    }

    /// What is known of who asks without asking the broker.
    fn check<'a>(&self, token: &'a [u8]) -> Result<(AskingPod<'a>, Whose), RefusedToken> {
        let text = std::str::from_utf8(token).map_err(|_| refused(&InvalidToken::NotAToken))?;
        check_shape(text).map_err(|error| refused(&error))?;
        let signed = SignedToken::parse(text).map_err(|error| refused(&error))?;
        let claims = signed.claims().map_err(|error| refused(&error))?;
        // A token that was found good is good to its end, as the pod's own agent has it: also while nobody confirms the keys.
        let uid = claims.pod_uid().map(|uid| PodKey::Uid(uid.to_owned()));
        let is_held = uid.is_some_and(|uid| self.pods.holds(&uid, token));
        let judgement = match is_held {
            true => Judgement::Genuine,
            false => self.keys.judge(&signed, &claims).map_err(undecided)?,
        };
        // Of one that may be anything, too: what it says itself against it is enough.
        let pod = self.pod_of(&claims).map_err(|problem| RefusedToken {
            is_unproven: judgement == Judgement::Unknown,
            problem,
        })?;
        let (key, whose) = match judgement {
            Judgement::Genuine => (PodKey::Uid(pod.uid), Whose::Pod),
            Judgement::GenuineOnce => (PodKey::Uid(pod.uid), Whose::PodOnce),
            Judgement::Unknown => (PodKey::of_token(token), Whose::Unknown),
        };
        let asking = AskingPod {
            key,
            token,
            expires: claims.expires(),
            name: format!("{}/{}", pod.namespace, pod.name),
        };
        Ok((asking, whose))
    }

    /// The pod that a token names, if it is one of this node, and the token is good now.
    fn pod_of(&self, claims: &PodTokenClaims) -> Result<BoundPod, AgentProblem> {
        let pod = claims.pod((self.clock)()).map_err(|error| refused(&error))?;
        self.check_node(&pod)?;
        Ok(pod)
    }

    fn check_node(&self, pod: &BoundPod) -> Result<(), AgentProblem> {
        let message = match &pod.node {
            Some(node) if *node == self.node => return Ok(()),
            Some(node) => format!(
                "the token of pod {}/{} was made for node {node}, and this is the agent of node {}: a pod asks the agent of its own node",
                pod.namespace, pod.name, self.node
            ),
            None => format!(
                "the token of pod {}/{} does not say on which node the pod is: Kubernetes 1.30 and newer do, and with an older one the pod needs \
                 a sidecar (annotation deputy.dev/delivery: Sidecar)",
                pod.namespace, pod.name
            ),
        };
        Err(AgentProblem::new(StatusCode::FORBIDDEN, "WrongNode", message))
    }

    /// Leave to ask the broker about a token that may be anything.
    fn share(&self, peer: IpAddr) -> Result<(PeerShare, OwnedSemaphorePermit), AgentProblem> {
        let busy = |message: String| AgentProblem {
            retry_after: Some(1),
            ..AgentProblem::unavailable("TooManyRequests", message)
        };
        let share = self.shares.take(peer).ok_or_else(|| {
            busy(format!(
                "the broker is being asked about {DOUBTFUL_OF_PEER} tokens from {peer}, the most for one address"
            ))
        })?;
        let all = Arc::clone(&self.doubtful).try_acquire_owned().map_err(|_| {
            busy(format!(
                "the broker is being asked about {DOUBTFUL} tokens, the most at a time"
            ))
        })?;
        Ok((share, all))
    }

    /// Logs a refusal, each reason once a minute: who presents what is no token presents it again and again.
    fn log(&self, RefusedToken { problem, is_unproven }: &RefusedToken, peer: IpAddr) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, since| since.elapsed() < SAME_REASON);
        // The names in a token that nobody has verified are whoever's who wrote it.
        let message = match is_unproven {
            true => "by what it says itself it is not good here; whether it is genuine is not known",
            false => &problem.message,
        };
        if logged.insert(problem.code.clone(), Instant::now()).is_none() {
            let fields = [
                ("peer", peer.to_string()),
                ("code", problem.code.clone()),
                ("message", message.to_owned()),
            ];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            self.log.warn("TokenRefused", &fields);
        }
    }
}

impl<M: PodSources> CredentialDesk for NodeDesk<M> {
    async fn credential(&self, asker: Presented<'_>, binding: &SelectedBinding) -> CredentialAnswer {
        let checked = self.check(asker.token);
        let (pod, whose) = checked.map_err(|refused| {
            self.log(&refused, asker.peer);
            refused.problem
        })?;
        match whose {
            Whose::Pod => self.pods.credential(&pod, binding).await,
            // The kubelet replaces the token of a pod every few minutes or hours, also while the broker is away.
            Whose::PodOnce => {
                let held = self.pods.held(&pod.key, binding);
                held.ok_or_else(|| undecided(KeyProblem::Old))
            }
            Whose::Unknown if self.pods.is_proven(&pod.key, pod.token) => {
                self.pods.credential(&pod, binding).await
            }
            Whose::Unknown => {
                let share = self.share(asker.peer)?;
                self.pods.doubtful(pod, binding, share).await
            }
        }
    }

    async fn startup(&self, _: Duration) -> Option<Result<(), AgentProblem>> {
        None
    }
}

fn undecided(problem: KeyProblem) -> AgentProblem {
    match problem {
        KeyProblem::Invalid(error) => refused(&error),
        problem => AgentProblem {
            retry_after: Some(1),
            ..AgentProblem::unavailable("NotReady", problem.to_string())
        },
    }
}

fn refused(error: &InvalidToken) -> AgentProblem {
    unauthorized(format!(
        "the Authorization header is no token of a pod that is good here: {error}. It is the content of the file that \
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names, as it is there, without \"Bearer\" before it"
    ))
}

#[cfg(test)]
mod tests;
