use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Writes a line when it is told to, and says that it has begun.
struct Told {
    begun: Sender<()>,
    orders: Receiver<io::Result<()>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _nobody_waits = self.begun.send(());
        self.orders.recv().unwrap_or(Ok(()))?;
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink, what to tell its writer, when that has begun, and what it wrote.
type Rig = (
    AuditSink,
    Sender<io::Result<()>>,
    Receiver<()>,
    Arc<Mutex<Vec<u8>>>,
);

fn rig(required_within: Duration) -> Rig {
    let ((begun, is_begun), (order, orders)) = (channel(), channel());
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let out = Told {
        begun,
        orders,
        written: Arc::clone(&written),
    };
    (
        AuditSink::start(out, required_within).unwrap(),
        order,
        is_begun,
        written,
    )
}

fn log(sink: &AuditSink, line: &str) {
    writeln!(sink.make_writer(), "{line}").unwrap();
}

#[test]
fn lines_are_written_in_order_and_whoever_logs_does_not_wait() {
    let (sink, order, _, written) = rig(Duration::from_secs(60));
    for line in ["one", "two", "three"] {
        log(&sink, line);
    }
    assert_eq!(sink.check(), Ok(()));
    drop(order);
    sink.flush(Duration::from_secs(60));
    assert_eq!(
        String::from_utf8(written.lock().unwrap().clone()).unwrap(),
        "one\ntwo\nthree\n"
    );
    assert_eq!(sink.figures(), AuditFigures::default());
}

#[test]
fn a_writer_that_blocks_for_longer_than_it_may_is_told_until_it_writes() {
    let (sink, order, begun, _) = rig(Duration::from_nanos(1));
    assert_eq!(sink.check(), Ok(()), "there is nothing to write");
    log(&sink, "one");
    begun.recv().unwrap();
    let stalled = sink.check().unwrap_err().to_string();
    assert!(
        stalled.contains("it blocks") && stalled.contains("whoever runs Deputy"),
        "{stalled}"
    );
    order.send(Ok(())).unwrap();
    sink.flush(Duration::from_secs(60));
    assert_eq!(sink.check(), Ok(()));
    let (sink, _order, begun, _) = rig(Duration::ZERO);
    log(&sink, "one");
    begun.recv().unwrap();
    assert_eq!(sink.check(), Ok(()), "nothing is required");
}

#[test]
fn a_line_that_can_not_be_written_is_tried_again() {
    let (sink, order, begun, written) = rig(Duration::from_nanos(1));
    log(&sink, "one");
    begun.recv().unwrap();
    order.send(Err(io::Error::other("no space"))).unwrap();
    // The second try.
    begun.recv().unwrap();
    let stalled = sink.check().unwrap_err().to_string();
    assert!(stalled.contains("it fails (no space)"), "{stalled}");
    order.send(Ok(())).unwrap();
    sink.flush(Duration::from_secs(60));
    assert_eq!(written.lock().unwrap().as_slice(), b"one\n");
}

#[test]
fn what_was_written_of_a_line_is_not_written_again() {
    struct Halves(Arc<Mutex<Vec<u8>>>, bool);
    impl Write for Halves {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if !self.1 {
                return Err(io::Error::other("no space"));
            }
            let half = bytes.len().div_ceil(2);
            self.0.lock().unwrap().extend_from_slice(&bytes[..half]);
            Ok(half)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let sink = AuditSink::start(Halves(Arc::clone(&written), false), Duration::ZERO).unwrap();
    for line in ["one", "two"] {
        log(&sink, line);
    }
    sink.flush(Duration::from_secs(60));
    assert_eq!(written.lock().unwrap().as_slice(), b"one\ntwo\n");
}

#[test]
fn a_place_is_kept_until_its_line_comes_or_nobody_wants_it() {
    let (sink, _order, _, _) = rig(Duration::from_secs(60));
    let all: Vec<AuditPlace> = std::iter::from_fn(|| sink.reserve().ok()).collect();
    assert_eq!(all.len(), 8192);
    let full = sink.reserve().err().unwrap().to_string();
    assert!(full.contains("its queue is full"), "{full}");
    let again = all[0].clone();
    all[0].take();
    again.take();
    let one = sink.reserve().unwrap();
    assert!(sink.reserve().is_err(), "one place became free, and once");
    drop((one, all));
    assert!(sink.reserve().is_ok());
}
