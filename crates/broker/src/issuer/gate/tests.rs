use deputy_aws::{BudgetSettings, Credentials, Sts};
use deputy_delegation::AccountId;

use super::*;
use crate::{fixtures, issuer::GatedClients};

fn gate(budget: BudgetSettings) -> StsGate {
    let options = GateOptions {
        budget,
        ..GateOptions::default()
    };
    StsGate::new(options, Timestamp::now)
}

fn slow() -> BudgetSettings {
    BudgetSettings {
        burst: 1.0,
        initial_rate: 4.0,
        min_rate: 1.0,
        max_rate: 4.0,
        growth: 0.0,
        recovery: 0.0,
    }
}

async fn call(gate: &StsGate, result: Result<(), AwsError>) -> Result<Result<(), AwsError>, NotSent> {
    let route = StsRoute::of_issuer(&fixtures::account());
    let what = (&route, CallUrgency::First, CallParty::Broker);
    gate.call(what, "sts:AssumeRole", std::future::ready(result))
        .await
}

fn throttled() -> AwsError {
    AwsError::new("sts:AssumeRole", ErrorClass::Throttled, "Rate exceeded")
}

#[tokio::test(start_paused = true)]
async fn throttling_halves_the_rate_of_the_caller_and_opens_no_circuit() {
    let gate = gate(slow());
    for _ in 0..8 {
        assert!(matches!(call(&gate, Err(throttled())).await, Ok(Err(_))));
    }
    assert_eq!(gate.figures().open, 0);
    let began = Instant::now();
    assert!(call(&gate, Ok(())).await.is_ok());
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(1),
        "one a second, and not four"
    );
    assert_eq!(gate.figures(), GateFigures::default());
}

