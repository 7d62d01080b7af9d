//! `deputy check` of what can't be read: it is told, and hides nothing.

use crate::{
    check::{ROLE, check},
    run::{Done, File, Folder, deputy},
};

const PLATFORM: &str = "examples/productionapp/10-platform.yaml";
const APPLICATION: &str = "examples/productionapp/20-application.yaml";

#[test]
fn a_limit_that_cant_be_read_is_no_reason_to_accept_more() {
    let narrow = |metadata: &str| {
        let limit = format!(
            "apiVersion: deputy.dev/v1alpha1\nkind: DelegationLimit\nmetadata: {{name: narrow{metadata}}}\nspec:\n  namespaces: [payments]\n  \
             accounts: [production]\n  boundary: {{type: CheckOnly}}\n  ceiling: {{Version: \"2012-10-17\", Statement: [{{Effect: Allow, \
             Action: \"s3:ListBucket\", Resource: \"arn:aws:s3:::productionapp\"}}]}}\n"
        );
        File::new(&format!("check-narrow-{}.yaml", metadata.len()), limit)
    };
    let judged = |limit: &File| check(&[APPLICATION, "--limits", PLATFORM, "--limits", limit.path()]);
    assert_eq!(judged(&narrow("")).code, 1);
    for field in ["annotations", "labels"] {
        let limit = narrow(&format!(", {field}: {{a: 1}}"));
        let Done { code, out, .. } = judged(&limit);
        assert_eq!(code, 2, "{out}");
        let told = format!("error[Unreadable]: DelegationLimit narrow: metadata.{field}.a: it is not text");
        assert!(
            out.contains(&format!("{}:3:", limit.path())) && out.contains(&told),
            "{out}"
        );
    }
    // The same of what only the whole shows.
    let limit = narrow(", generation: x");
    let Done { code, out, .. } = judged(&limit);
    assert_eq!(code, 2, "{out}");
    assert!(
        out.contains("error[Unreadable]: DelegationLimit narrow: metadata: "),
        "{out}"
    );
    let Done { code, out, .. } = judged(&narrow(", labels: {\"bad key!\": x}"));
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("metadata.labels.bad key!: a key is a name of"),
        "{out}"
    );
}

#[test]
fn one_odd_file_of_a_folder_neither_ends_the_run_nor_stops_it() {
    let folder = Folder::new("check-odd");
    folder.add("role.yaml", ROLE);
    folder.add("mark.json", "\u{feff}{\"a\": 1}");
    folder.add("binary.json", b"\x89PNG\xff\0");
    folder.add("large.json", vec![b' '; 16 * 1024 * 1024 + 1]);
    let pipe = format!("{}/pipe.yaml", folder.path());
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let arguments = [folder.path(), "--limits", PLATFORM];
    let Done { code, out, err } = check(&arguments);
    let expected = "1 object: 1 accepted; 4 other documents passed over\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
    // What may be a manifest is told, with all the rest.
    let wide: Vec<u8> = ROLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.add("wide.json", wide);
    std::os::unix::fs::symlink("nowhere", format!("{}/gone.yaml", folder.path())).unwrap();
    let Done { code, out, err } = check(&arguments);
    assert_eq!(
        (code, err.as_str()),
        (2, "deputy: 2 inputs can't be read\n"),
        "{out}"
    );
    for told in [
        "wide.json:1:1: error[Unreadable]: ",
        "it is UTF-16",
        "gone.yaml:1:1: error[Unreadable]: ",
        "3 objects: 1 accepted, 2 unreadable; 4 other documents passed over\n",
    ] {
        assert!(out.contains(told), "{told}: {out}");
    }
    // A file that is named is what somebody wants judged, and does not hide what is beside it.
    let latin = File::new("check-latin.yaml", b"a: \xe9\n");
    let Done { code, out, .. } = check(&[latin.path(), folder.path(), "--limits", PLATFORM]);
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("4 objects: 1 accepted, 3 unreadable"), "{out}");
}

#[test]
fn a_byte_order_mark_before_a_manifest_is_passed_over_as_kubectl_does() {
    let mark = File::new("check-mark.yaml", format!("\u{feff}{ROLE}"));
    let Done { code, out, err } = check(&[mark.path(), "--limits", PLATFORM]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "1 object: 1 accepted\n", "")
    );
}

#[test]
fn a_file_that_is_named_by_several_ways_is_read_once() {
    let folder = Folder::new("check-named-twice");
    folder.add("role.yaml", ROLE);
    let role = format!("{}/role.yaml", folder.path());
    let link = format!("{}/link.yaml", folder.path());
    std::os::unix::fs::symlink("role.yaml", link).unwrap();
    for named in [
        vec![folder.path(), &role],
        vec![&role, folder.path()],
        vec![&role, &role],
    ] {
        let Done { code, out, .. } = check(&[named, vec!["--limits", PLATFORM]].concat());
        assert_eq!((code, out.as_str()), (0, "1 object: 1 accepted\n"));
    }
    // Two files with one object are another thing.
    folder.add("other.yaml", ROLE);
    let Done { code, out, .. } = check(&[folder.path(), &role, "--limits", PLATFORM]);
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("the object is there twice"), "{out}");
}

