//! What each namespace may be granted, for its people to read: a NamespaceLimit for each limit and namespace that the limit names.
//! Nobody decides by them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use deputy_api::{NamespaceLimit, NamespaceLimitSpec};
use deputy_delegation::{
    NamespaceName, ObjectName, boundary as ceiling,
    model::{LimitEntry, ObjectId},
};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::shutdown::Shutdown;
use kube::{
    Api, Resource as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};
use tracing::Instrument as _;

use crate::{backoff::RoundBackoff, context::ControllerContext, error::chain, objects};

/// The label of every copy.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value.
pub(super) const US: &str = "deputy";
/// Who owns the fields of a copy.
const FIELD_MANAGER: &str = "deputy-limits";
/// What copies depend on.
const KINDS: [ResourceKind; 2] = [ResourceKind::Limits, ResourceKind::Namespaces];
/// The longest call to the API server. Shorter than what is left of the Lease after a renewal.
const CALL: Duration = Duration::from_secs(5);
/// Changes of limits and namespaces come in numbers: so long they are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// So much of the time at most goes into finding out whether a change matters: one part in so many.
const SHARE: u32 = 20;
/// Objects of one answer; a copy has up to about 10 KiB.
const PAGE: u32 = 250;
/// Writes of one round. The next one goes on in a few seconds.
const WRITES_MAX: usize = 1000;
/// Copies that are kept: a limit for all namespaces is one in each.
const COPIES_MAX: usize = 100_000;

/// The `spec` of every copy that there should be.
pub(super) type Copies = BTreeMap<ObjectId, Arc<Value>>;

/// The copies that there should be: of limits that are in force, in namespaces that are there. A limit that can't be read, is refused by
/// the controllers, or is being deleted has none.
pub(super) fn wanted(index: &Index) -> Copies {
    let namespaces = index.living_namespaces();
    let mut copies = Copies::new();
    for entry in index.all_limits() {
        let LimitEntry::Valid(limit) = entry else { continue };
        let stays = index
            .limit(&limit.name)
            .is_some_and(|(_, meta, _)| !meta.terminating);
        if !stays || !ceiling::check_limit(&limit).is_empty() {
            continue;
        }
        let Some(spec) = index.limit_spec(&limit.name).and_then(|spec| shown(&spec)) else {
            continue;
        };
        let spec = Arc::new(spec);
        for namespace in namespaces.iter().filter(|n| limit.scope.names(n)) {
            if copies.len() >= COPIES_MAX {
                tracing::warn!(limit = %limit.name, most = COPIES_MAX, "too many NamespaceLimits: some are left out");
                return copies;
            }
            let id = ObjectId {
                namespace: namespace.clone(),
                name: limit.name.clone(),
            };
            copies.insert(id, Arc::clone(&spec));
        }
    }
    copies
}

/// What a namespace is shown of a limit: all that it says, but for the namespaces that it names.
fn shown(spec: &Value) -> Option<Value> {
    let mut shown = spec.as_object()?.clone();
    shown.remove(NamespaceLimitSpec::LEFT_OUT);
    Some(Value::Object(shown))
}

/// One change of one copy.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CopyWrite {
    /// Make it, or put it right.
    Apply(ObjectId, Arc<Value>),
    /// It is of no limit, or of none that names its namespace.
    Delete(ObjectId),
}

/// Tells what there is from what there should be, page by page.
pub(super) struct CopyComparison {
    missing: Copies,
    writes: Vec<CopyWrite>,
}

impl CopyComparison {
    pub(super) fn with(wanted: &Copies) -> Self {
        Self {
            missing: wanted.clone(),
            writes: Vec::new(),
        }
    }

    /// Takes in what there is. Each object at most once.
    pub(super) fn see(&mut self, existing: &[DynamicObject]) {
        for object in existing {
            let Some(id) = id_of(object) else { continue };
            let leaves = object.metadata.deletion_timestamp.is_some();
            match self.missing.remove(&id) {
                // Made again when it is gone.
                _ if leaves => {}
                Some(spec) if is_as(object, &spec) => {}
                Some(spec) => self.writes.push(CopyWrite::Apply(id, spec)),
                None => self.writes.push(CopyWrite::Delete(id)),
            }
        }
    }

    /// Enough for one round.
    fn is_full(&self) -> bool {
        self.writes.len() >= WRITES_MAX
    }

    /// What to change when everything was seen.
    pub(super) fn finish(mut self) -> Vec<CopyWrite> {
        let missing = self.missing.into_iter();
        self.writes
            .extend(missing.map(|(id, spec)| CopyWrite::Apply(id, spec)));
        self.writes
    }
}

fn id_of(object: &DynamicObject) -> Option<ObjectId> {
    Some(ObjectId {
        namespace: NamespaceName::new(object.metadata.namespace.as_deref()?).ok()?,
        name: ObjectName::new(object.metadata.name.as_deref()?).ok()?,
    })
}

