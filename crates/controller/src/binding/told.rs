//! A binding whose status says what is true, known by what watches show: it is not read from the API server.
//!
//! The index has of its status a number (`Index::told_of_binding`). Where the status that there would be has the same, nothing is to be written.
//! Else the binding is read: a write is of an object that was read. What a watch is late with comes as a change, and each change of a status
//! as well, so what was written meanwhile is compared, too.

use deputy_api::AWSRoleBindingStatus;
use deputy_delegation::model::ObjectId;
use deputy_index::Index;
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};

use super::{
    assess::assess,
    dereference::{BindingFacts, BindingInputs},
    status,
};
use crate::{context::ControllerContext, error::ReconcileError};

/// Whether the status of a binding says what is true.
///
/// # Errors
/// [`ReconcileError::Panicked`].
pub async fn is_as_told(ctx: &ControllerContext, id: &ObjectId) -> Result<bool, ReconcileError> {
    let (id, cluster, people, now) = (id.clone(), ctx.cluster.clone(), ctx.people, ctx.now());
    let is_told = move |index: &Index| {
        let view = index.binding(&id)?;
        let metadata = ObjectMeta {
            uid: view.meta.uid.as_deref().map(str::to_owned),
            generation: Some(view.meta.generation),
            ..ObjectMeta::default()
        };
        let (binding, decision) = index.decide_binding_as_read(&id, &metadata)?;
        let kind = ApiResource::erase::<deputy_api::AWSRoleBinding>(&());
        let inputs = BindingInputs {
            object: DynamicObject {
                metadata,
                ..DynamicObject::new(id.name.as_str(), &kind)
            },
            facts: BindingFacts::look_up(index, &cluster, people, &binding, &decision),
            decision: decision.as_ref().clone(),
        };
        let told = index.told_of_binding(said(&inputs, now))?;
        Some(told == view.state.told?)
    };
    Ok(ctx.decide(is_told).await?.unwrap_or_default())
}

/// The status that a binding would have if nobody had said anything else of it.
fn said(inputs: &BindingInputs, now: Timestamp) -> AWSRoleBindingStatus {
    let nothing = AWSRoleBindingStatus::default();
    status::updated(&nothing, inputs, &assess(inputs, &nothing), now)
}
