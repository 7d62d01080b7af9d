//! The model of IAM, and of policies of resources, beside doubles of AWS that somebody else wrote: ministack (`AUTH=true`) and moto, both of account 123456789012. What AWS's
//! documentation says of a call is held against each of them, and where a double is known to be wrong, that is written down and held as well.
//!
//! `hack/with-doubles` starts both, and names them in `DEPUTY_TEST_MINISTACK_URL` and `DEPUTY_TEST_MOTO_URL`. Without these only the model
//! is held.

mod differences;
mod life;
mod listings;
mod make;
mod policies;
mod principals;
mod refused_roles;
mod resources;
mod roles;
mod table;
mod world;

use self::{
    table::{AnswerTable, Double},
    world::World,
};

/// Everything in the table, on one of them.
async fn held_against_the_documentation(world: &World) {
    let mut record = AnswerTable::default();
    refused_roles::see(world, &mut record).await;
    roles::see(world, &mut record).await;
    policies::see(world, &mut record).await;
    principals::see(world, &mut record).await;
    listings::see(world, &mut record).await;
    resources::see(world, &mut record).await;
    let wrong = record.unexplained(world.double, differences::KNOWN);
    assert!(wrong.is_empty(), "{:?}: {wrong:#?}", world.double);
    println!(
        "{:?}: {} answers, {} of them known to be otherwise than AWS's",
        world.double,
        record.len(),
        differences::KNOWN
            .iter()
            .filter(|d| d.double == world.double)
            .count()
    );
}

#[tokio::test]
async fn the_model_lives_through_it() {
    let (world, iam) = World::model();
    life::live(&world, iam.as_ref()).await;
}

#[tokio::test]
async fn ministack_lives_through_it() {
    let Some(world) = World::at(Double::Ministack, "DEPUTY_TEST_MINISTACK_URL") else {
        return;
    };
    let sts = world.sts_of_broker().await;
    life::live(&world, sts.as_ref()).await;
}

#[tokio::test]
async fn the_model_answers_as_aws_does() {
    let (world, iam) = World::model();
    iam.set_page_size(2);
    held_against_the_documentation(&world).await;
}

#[tokio::test]
async fn ministack_answers_as_aws_does_but_for_what_is_known() {
    if let Some(world) = World::at(Double::Ministack, "DEPUTY_TEST_MINISTACK_URL") {
        held_against_the_documentation(&world).await;
    }
}

#[tokio::test]
async fn moto_answers_as_aws_does_but_for_what_is_known() {
    if let Some(world) = World::at(Double::Moto, "DEPUTY_TEST_MOTO_URL") {
        held_against_the_documentation(&world).await;
    }
}
