//! What Deputy's events of a cluster say of differences in AWS.

use deputy_admission::DeputyKind;
use deputy_api::{GROUP, VERSION};
use k8s_openapi::api::core::v1::Event;
use kube::{Api, Client, api::ListParams};

use super::{
    core::{CoreObjects, DriftEvent, DriftReason, title},
    page::{CALL_TIMEOUT, Unanswered, each_page},
};

/// Who tells of differences: the processes of the chart.
const COMPONENTS: [&str; 2] = ["deputy-controller", "deputy-limits"];
/// So many events of a reason are told: the API server has those of an hour.
const MAX_TOLD: usize = 5_000;
/// So many are looked at for them.
const MAX_READ: usize = 20_000;

/// Reads the events of each reason by itself: however many there are of one, the others are told.
pub async fn drift(client: &Client, found: &mut CoreObjects) {
    for reason in DriftReason::ALL {
        let mut reading = DriftReading::new(reason, MAX_TOLD, MAX_READ);
        let failed = list(client, &mut reading).await.err();
        let failed = failed.map(|why| why.to_string());
        found.unread.extend(reading.left_out(failed.as_deref()));
        found.drift.extend(reading.told);
    }
}

async fn list(client: &Client, reading: &mut DriftReading) -> Result<(), Unanswered> {
    let api: Api<Event> = Api::all(client.clone());
    let reason = reading.reason.as_str();
    let fields = format!("reason={reason},involvedObject.apiVersion={GROUP}/{VERSION}");
    each_page(
        CALL_TIMEOUT,
        ListParams::default().fields(&fields),
        async |parameters| api.list(parameters).await,
        |page, has_next| reading.take(&page, has_next),
    )
    .await
}

/// The events of one reason, as far as they are read.
struct DriftReading {
    reason: DriftReason,
    max_told: usize,
    max_read: usize,
    told: Vec<DriftEvent>,
    read: usize,
    /// Those of somebody else.
    others: usize,
    has_more: bool,
}

impl DriftReading {
    fn new(reason: DriftReason, max_told: usize, max_read: usize) -> Self {
        Self {
            reason,
            max_told,
            max_read,
            told: Vec::new(),
            read: 0,
            others: 0,
            has_more: false,
        }
    }

    /// Takes a page, after which there may be others. Gives whether the next one is wanted.
    fn take(&mut self, page: &[Event], has_next: bool) -> bool {
        for event in page {
            if self.read >= self.max_read || self.told.len() >= self.max_told {
                self.has_more = true;
                return false;
            }
            self.read += 1;
            match own(event, self.reason) {
                Some(told) => self.told.push(told),
                None => self.others += 1,
            }
        }
        let is_full = self.read >= self.max_read || self.told.len() >= self.max_told;
        self.has_more = is_full && has_next;
        has_next && !is_full
    }

    /// What is not told, a sentence each. `failed`: why not all pages were read.
    fn left_out(&self, failed: Option<&str>) -> Vec<String> {
        let reason = self.reason.as_str();
        let mut said = Vec::new();
        if let Some(why) = failed {
            said.push(format!(
                "events {reason} could not be listed, so that nothing is said of drift that they tell: {why}"
            ));
        }
        if self.has_more {
            said.push(format!(
                "of the events {reason} only the first {} were looked at: there are more, and nothing is said of drift that they tell",
                self.read
            ));
        }
        if self.others > 0 {
            said.push(format!(
                "events {reason} that are by somebody else than {}, or about no object of Deputy's, were left out: {}",
                COMPONENTS.join(" and "),
                self.others
            ));
        }
        said
    }
}

