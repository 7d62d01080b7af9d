//! What tests of several modules begin with.

use std::collections::BTreeMap;

use deputy_delegation::{
    AccountId, IssuerArn, ObjectName, Partition, Region, SessionDuration, model::Account,
};

/// The account `production`, whose issuer is the user `deputy-broker`.
pub fn account() -> Account {
    Account {
        name: ObjectName::new("production").unwrap(),
        id: AccountId::new("123456789012").unwrap(),
        partition: Partition::new("aws").unwrap(),
        region: Region::new("ap-northeast-1").unwrap(),
        issuer: IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap(),
        provisioner: None,
        boundary_writer: None,
        default_session_duration: SessionDuration::HOUR,
        tags: BTreeMap::new(),
        endpoints: deputy_delegation::model::Endpoints::default(),
    }
}
