//! Policies made to take long end in an answer, and never in a wrong *contained*. How long they take is measured by
//! `make bench`.

use deputy_policy::{Budget, Candidate, Containment, UnknownKind, contains};
use deputy_policy_testing::hostile::{self, statements};

fn word(answer: &Containment) -> &'static str {
    match answer {
        Containment::Contained(_) => "contained",
        Containment::Exceeds(_) => "exceeds",
        Containment::Unknown(_) => "unknown",
    }
}

#[test]
fn hostile_policies_end_in_an_answer() {
    let really_contained = ["100 kB of resources in themselves", "4,000 values in one pattern"];
    for (name, candidate, ceiling) in hostile::pairs() {
        let answer = contains(&Candidate::new(&[&candidate]), &ceiling);
        match &answer {
            Containment::Contained(_) => assert!(really_contained.contains(&name), "{name}: contained"),
            Containment::Exceeds(_) => assert!(!really_contained.contains(&name), "{name}: exceeds"),
            Containment::Unknown(reason) => assert_eq!(reason.kind, UnknownKind::Budget, "{name}: {reason}"),
        }
        eprintln!("{name}: {}", word(&answer));
    }
}

#[test]
fn without_a_budget_nothing_is_known() {
    for (name, candidate, ceiling) in hostile::pairs() {
        for updates in [0, 1, 10, 1000] {
            let answer = contains(
                &Candidate::new(&[&candidate]).budget(Budget::updates(updates)),
                &ceiling,
            );
            let allowed = matches!(answer, Containment::Unknown(_) | Containment::Exceeds(_));
            assert!(allowed, "{name} with {updates}: {answer:?}");
        }
    }
}

#[test]
fn many_statements_end_in_an_answer() {
    for (name, contained, candidate, ceiling) in statements::pairs() {
        let answer = contains(&Candidate::new(&[&candidate]), &ceiling);
        eprintln!("{name}: {}", word(&answer));
        match &answer {
            Containment::Contained(_) => assert!(contained, "{name}: contained"),
            Containment::Exceeds(witness) => assert!(!contained, "{name}: exceeds: {witness}"),
            Containment::Unknown(reason) if contained => {
                assert_eq!(reason.kind, UnknownKind::Budget, "{name}: {reason}")
            }
            Containment::Unknown(_) => {}
        }
    }
}