fn is_as(object: &DynamicObject, spec: &Value) -> bool {
    let labels = object.metadata.labels.as_ref();
    object.data.get("spec") == Some(spec) && labels.and_then(|l| l.get(MANAGED_BY)).is_some_and(|v| v == US)
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the Lease has too little time left for another call")]
    NotLeader,
    #[error("the API server did not answer within {} s", CALL.as_secs())]
    Slow,
    #[error("a call to the API server failed")]
    Kube(#[from] kube::Error),
}

/// What a round did.
struct Round {
    /// How many copies it changed.
    written: usize,
    /// Whether something is left to do.
    left: bool,
}

/// Keeps the copies, until the process drains: after each change of a limit or a namespace, of which `changed` is told, and now and then.
pub async fn copy_for_ever(ctx: &Arc<ControllerContext>, shutdown: &Shutdown, changed: &Notify) {
    let for_ever = async {
        // A namespace that is not known yet is not one that is gone.
        ctx.index.synced(&KINDS).await;
        let mut backoff = RoundBackoff::default();
        loop {
            ctx.leadership.wait_until_leader().await;
            ctx.index.until_current(&KINDS).await;
            let Ok(copies) = ctx.decide(wanted).await else {
                tokio::time::sleep(backoff.next(true)).await;
                continue;
            };
            let left = match round(ctx, &copies)
                .instrument(tracing::info_span!("copies"))
                .await
            {
                Ok(round) => {
                    if round.written > 0 {
                        tracing::info!(written = round.written, "NamespaceLimits updated");
                        backoff.reset();
                    }
                    round.left
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "failed to update NamespaceLimits");
                    true
                }
            };
            let until = Instant::now() + backoff.next(left);
            let mut gather = GATHER;
            while tokio::time::timeout_at(until, changed.notified()).await.is_ok() {
                tokio::time::sleep(gather).await;
                let begun = Instant::now();
                let as_before = ctx.decide(wanted).await.is_ok_and(|now| now == copies);
                gather = GATHER.max(begun.elapsed().saturating_mul(SHARE));
                if !as_before {
                    backoff.reset();
                    break;
                }
            }
        }
    };
    tokio::select! {
        () = for_ever => {}
        () = shutdown.draining() => {}
    }
}

/// Brings what there is to what there should be, as far as one round goes.
async fn round(ctx: &ControllerContext, wanted: &Copies) -> Result<Round, Ended> {
    let resource = ApiResource::erase::<NamespaceLimit>(&());
    let everywhere: Api<DynamicObject> = Api::all_with(ctx.client.clone(), &resource);
    let mut comparison = CopyComparison::with(wanted);
    let mut params = ListParams::default().limit(PAGE);
    let writes = loop {
        let page = within(everywhere.list(&params)).await?;
        comparison.see(&page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            None => break comparison.finish(),
            // What is missing is not known yet.
            Some(_) if comparison.is_full() => break comparison.writes,
            Some(token) => params = params.continue_token(&token),
        }
    };
    let mut round = Round {
        written: 0,
        left: writes.len() >= WRITES_MAX,
    };
    for write in writes.into_iter().take(WRITES_MAX) {
        if !ctx.leadership.may_write(CALL) {
            return Err(Ended::NotLeader);
        }
        match make(ctx, &write).await {
            Ok(()) => round.written += 1,
            // With its namespace, or by somebody else.
            Err(Ended::Kube(kube::Error::Api(status))) if status.is_not_found() => {}
            // About this one: a quota, an admission webhook.
            Err(Ended::Kube(kube::Error::Api(status))) => {
                tracing::warn!(?write, error = %status.message, "failed to write NamespaceLimit");
                round.left = true;
            }
            Err(ended) => return Err(ended),
        }
    }
    Ok(round)
}

async fn make(ctx: &ControllerContext, write: &CopyWrite) -> Result<(), Ended> {
    match write {
        CopyWrite::Apply(id, spec) => {
            let copy = json!({
                "apiVersion": NamespaceLimit::api_version(&()),
                "kind": NamespaceLimit::kind(&()),
                "metadata": {"name": id.name.as_str(), "labels": {MANAGED_BY: US}},
                "spec": **spec,
            });
            let api = objects::namespaced::<NamespaceLimit>(&ctx.client, &id.namespace);
            let params = PatchParams::apply(FIELD_MANAGER).force();
            within(api.patch(id.name.as_str(), &params, &Patch::Apply(copy))).await?;
        }
        CopyWrite::Delete(id) => {
            let api = objects::namespaced::<NamespaceLimit>(&ctx.client, &id.namespace);
            within(api.delete(id.name.as_str(), &DeleteParams::default())).await?;
        }
    }
    Ok(())
}

async fn within<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Ended> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Ended::Slow),
    }
}
