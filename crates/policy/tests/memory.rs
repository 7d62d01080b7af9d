//! How much memory a text can make the parser take. A test binary of its own, because it counts every allocation.

use deputy_policy::{Document, PolicyKind, document::MAX_TEXT_BYTES};
use deputy_policy_testing::hostile::texts::texts;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What the README promises.
const MEBIBYTES: usize = 32;

#[test]
fn the_largest_texts_are_read_or_refused_in_bounded_memory() {
    for (name, text) in texts() {
        assert!(text.len() > MAX_TEXT_BYTES - 64, "{name}: {} bytes", text.len());
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let read = Document::parse(&text, PolicyKind::Identity);
        let taken = ALLOCATOR.peak_usage().saturating_sub(before);
        assert!(taken <= MEBIBYTES << 20, "{name}: {taken} bytes");
        if let Err(problems) = read {
            let code = problems.as_slice().first().unwrap().code();
            assert_ne!(code, deputy_policy::Code::TooLarge, "{name}");
            assert!(problems.as_slice().len() <= 65, "{name}");
        }
    }
}
