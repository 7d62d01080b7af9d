//! The cache on a real file system: modes, owners, what is refused.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

use deputy_aws::ExposeSecret as _;

use super::{Cache, CacheKey, LONGEST, files::is_own};
use crate::credentials::answer::ProcessCredentials;

/// A folder for the length of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("deputy-cache-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        Self(path)
    }
    fn cache(&self) -> Cache {
        Cache::at(&self.0.join("deputy/credentials")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn session(key: &str) -> ProcessCredentials {
    ProcessCredentials {
        access_key_id: key.into(),
        secret_access_key: "secret".into(),
        session_token: "token".into(),
        expiration: "2126-11-29T18:00:00Z".parse().unwrap(),
    }
}

fn key(name: &str) -> CacheKey {
    CacheKey::of([("name", name)])
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn what_is_kept_is_its_users_alone_and_found_again() {
    let folder = Folder::new("kept");
    let cache = folder.cache();
    assert!(cache.get(&key("a")).unwrap().is_none());
    for id in ["ASIAONE", "ASIATWO"] {
        cache.put(&key("a"), &session(id)).unwrap();
        assert_eq!(cache.get(&key("a")).unwrap().unwrap().access_key_id, id);
    }
    assert!(cache.get(&key("b")).unwrap().is_none());
    let path = cache.session(&key("a"));
    assert_eq!((mode(&cache.folder), mode(&path)), (0o700, 0o600));
    // Nothing else lies about, and an umask could only have taken away.
    assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 1);
    assert_eq!(
        cache
            .get(&key("a"))
            .unwrap()
            .unwrap()
            .session_token
            .expose_secret(),
        "token"
    );
}

#[test]
fn what_others_may_read_is_refused_and_not_overlooked() {
    let folder = Folder::new("modes");
    let cache = folder.cache();
    cache.put(&key("a"), &session("ASIA")).unwrap();
    let path = cache.session(&key("a"));
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let said = cache.get(&key("a")).err().unwrap().to_string();
        assert!(
            said.contains("others may read") && said.contains("--no-cache"),
            "{said}"
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&cache.folder, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(Cache::at(&cache.folder).is_err());
    // Root may be anybody, so owners are compared as numbers.
    assert!(is_own(&path, (1000, 0o600), 1000).is_ok());
    let said = is_own(&path, (1001, 0o600), 1000).unwrap_err().to_string();
    assert!(
        said.contains("belongs to user 1001, and you are user 1000"),
        "{said}"
    );
}

#[test]
fn links_and_folders_in_the_place_of_files_are_refused() {
    let folder = Folder::new("links");
    let cache = folder.cache();
    cache.put(&key("a"), &session("ASIA")).unwrap();
    symlink(cache.session(&key("a")), cache.session(&key("link"))).unwrap();
    assert!(cache.get(&key("link")).is_err());
    fs::create_dir(cache.session(&key("folder"))).unwrap();
    assert!(cache.get(&key("folder")).is_err());
    symlink(
        cache.session(&key("a")),
        cache.folder.join(format!("{}.lock", key("a"))),
    )
    .unwrap();
    assert!(cache.turn(&key("a"), Duration::from_secs(1)).is_err());
    let linked = folder.0.join("linked");
    symlink(&cache.folder, &linked).unwrap();
    assert!(Cache::at(&linked).is_err());
}

#[test]
fn a_file_that_is_no_session_is_as_good_as_none() {
    let folder = Folder::new("broken");
    let cache = folder.cache();
    cache.put(&key("a"), &session("ASIA")).unwrap();
    for text in ["", "{", "[]", &"x".repeat(100_000)] {
        fs::write(cache.session(&key("a")), text).unwrap();
        assert!(cache.get(&key("a")).unwrap().is_none());
    }
}

#[test]
fn one_has_the_turn_at_a_time() {
    let folder = Folder::new("turn");
    let cache = folder.cache();
    let turn = cache.turn(&key("a"), Duration::from_secs(60)).unwrap();
    let said = cache
        .turn(&key("a"), Duration::from_millis(5))
        .err()
        .unwrap()
        .to_string();
    assert!(said.contains("another process"), "{said}");
    // Another session is nobody's business.
    cache.turn(&key("b"), Duration::from_secs(60)).unwrap();
    let (begun, has_begun) = mpsc::channel();
    let other = Cache {
        folder: cache.folder.clone(),
    };
    let waiting = thread::spawn(move || {
        begun.send(()).unwrap();
        other.turn(&key("a"), Duration::from_secs(60)).is_ok()
    });
    has_begun.recv().unwrap();
    drop(turn);
    assert!(waiting.join().unwrap());
}

#[test]
fn what_nobody_asks_for_any_more_is_removed() {
    let folder = Folder::new("sweep");
    let cache = folder.cache();
    cache.put(&key("a"), &session("ASIA")).unwrap();
    drop(cache.turn(&key("a"), Duration::from_secs(60)).unwrap());
    let now = SystemTime::now();
    cache.sweep(now + LONGEST - Duration::from_secs(60));
    assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 2);
    cache.sweep(now + LONGEST + Duration::from_secs(60));
    assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 0);
}

#[test]
fn no_two_lists_of_fields_have_one_key() {
    let lists: [&[(&str, &str)]; 6] = [
        &[],
        &[("a", "b")],
        &[("ab", "")],
        &[("", "ab")],
        &[("a", "b"), ("", "")],
        &[("a", ""), ("b", "")],
    ];
    let keys: Vec<String> = lists
        .iter()
        .map(|list| CacheKey::of(list.iter().copied()).to_string())
        .collect();
    for (i, one) in keys.iter().enumerate() {
        assert_eq!(one.len(), 64);
        assert!(keys[i + 1..].iter().all(|other| other != one), "{i}");
    }
    assert_eq!(key("a"), key("a"));
}
