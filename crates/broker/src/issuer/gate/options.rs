//! How much may be under way, and wait.

use std::time::Duration;

use deputy_aws::BudgetSettings;

/// How much may be under way, and wait.
#[derive(Debug, Clone, Copy)]
pub struct GateOptions {
    /// Calls under way at once, of all endpoints together. One endpoint has at most as many as are left to the others, so that any number
    /// that hang leave some.
    pub calls: usize,
    /// Of one (account, endpoint).
    pub calls_of_endpoint: usize,
    /// That many an endpoint may have whatever the others do.
    pub always: usize,
    /// Of the calls of an endpoint, how many may be renewals: first requests come first.
    pub renewals_of_endpoint: usize,
    /// Of all calls, how many may be for people: pods come first. One for each endpoint comes on top when others have all.
    pub people: usize,
    /// Of the calls of an endpoint, how many may be for people.
    pub people_of_endpoint: usize,
    /// How many may be for one person.
    pub of_person: usize,
    /// First requests, and renewals, that wait for one endpoint.
    pub waiting: usize,
    /// The same of one calling account in one region, whatever endpoint they are for.
    pub waiting_of_caller: usize,
    /// How long a call waits for its turns, at the budget and at its endpoint together.
    pub patience: Duration,
    /// Calls a second for one calling account in one region.
    pub budget: BudgetSettings,
}

impl Default for GateOptions {
    fn default() -> Self {
        Self {
            calls: 256,
            calls_of_endpoint: 64,
            always: 4,
            renewals_of_endpoint: 16,
            people: 16,
            people_of_endpoint: 6,
            of_person: 3,
            waiting: 1024,
            waiting_of_caller: 4096,
            patience: Duration::from_secs(10),
            // AWS gives a calling account 600 a second in a region, which everybody in it shares.
            budget: BudgetSettings {
                burst: 300.0,
                initial_rate: 200.0,
                min_rate: 2.0,
                max_rate: 300.0,
                growth: 1.0,
                recovery: 10.0,
            },
        }
    }
}
