//! Files as people have them, and that nothing in them changes but the profile.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use proptest::prelude::*;

use super::{
    file::ConfigFile,
    section::{EditError, EditedConfig, WantedProfile, edit},
};

fn profile(name: &str) -> WantedProfile {
    WantedProfile {
        name: name.into(),
        settings: vec![
            ("credential_process", "deputy x".into()),
            ("region", "eu-west-1".into()),
        ],
    }
}

const WRITTEN: &str = "[profile p]\ncredential_process = deputy x\nregion = eu-west-1\n";

#[test]
fn a_profile_comes_behind_everything_that_is_there() {
    for (text, between) in [
        ("", ""),
        ("[default]\nregion = x\n", "\n"),
        ("[default]\nregion = x", "\n\n"),
        ("# nothing\n\n", ""),
        // None of these is a profile of the name.
        ("[profile pp]\n[sso-session p]\n[p]\n[services p]\n", "\n"),
        ("[default]\ns3 =\n  [profile p]\n", "\n"),
    ] {
        let expected = EditedConfig::Changed(format!("{text}{between}{WRITTEN}"));
        assert_eq!(edit(text, &profile("p"), false), Ok(expected), "{text:?}");
    }
    let crlf = edit("[default]\r\nregion = x\r\n", &profile("p"), false).unwrap();
    let expected = format!("[default]\nregion = x\n\n{WRITTEN}").replace('\n', "\r\n");
    assert_eq!(crlf, EditedConfig::Changed(expected));
    assert!(profile("default").to_string().starts_with("[default]\n"));
}

#[test]
fn the_same_profile_is_left_and_another_one_is_refused() {
    for same in [
        WRITTEN,
        "[ profile  p ]\n# mine\nregion=eu-west-1\n\ncredential_process=deputy x\n[default]\n",
        "[profile \"p\"]\r\ncredential_process = deputy x\r\nregion = eu-west-1",
    ] {
        assert_eq!(
            edit(same, &profile("p"), false),
            Ok(EditedConfig::Same),
            "{same:?}"
        );
        assert_eq!(
            edit(same, &profile("p"), true),
            Ok(EditedConfig::Same),
            "{same:?}"
        );
    }
    for other in [
        "[profile p]\n",
        "[profile p]\nregion = eu-west-1\n",
        "[profile p]\ncredential_process = deputy x\nregion = eu-west-2\n",
        "[profile p]\ncredential_process = deputy x\nregion = eu-west-1\noutput = json\n",
        "[profile p]\ncredential_process = deputy x\n  y\nregion = eu-west-1\n",
    ] {
        assert_eq!(
            edit(other, &profile("p"), false),
            Err(EditError::Other("p".into())),
            "{other:?}"
        );
        assert_eq!(
            edit(other, &profile("p"), true),
            Ok(EditedConfig::Changed(WRITTEN.into())),
            "{other:?}"
        );
    }
    let twice = format!("{WRITTEN}{WRITTEN}");
    assert_eq!(
        edit(&twice, &profile("p"), true),
        Err(EditError::Twice("p".into()))
    );
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\[(profile )?[a-d]\\]",
        "[a-z_]{1,8} ?= ?[a-z ]{0,8}",
        "  [a-z]{1,4} = [a-z]{1,4}",
        "[#;] ?[a-z\\[\\]=]{0,8}",
        "[ -~é]{0,12}",
    ]
}

proptest! {
    #[test]
    fn everything_else_of_the_file_stays_as_it_is(
        before in prop::collection::vec(line(), 0..8),
        own in prop::collection::vec("[a-z_]{1,8} = [a-z]{1,8}", 0..4),
        after in prop::collection::vec(line(), 0..8),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        is_ended: bool,
    ) {
        let joined = |lines: &[String]| lines.iter().map(|line| format!("{line}{end}")).collect::<String>();
        let (before, after) = (joined(&before), joined(&after));
        let written = profile("p").to_string().replace('\n', end);
        // Where it is not there, all that was there comes first.
        let mut text = format!("{before}{after}");
        if !is_ended {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        let EditedConfig::Changed(added) = edit(&text, &profile("p"), false).unwrap() else {
            panic!("it was not there");
        };
        let rest = added.strip_prefix(text.as_str()).unwrap();
        prop_assert_eq!(rest.trim_start_matches(['\r', '\n']).replace("\r\n", "\n"), WRITTEN);
        // Where it is, what stands before its head and from the next one on stays.
        let own = joined(&own);
        let text = format!("{before}[profile p]{end}{own}[profile q]{end}{after}");
        if let Ok(EditedConfig::Changed(replaced)) = edit(&text, &profile("p"), true) {
            let expected = format!("{before}{written}[profile q]{end}{after}");
            prop_assert_eq!(replaced.replace("\r\n", "\n"), expected.replace("\r\n", "\n"));
            if end == "\r\n" {
                prop_assert!(!replaced.replace("\r\n", "").contains('\n'));
            }
        }
        // Asked again, nothing is to do.
        prop_assert_eq!(edit(&added, &profile("p"), false), Ok(EditedConfig::Same));
    }
}

#[test]
fn a_file_keeps_its_mode_and_a_link_stays_one() {
    let folder = std::env::temp_dir().join(format!("deputy-config-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().mode() & 0o7777;
    // One that was not there is its owner's alone, and so is its folder.
    let new = folder.join(".aws/config");
    ConfigFile::read(&new).unwrap().write("a").unwrap();
    assert_eq!((mode(&new), mode(new.parent().unwrap())), (0o600, 0o700));
    fs::set_permissions(&new, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.join("link");
    symlink(".aws/config", &link).unwrap();
    let file = ConfigFile::read(&link).unwrap();
    assert_eq!(file.text(), "a");
    file.write("ab").unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(
        (fs::read_to_string(&new).unwrap().as_str(), mode(&new)),
        ("ab", 0o640)
    );
    // Somebody else was there meanwhile, and nothing lies about afterwards.
    fs::write(&new, "theirs").unwrap();
    assert!(file.write("abc").unwrap_err().to_string().contains("meanwhile"));
    assert_eq!(fs::read_to_string(&new).unwrap(), "theirs");
    assert_eq!(fs::read_dir(new.parent().unwrap()).unwrap().count(), 1);
    symlink("nowhere", folder.join("lost")).unwrap();
    assert!(ConfigFile::read(&folder.join("lost")).is_err());
    assert!(ConfigFile::read(&folder).is_err());
    fs::remove_dir_all(&folder).unwrap();
}
