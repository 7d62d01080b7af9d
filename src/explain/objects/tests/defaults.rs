//! Which of several bindings pods get, by when each was made.

use super::{ExplainedKind, explained, said};
use crate::objects::{
    AskedWorld,
    example::{APPLICATION, PLATFORM, world, world_over},
};

const FIRST: &str = "2026-01-02T03:04:05Z";
const LATER: &str = "2026-01-02T03:18:05Z";

/// The binding of the example under another name, made at that time.
fn binding(name: &str, made: Option<&str>) -> String {
    let parts = APPLICATION.split("---\n");
    let text: String = parts.filter(|part| part.contains("AWSRoleBinding")).collect();
    let made = made.map_or_else(String::new, |made| format!("\n  creationTimestamp: \"{made}\""));
    text.replace(
        "metadata:\n  name: uploader",
        &format!("metadata:\n  name: {name}{made}"),
    )
}

/// The roles of the example, without its binding.
fn roles() -> String {
    let parts = APPLICATION.split("---\n");
    let kept: Vec<&str> = parts.filter(|part| !part.contains("AWSRoleBinding")).collect();
    kept.join("---\n")
}

fn bindings(world: &AskedWorld) -> Vec<String> {
    let account = explained(world, ExplainedKind::ServiceAccount, "payments/uploader").unwrap();
    let facts = account[0].facts.iter();
    let bindings = facts.filter(|fact| fact.what == "binding");
    bindings.map(|fact| fact.is.clone()).collect()
}

/// Files as objects, over a cluster or alone, with the binding that pods get which name none.
#[test]
fn the_oldest_binding_is_the_default_and_what_is_not_stored_is_the_youngest() {
    let roles = roles();
    let stored = |name: &str, made: &str| binding(name, Some(made));
    let (none, aaa, zzz) = (String::new(), binding("aaa", None), binding("zzz", None));
    for (what, cluster, files, default) in [
        ("a new one", stored("uploader", FIRST), aaa.clone(), "uploader"),
        (
            "a new one of a later name",
            stored("uploader", FIRST),
            zzz.clone(),
            "uploader",
        ),
        (
            "a file that says an age of its own",
            stored("uploader", LATER),
            binding("aaa", Some(FIRST)),
            "uploader",
        ),
        (
            "the file of one that is there",
            format!("{}---\n{}", stored("zzz", FIRST), stored("aaa", LATER)),
            zzz.clone(),
            "zzz",
        ),
        (
            "the files of both",
            format!("{}---\n{}", stored("zzz", FIRST), stored("aaa", LATER)),
            format!("{aaa}---\n{zzz}"),
            "zzz",
        ),
        (
            "no file",
            format!("{}---\n{}", stored("aaa", FIRST), stored("zzz", FIRST)),
            none.clone(),
            "aaa",
        ),
    ] {
        let world = world_over(&[PLATFORM, &roles, &cluster], &[&files], Some("production-1"));
        let told = bindings(&world);
        assert!(
            told[0].starts_with(&format!(
                "AWSRoleBinding payments/{default}, what pods get that name none: accepted"
            )),
            "{what}: {told:?}"
        );
        let others = told[1..].iter();
        for other in others {
            assert!(
                other.contains(", by the annotation deputy.dev/binding: "),
                "{what}: {other}"
            );
        }
    }
    // Files that say when they were made, as kubectl get writes them.
    let files = format!("{}---\n{}", stored("aaa", LATER), stored("zzz", FIRST));
    let told = bindings(&world(&[PLATFORM, &roles, &files], None));
    assert!(
        told[0].starts_with("AWSRoleBinding payments/zzz, what pods"),
        "{told:?}"
    );
    // One alone is the one.
    let told = bindings(&world(&[PLATFORM, &roles, &zzz], None));
    assert!(told[0].contains("what pods get that name none: "), "{told:?}");
}

#[test]
fn among_files_alone_which_one_is_the_oldest_is_not_known() {
    let roles = roles();
    let files = format!("{}---\n{}", binding("zzz", None), binding("aaa", None));
    for world in [
        world(&[PLATFORM, &roles, &files], None),
        world_over(&[PLATFORM, &roles], &[&files], None),
    ] {
        let account = explained(&world, ExplainedKind::ServiceAccount, "payments/uploader").unwrap();
        let default = said(&account[0], "default");
        assert!(
            default.starts_with(
                "not known: it is the oldest of AWSRoleBinding payments/aaa and AWSRoleBinding payments/zzz, and which that is, is not in files"
            ),
            "{default}"
        );
        for (told, name) in bindings(&world).iter().zip(["aaa", "zzz"]) {
            let expected = format!(
                "AWSRoleBinding payments/{name}, what pods get that name none if it is the oldest, else by the annotation deputy.dev/binding: \
                 {name}: accepted"
            );
            assert!(told.starts_with(&expected), "{told}");
        }
    }
}

#[test]
fn a_binding_that_would_be_refused_is_not_the_oldest() {
    let federation = [
        include_str!("../../../../examples/federation/10-platform.yaml"),
        include_str!("../../../../examples/federation/20-application.yaml"),
    ];
    let refused = |name: &str, user: &str| {
        let text = federation[1]
            .split("---\n")
            .find(|part| part.contains("userName: Manager-reports"));
        text.unwrap()
            .replace(
                "name: manager\n  namespace",
                &format!("name: {name}\n  namespace"),
            )
            .replace("Manager-reports", user)
    };
    let told = |files: &[&str]| {
        let world = world(&[&federation[..], files].concat(), None);
        explained(&world, ExplainedKind::ServiceAccount, "reports/manager").unwrap()
    };
    let (first, last) = (refused("aaa", "Carol"), refused("zzz", "Carol"));
    let found = told(&[&first, &last]);
    assert!(
        found[0].facts.iter().all(|fact| fact.what != "default"),
        "{found:?}"
    );
    let default = found[0]
        .facts
        .iter()
        .find(|fact| fact.is.contains("what pods get that name none: "));
    let default = default.unwrap();
    assert!(
        default.is.starts_with("AWSFederatedUserBinding reports/manager,"),
        "{default:?}"
    );
    // One that is stored is the default, refused or not.
    let stored = refused("aaa", "Carol").replace(
        "name: aaa\n",
        &format!("name: aaa\n  creationTimestamp: \"{FIRST}\"\n"),
    );
    let found = told(&[&stored]);
    let default = found[0]
        .facts
        .iter()
        .find(|fact| fact.is.contains("what pods get that name none: "));
    assert!(
        default
            .unwrap()
            .is
            .starts_with("AWSFederatedUserBinding reports/aaa,"),
        "{found:?}"
    );
}

#[test]
fn of_a_pod_each_binding_is_told_that_may_be_its_default() {
    let again = binding("again", None);
    let deployment = "apiVersion: apps/v1\nkind: Deployment";
    let found = super::pod(&[(deployment, &format!("{again}\n---\n{deployment}"))]);
    let container = said(&found[0], "container");
    assert!(
        container.starts_with(
            "uploader: the default, which is not known: it is the oldest of AWSRoleBinding payments/again and"
        ),
        "{container}"
    );
    let titles: Vec<&str> = found.iter().map(|one| one.object.as_str()).collect();
    for title in [
        "AWSRoleBinding payments/again",
        "AWSRoleBinding payments/uploader",
    ] {
        assert!(titles.contains(&title), "{titles:?}");
    }
    assert!(
        found[0].facts.iter().all(|fact| fact.what != "not used"),
        "{:?}",
        found[0]
    );
}