/// What an event says, if it is by Deputy's processes about an object of Deputy's. Whoever may create events can sign as they do.
fn own(event: &Event, reason: DriftReason) -> Option<DriftEvent> {
    let of = &event.involved_object;
    let by = event.reporting_component.as_deref().unwrap_or_default();
    let is_of_group = of
        .api_version
        .as_deref()
        .is_some_and(|version| version.split_once('/').is_some_and(|(group, _)| group == GROUP));
    let kind = DeputyKind::of_name(of.kind.as_deref()?)?;
    let name = of.name.as_deref().filter(|name| !name.is_empty())?;
    if !COMPONENTS.contains(&by) || !is_of_group || event.reason.as_deref() != Some(reason.as_str()) {
        return None;
    }
    let object = title(kind.name(), of.namespace.as_deref(), name);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref());
    let time = series.map(|time| time.0).or(last);
    let time = time.or_else(|| event.event_time.as_ref().map(|time| time.0));
    Some(DriftEvent {
        object,
        namespace: of.namespace.clone(),
        reason,
        message: event.message.clone().unwrap_or_default(),
        time: time.map(|time| time.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One by Deputy, each text changed as said.
    fn event(changes: &[(&str, &str)]) -> Event {
        let mut value = json!({
            "metadata": {"name": "e", "namespace": "payments"},
            "involvedObject": {"apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole", "namespace": "payments", "name": "uploader"},
            "reason": "DriftFound",
            "reportingComponent": "deputy-controller",
            "message": "m",
        });
        for (pointer, text) in changes {
            *value.pointer_mut(pointer).unwrap() = json!(text);
        }
        serde_json::from_value(value).unwrap()
    }

    fn reading(max_told: usize, max_read: usize) -> DriftReading {
        DriftReading::new(DriftReason::Found, max_told, max_read)
    }

    #[test]
    fn an_event_of_somebody_else_is_not_told_as_deputys() {
        let told = own(&event(&[]), DriftReason::Found).unwrap();
        assert_eq!(
            (told.object.as_str(), told.message.as_str()),
            ("AWSRole payments/uploader", "m")
        );
        assert!(
            own(
                &event(&[("/reportingComponent", "deputy-limits")]),
                DriftReason::Found
            )
            .is_some()
        );
        for change in [
            ("/reportingComponent", "kubelet"),
            ("/reportingComponent", ""),
            ("/involvedObject/apiVersion", "example.com/v1alpha1"),
            ("/involvedObject/apiVersion", "v1"),
            ("/involvedObject/kind", "Pod"),
            ("/involvedObject/name", ""),
            ("/reason", "DriftReverted"),
        ] {
            assert_eq!(own(&event(&[change]), DriftReason::Found), None, "{change:?}");
            let mut reading = reading(10, 10);
            assert!(!reading.take(&[event(&[change]), event(&[])], false));
            assert_eq!((reading.told.len(), reading.others), (1, 1));
            let said = reading.left_out(None);
            assert!(
                said.len() == 1 && said[0].ends_with("were left out: 1"),
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_bound_that_is_reached_is_told() {
        let page = [event(&[]), event(&[])];
        for (max_told, max_read, has_next, told, is_left_out) in [
            (2, 9, false, 2, false),
            (2, 9, true, 2, true),
            (1, 9, false, 1, true),
            (9, 1, false, 1, true),
            (9, 9, false, 2, false),
        ] {
            let mut reading = reading(max_told, max_read);
            assert!(!reading.take(&page, has_next));
            assert_eq!(reading.told.len(), told);
            let said = reading.left_out(None);
            assert_eq!(
                !said.is_empty(),
                is_left_out,
                "{max_told} {max_read} {has_next}: {said:?}"
            );
            assert!(said.iter().all(|one| one.contains("there are more")));
        }
        let mut open = reading(9, 9);
        assert!(open.take(&page, true));
        let said = open.left_out(Some("no answer in 30 s"));
        assert!(
            said.len() == 1 && said[0].ends_with("no answer in 30 s"),
            "{said:?}"
        );
    }

    #[test]
    fn what_is_not_put_right_is_read_first() {
        assert_eq!(
            DriftReason::ALL.map(DriftReason::as_str),
            ["DriftFound", "DriftReverted"]
        );
    }
}