#[tokio::test(start_paused = true)]
async fn accounts_of_one_caller_share_its_budget_and_regions_do_not() {
    let gate = gate(slow());
    let mut other = fixtures::account();
    other.id = AccountId::new("999999999999").unwrap();
    let mut elsewhere = other.clone();
    elsewhere.region = deputy_delegation::Region::new("eu-west-1").unwrap();
    assert!(call(&gate, Ok(())).await.is_ok());
    for (account, waited) in [(&other, 250), (&elsewhere, 0)] {
        let route = StsRoute::of_issuer(account);
        let began = Instant::now();
        let what = (&route, CallUrgency::First, CallParty::Broker);
        let made = gate.call(what, "sts:AssumeRole", std::future::ready(Ok(())));
        assert!(matches!(made.await, Ok(Ok(()))));
        assert_eq!(began.elapsed(), Duration::from_millis(waited));
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_line_or_panics_takes_no_room() {
    let mut options = GateOptions {
        calls_of_endpoint: 1,
        ..GateOptions::default()
    };
    options.patience = Duration::from_secs(3600);
    let gate = StsGate::new(options, Timestamp::now);
    let begin = |never: bool| {
        let gate = gate.clone();
        tokio::spawn(async move {
            let route = StsRoute::of_issuer(&fixtures::account());
            let work = async move {
                if never {
                    std::future::pending::<()>().await;
                }
                panic!("a fault");
                #[expect(unreachable_code, reason = "says of which type it would be")]
                Ok(())
            };
            gate.call(
                (&route, CallUrgency::First, CallParty::People),
                "sts:AssumeRole",
                work,
            )
            .await
        })
    };
    let hangs = begin(true);
    tokio::task::yield_now().await;
    let leaves = begin(false);
    tokio::task::yield_now().await;
    assert_eq!((gate.figures().under_way, gate.figures().waiting), (1, 1));
    leaves.abort();
    assert!(leaves.await.is_err());
    let panics = begin(false);
    hangs.abort();
    assert!(hangs.await.is_err() && panics.await.is_err());
    assert!(call(&gate, Ok(())).await.is_ok());
    assert_eq!(gate.figures(), GateFigures::default());
    assert!(
        gate.state.lock().lanes.is_empty(),
        "nothing is remembered of what is well"
    );
}

/// Says who it is, or hangs; sessions it makes at once.
struct Identity {
    hangs: bool,
}

#[async_trait::async_trait]
impl Sts for Identity {
    async fn assume_role(
        &self,
        _: &deputy_delegation::session::SessionRequest,
    ) -> Result<deputy_aws::Session, AwsError> {
        Err(throttled())
    }
    async fn federation_token(
        &self,
        request: &deputy_delegation::federation::FederationRequest,
    ) -> Result<deputy_aws::Session, AwsError> {
        Ok(deputy_aws::Session {
            credentials: Credentials {
                access_key_id: "ASIA".into(),
                secret_access_key: "secret".into(),
                session_token: "token".into(),
            },
            expiration: Timestamp::now(),
            arn: request.user.to_string(),
            unique_id: String::new(),
            packed_policy_size: None,
        })
    }
    async fn caller_identity(&self) -> Result<deputy_aws::CallerIdentity, AwsError> {
        if self.hangs {
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
        Err(AwsError::new(
            "sts:GetCallerIdentity",
            ErrorClass::Unreachable,
            "no answer in time",
        ))
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_is_known_by_the_question_who_the_broker_is() {
    let gate = gate(BudgetSettings::default());
    let account = fixtures::account();
    let clients = GatedClients::new(
        Box::new(fixtures::SameSts(Arc::new(Identity { hangs: true }))),
        gate.clone(),
    );
    let issuer = crate::clients::StsClients::issuer(&clients, &account);
    for _ in 0..5 {
        assert!(issuer.caller_identity().await.is_err());
    }
    let began = Instant::now();
    let error = issuer.caller_identity().await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(error.message().contains("is left alone"), "{error}");
    assert_eq!(gate.figures().open, 1);
}

fn of_namespace(name: &str) -> CallParty {
    CallParty::Namespace(deputy_delegation::NamespaceName::new(name).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_one_account_holds_up_another_for_two_tokens_at_most() {
    let two_a_second = BudgetSettings {
        burst: 1.0,
        initial_rate: 2.0,
        min_rate: 2.0,
        max_rate: 2.0,
        growth: 0.0,
        recovery: 0.0,
    };
    let gate = gate(two_a_second);
    let storm: Vec<_> = (0..200)
        .map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move {
                let route = StsRoute::of_issuer(&fixtures::account());
                let what = (&route, CallUrgency::First, of_namespace("storm"));
                gate.call(what, "sts:AssumeRole", std::future::ready(Ok(())))
                    .await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut other = fixtures::account();
    other.id = AccountId::new("999999999999").unwrap();
    for (account, namespace) in [(other, "storm"), (fixtures::account(), "modest")] {
        let route = StsRoute::of_issuer(&account);
        let began = Instant::now();
        let what = (&route, CallUrgency::First, of_namespace(namespace));
        let made = gate.call(what, "sts:AssumeRole", std::future::ready(Ok(())));
        assert!(matches!(made.await, Ok(Ok(()))), "{namespace}");
        assert!(
            began.elapsed() <= Duration::from_secs(1),
            "{namespace}: {:?}",
            began.elapsed()
        );
    }
    for asked in storm {
        asked.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn neither_one_endpoint_nor_one_person_holds_up_other_people() {
    let gate = gate(BudgetSettings {
        burst: 1000.0,
        ..BudgetSettings::default()
    });
    let person = |name: String| CallParty::Person(deputy_delegation::people::UserName::new(&name).unwrap());
    let ask = |account: u64, who: CallParty, hangs: bool| {
        let gate = gate.clone();
        tokio::spawn(async move {
            let mut at = fixtures::account();
            at.id = AccountId::new(format!("{account:012}")).unwrap();
            let work = async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(())
            };
            let route = StsRoute::of_issuer(&at);
            gate.call((&route, CallUrgency::First, who), "sts:AssumeRole", work)
                .await
        })
    };
    let mut hung = Vec::new();
    // One person who wants much everywhere, and many at endpoints that hang.
    for account in 1..=4 {
        for n in 0..20 {
            hung.push(ask(account, person("greedy".to_owned()), true));
            hung.push(ask(account, person(format!("p{account}-{n}")), true));
        }
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let began = Instant::now();
    let answer = ask(9, person("modest".to_owned()), false).await.unwrap();
    assert!(matches!(answer, Ok(Ok(()))));
    assert_eq!(began.elapsed(), Duration::ZERO);
    for asked in hung {
        asked.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_keeps_nobody_out_of_the_line() {
    let options = GateOptions {
        calls_of_endpoint: 1,
        waiting: 2,
        ..GateOptions::default()
    };
    let gate = StsGate::new(options, Timestamp::now);
    let ask = |hangs: bool| {
        let gate = gate.clone();
        tokio::spawn(async move {
            let route = StsRoute::of_issuer(&fixtures::account());
            let work = async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(())
            };
            gate.call(
                (&route, CallUrgency::First, of_namespace("a")),
                "sts:AssumeRole",
                work,
            )
            .await
        })
    };
    let hangs = ask(true);
    tokio::task::yield_now().await;
    for gone in [ask(false), ask(false)] {
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.is_err());
    }
    let asks = ask(false);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    hangs.abort();
    let answer = asks.await.unwrap();
    assert!(matches!(answer, Ok(Ok(()))), "{:?}", answer.err());
}
