use std::{sync::Arc, time::Duration};

use deputy_delegation::{naming, plan::ObservedRole};
use proptest::prelude::*;

use super::observations::*;
use crate::{
    fixtures::{account, cluster, uploader},
    verified::PROPAGATION,
};

/// A role whose trust policy has a number.
fn role(number: usize) -> ObservedRole {
    ObservedRole {
        arn: naming::role_arn(&cluster(), &account(), &uploader()),
        unique_id: "AROA".to_owned(),
        trust: number.to_string(),
        inline: Default::default(),
        attached: Vec::new(),
        boundary: None,
        tags: Default::default(),
        max_session_seconds: 3600,
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// This process writes.
    Write,
    /// Somebody changes it by hand.
    ByHand,
    /// AWS is asked; the answer is of so many seconds before.
    List {
        stale: u64,
    },
    /// The answer is handed on.
    Show,
    Pass {
        seconds: u64,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        Just(Event::Write),
        Just(Event::ByHand),
        (0..60u64).prop_map(|stale| Event::List { stale }),
        Just(Event::Show),
        (0..90u64).prop_map(|seconds| Event::Pass { seconds }),
    ];
    prop::collection::vec(event, 1..40)
}

/// The role as it was from a second on, and whether this process made it so.
struct State {
    since: u64,
    number: usize,
    is_ours: bool,
}

async fn live(events: Vec<Event>) -> Result<(), TestCaseError> {
    let (census, production) = (Census::default(), Arc::new(account()));
    // It was not this process that wrote before.
    let mut states = vec![State {
        since: 0,
        number: 0,
        is_ours: true,
    }];
    let mut now = 0u64;
    census.leads();
    let mut asked: Option<(Listing, usize)> = None;
    for event in events {
        match event {
            Event::Write | Event::ByHand => {
                let is_ours = matches!(event, Event::Write);
                if is_ours {
                    census.writes(&uploader());
                }
                states.push(State {
                    since: now,
                    number: states.len(),
                    is_ours,
                });
            }
            Event::List { stale } => {
                let then = now.saturating_sub(stale);
                let shown = states.iter().rev().find(|state| state.since <= then);
                asked = Some((census.begin(&production), shown.map_or(0, |state| state.number)));
            }
            Event::Show => {
                if let Some((listing, number)) = &asked {
                    census.saw(listing, &uploader(), Some(role(*number)));
                }
            }
            Event::Pass { seconds } => {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                now += seconds;
            }
        }
        if let Some(sighting) = census.sighting(&uploader()) {
            let shown: usize = sighting.role().unwrap().trust.parse().unwrap();
            let last_of_ours = states.iter().rfind(|state| state.is_ours);
            prop_assert!(
                last_of_ours.is_some_and(|ours| ours.number <= shown),
                "it shows what was before the last write"
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_listing_that_is_believed_is_not_older_than_the_last_write(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(live(events))?;
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_first_listing_does_so_for_two_minutes_at_most() {
    let (census, production) = (Census::default(), Arc::new(account()));
    let (name, id) = (&production.name, uploader());
    assert_eq!(census.awaits(name, &id), None, "this process does not lead");
    census.leads();
    assert_eq!(census.awaits(name, &id), Some(2 * PROPAGATION));
    tokio::time::advance(PROPAGATION).await;
    assert_eq!(census.awaits(name, &id), Some(PROPAGATION));
    let _listing = census.begin(&production);
    assert!(census.awaits(name, &id).is_some(), "it is not over");
    assert_eq!(census.end(name), [id.clone()].into());
    assert_eq!(census.awaits(name, &id), None);
    let census = Census::default();
    census.leads();
    assert!(census.awaits(name, &id).is_some());
    census.looked_at(&id);
    assert!(census.end(name).is_empty(), "it was looked at since");

    let census = Census::default();
    census.leads();
    census.writes(&id);
    assert_eq!(census.awaits(name, &id), None, "it was tried to write it");
    let census = Census::default();
    census.leads();
    tokio::time::advance(2 * PROPAGATION).await;
    assert_eq!(census.awaits(name, &id), None, "nobody lists");
}

#[tokio::test(start_paused = true)]
async fn a_page_waits_until_few_are_left_or_for_its_time() {
    let (census, production) = (Arc::new(Census::default()), Arc::new(account()));
    let (name, long) = (production.name.clone(), Duration::from_secs(120));
    let listing = census.begin(&production);
    census.saw(&listing, &uploader(), None);
    let begun = tokio::time::Instant::now();
    census.until_few_are_left(&name, 1, long).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let looking = Arc::clone(&census);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        looking.looked_at(&uploader());
    });
    census.until_few_are_left(&name, 0, long).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    census.saw(&listing, &uploader(), None);
    census.until_few_are_left(&name, 0, long).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(121));
    assert!(census.end(&name).is_empty());
    assert!(census.sighting(&uploader()).is_none());
}