#[test]
fn what_may_be_an_object_of_deputys_is_never_passed_over() {
    for (from, to, told) in [
        (
            "kind: AWSRole\n",
            "",
            "-:1:1: error[Unreadable]: -: kind: it is missing",
        ),
        (
            "kind: AWSRole\n",
            "kind: 3\n",
            "-:2:7: error[Unreadable]: -: kind: it is missing, or no text",
        ),
        (
            "deputy.dev/",
            "Deputy.dev/",
            "-:1:13: error[Unreadable]: -: apiVersion: there is no Deputy.dev/v1alpha1; write deputy",
        ),
        (
            "deputy.dev/v1alpha1",
            "deputy.dev",
            "apiVersion: there is no deputy.dev; write deputy.dev/v1alpha1",
        ),
        (
            "deputy.dev/v1alpha1",
            "deputy.dev/V1alpha1",
            "-:1:13: error[Unreadable]: -: apiVersion: there is no deputy.dev/V1alpha1; write deputy.dev/v1alpha1",
        ),
        (
            "kind: AWSRole\n",
            "kind: AwsRole\n",
            "-:2:7: error[Unreadable]: -: kind: deputy.dev/v1alpha1 has no kind \"AwsRole\"; did you mean AWSRole?",
        ),
        (
            "kind:",
            "apiVersion: v1\nkind:",
            "-:2:1: error[Unreadable]: -: apiVersion: the key is there more than once",
        ),
        (
            "spec:",
            "kind: ConfigMap\nspec:",
            "-:4:1: error[Unreadable]: -: kind: the key is there more than once",
        ),
    ] {
        let text = ROLE.replacen(from, to, 1);
        assert_ne!(text, ROLE);
        let Done { code, out, .. } = deputy(&["check", "-", "--limits", PLATFORM], &text);
        assert_eq!(code, 2, "{to}: {out}");
        assert!(out.contains(told), "{to}: {out}");
    }
    let items = "apiVersion: v1\nkind: List\nitems: []\nitems: []\n";
    let Done { code, out, .. } = deputy(&["check", "-"], items);
    assert_eq!(code, 2, "{out}");
    assert!(
        out.contains("-:4:1: error[Unreadable]: -: items: the key is there more than once"),
        "{out}"
    );
}

#[test]
fn what_is_said_of_an_object_is_in_the_order_of_its_lines() {
    let text = ROLE
        .replace("name: reader", "name: reader, labels: {bad key!: x}")
        .replace("spec:", "spec:\n  zzz: 1")
        .replace("accountRef", "acountRef");
    let Done { out, .. } = deputy(&["check", "-", "-o", "json"], &text);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let findings = answer["objects"][0]["findings"].as_array().unwrap();
    let lines: Vec<u64> = findings.iter().map(|one| one["line"].as_u64().unwrap()).collect();
    assert!(lines.len() > 2 && lines.is_sorted(), "{out}");
    assert_eq!(answer["objects"][0]["line"], lines[0], "{out}");
}

#[test]
fn bytes_that_are_no_text_have_their_place() {
    let place = |bytes: &[u8]| {
        let file = File::new("check-bytes.yaml", "");
        std::fs::write(file.path(), bytes).unwrap();
        let Done { code, out, .. } = check(&[file.path()]);
        assert_eq!(code, 2, "{out}");
        let rest = out.strip_prefix(file.path()).unwrap().to_owned();
        rest.split(" error").next().unwrap().to_owned()
    };
    assert_eq!(place(b"# deputy.dev\n# \xC3\xA4\xFF\n"), ":2:4:");
    assert_eq!(place(b"\xEF\xBB\xBFa: \xFF"), ":1:4:");
    assert_eq!(place(b"\xFF"), ":1:1:");
}

#[test]
fn that_nothing_was_judged_is_said() {
    let Done { code, out, err } = deputy(&["check", "-"], "apiVersion: v1\nkind: ConfigMap\n");
    assert_eq!(code, 0);
    assert_eq!(out, "no object of Deputy's; 1 other document passed over\n");
    assert_eq!(
        err,
        "deputy: nothing was judged: no object of Deputy's is in standard input\n"
    );
    // A path that has changed is not for a pipeline to pass.
    let empty = Folder::new("check-nothing");
    let Done { code, err, .. } = check(&[empty.path(), "--require-objects"]);
    let said = format!(
        "deputy: nothing was judged: no object of Deputy's is in {}\n",
        empty.path()
    );
    assert_eq!((code, &err), (2, &said));
    // By whichever way it is named.
    assert_eq!(check(&["-f", empty.path(), "--require-objects"]).err, said);
    assert_eq!(
        check(&[APPLICATION, "--limits", PLATFORM, "--require-objects"]).code,
        0
    );
}

#[test]
fn names_steer_neither_a_terminal_nor_what_runs_the_command() {
    let name = "name: b, name: \"a\\n::error::x\\e[2J\\u202E\"";
    let text = ROLE.replace("name: reader", name);
    let Done { code, err, .. } = deputy(&["diff", "-", APPLICATION], &text);
    assert_eq!(code, 2, "{err}");
    let lines = err.lines();
    assert!(lines.clone().all(|line| !line.starts_with("::")), "{err}");
    assert!(!err.contains('\u{1b}') && !err.contains('\u{202e}'), "{err}");
    let text = ROLE.replace("name: reader", "name: \"a\\n::error::x\\e[2J\"");
    let Done { code, err, .. } = deputy(&["diff", "-", APPLICATION], &text);
    assert_eq!(code, 2, "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("a\\u{a}::error::x\\u{1b}[2J"), "{err}");
}
