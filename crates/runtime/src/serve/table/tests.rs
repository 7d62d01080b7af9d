use std::time::Duration;

use super::*;

const MOST: usize = 8;
const OF_A_PEER: usize = 4;

fn peer(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

struct Clock(Instant, u64);

impl Clock {
    fn new() -> Self {
        Self(Instant::now(), 0)
    }
    fn next(&mut self) -> Instant {
        self.1 += 1;
        self.0 + Duration::from_secs(self.1)
    }
}

fn enter(table: &ConnectionTable, peer: IpAddr, clock: &mut Clock) -> Option<ConnectionSlot> {
    match table.enter(peer, clock.next()) {
        ConnectionEntry::Entered(place) => Some(place),
        ConnectionEntry::Refused => None,
    }
}

fn gone(places: &[ConnectionSlot]) -> Vec<usize> {
    let evicted = |place: &ConnectionSlot| place.activity.evicted.is_cancelled();
    (0..places.len())
        .filter(|index| evicted(&places[*index]))
        .collect()
}

#[tokio::test]
async fn who_takes_too_many_loses_his_own_longest_idle_connection() {
    let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
    let other = enter(&table, peer(2), &mut clock).unwrap();
    let mut places: Vec<_> = (0..OF_A_PEER)
        .map(|_| enter(&table, peer(1), &mut clock).unwrap())
        .collect();
    // The first has just been used.
    let number = places[0].activity.begin(clock.next());
    places[0].activity.end(number, clock.next());
    places.push(enter(&table, peer(1), &mut clock).unwrap());
    assert_eq!(gone(&places), [1]);
    assert!(!other.activity.evicted.is_cancelled());
    assert_eq!(table.count(), OF_A_PEER + 1);
    drop((places, other));
    assert_eq!(
        table.count(),
        0,
        "a place that was evicted is not given back twice"
    );
    assert!(table.inner().peers.is_empty());
}

#[tokio::test]
async fn a_full_table_lets_in_whoever_comes_and_the_heaviest_pays() {
    let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
    // The longest idle of all, and alone.
    let quiet = enter(&table, peer(9), &mut clock).unwrap();
    let few: Vec<_> = (0..3)
        .map(|_| enter(&table, peer(2), &mut clock).unwrap())
        .collect();
    let many: Vec<_> = (0..4)
        .map(|_| enter(&table, peer(1), &mut clock).unwrap())
        .collect();
    let first = enter(&table, peer(3), &mut clock).unwrap();
    assert_eq!((gone(&many), gone(&few)), (vec![0], vec![]));
    // Now two have three each: the longest idle of both.
    let second = enter(&table, peer(4), &mut clock).unwrap();
    assert_eq!((gone(&many), gone(&few)), (vec![0], vec![0]));
    assert!(!quiet.activity.evicted.is_cancelled());
    assert_eq!(table.count(), MOST);
    drop((first, second));
}

#[tokio::test]
async fn where_each_has_one_the_longest_idle_goes() {
    let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
    let mut places: Vec<_> = (0..MOST)
        .map(|index| enter(&table, peer(index as u8), &mut clock).unwrap())
        .collect();
    places[0].activity.begin(clock.next());
    for newcomer in 100..103 {
        places.push(enter(&table, peer(newcomer), &mut clock).unwrap());
    }
    assert_eq!(gone(&places), [1, 2, 3], "the first has a request in flight");
}

#[tokio::test]
async fn only_requests_of_the_heaviest_yield_to_a_newcomer() {
    let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
    let busy = |last: u8, clock: &mut Clock| {
        let place = enter(&table, peer(last), clock).unwrap();
        place.activity.begin(clock.next());
        place
    };
    let heavy: Vec<_> = (0..4).map(|_| busy(1, &mut clock)).collect();
    assert!(
        enter(&table, peer(1), &mut clock).is_none(),
        "his own are all in use"
    );
    let light: Vec<_> = (2..6).map(|last| busy(last, &mut clock)).collect();
    let newcomer = busy(7, &mut clock);
    assert_eq!((gone(&heavy), gone(&light)), (vec![0], vec![]));
    let second = busy(8, &mut clock);
    assert_eq!((gone(&heavy), gone(&light)), (vec![0, 1], vec![]));
    assert!(enter(&table, peer(9), &mut clock).is_some());
    // Nobody has more than the newcomer would.
    let full: Vec<_> = (0..20)
        .filter_map(|index| {
            let place = enter(&table, peer(20 + index), &mut clock)?;
            place.activity.begin(clock.next());
            Some(place)
        })
        .collect();
    assert!(enter(&table, peer(99), &mut clock).is_none(), "{}", full.len());
    drop((newcomer, second));
}

#[tokio::test]
async fn a_process_without_a_file_left_closes_what_is_idle() {
    let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
    assert!(!table.evict_longest_idle());
    let places = [
        enter(&table, peer(1), &mut clock).unwrap(),
        enter(&table, peer(2), &mut clock).unwrap(),
    ];
    assert!(table.evict_longest_idle());
    assert_eq!(gone(&places), [0]);
    table.evict_all();
    assert_eq!(gone(&places), [0, 1]);
}
