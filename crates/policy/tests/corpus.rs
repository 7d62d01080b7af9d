//! The corpora of the fuzz targets, replayed.

use std::{fs, path::Path};

use deputy_policy_testing::targets::TARGETS;

#[test]
fn the_fuzz_targets_hold_on_their_corpora() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let files = fs::read_dir(corpora.join(name)).unwrap();
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            // Fuzzers name files by a hash; here the name says what the target makes of it (`not-json-07`, `date-1`).
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_hash = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(!is_hash, "{} is named by a hash", path.display());
            // The output of a failing test says which one it was.
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
}
