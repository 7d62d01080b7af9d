//! The question as one file: docs/sessions.md says what is in it.

use std::path::Path;

use clap::ValueEnum as _;
use deputy_policy::{Context, PolicyKind};

use super::{
    arguments::WayArgument,
    fields::{Field, Fields, ScenarioFile},
    scenario::{AskedAction, AssumedRole, Party, Scenario, caller, role},
};
use crate::{exit::Failure, input, policy::request};

const SCENARIO: &[&str] = &[
    "way",
    "caller",
    "role",
    "session",
    "managementAccount",
    "requests",
];
const PARTY: &[&str] = &["policies", "boundary", "scps"];
const CALLER: &[&str] = &["arn", "role", "uniqueID", "hasSessionToken", "sessionPolicies"];
const ROLE: &[&str] = &["arn", "uniqueID", "maxSessionDuration", "trust"];
const SESSION: &[&str] = &["name", "policies", "duration", "mfa", "context"];
const REQUEST: &[&str] = &["action", "resource", "account", "policy", "rcps", "context"];

/// # Errors
/// What is wrong with the file, with file, line and column.
pub fn scenario(path: &Path) -> Result<Scenario, Failure> {
    let file = ScenarioFile::new(path, input::read(path)?);
    let document = file.document()?;
    let root = file.root(&document);
    let all = root.fields(SCENARIO)?;
    let needed = |name: &str| {
        all.get(&root, name)
            .ok_or_else(|| root.wrong(format!("it needs {name}")))
    };
    let way = needed("way")?;
    let read = WayArgument::from_str(&way.text()?, false).map_err(|_| {
        let ways = WayArgument::value_variants()
            .iter()
            .filter_map(|way| way.to_possible_value());
        let names: Vec<String> = ways.map(|way| way.get_name().to_owned()).collect();
        way.wrong(format!("there is no such way; there are {}", names.join(", ")))
    })?;
    let called = needed("caller")?;
    let fields = called.fields(&[CALLER, PARTY].concat())?;
    let session = all.get(&root, "session");
    let passed = match &session {
        Some(field) => Some((field, field.fields(SESSION)?)),
        None => None,
    };
    let passed = |name: &str| passed.as_ref().and_then(|(of, fields)| fields.get(of, name));
    let requests = match all.get(&root, "requests") {
        Some(field) => field.items()?,
        None => Vec::new(),
    };
    Ok(Scenario {
        way: read.into(),
        caller: arn(&called, &fields, |arn| {
            let of = fields.get(&called, "role").map(|role| role.text()).transpose()?;
            caller(arn, of.as_deref()).map_err(|why| called.wrong(why))
        })?,
        caller_id: text(&called, &fields, "uniqueID")?,
        temporary: option(fields.get(&called, "hasSessionToken"), Field::boolean)?.unwrap_or_default(),
        callers_session: option(fields.get(&called, "sessionPolicies"), |f| {
            f.policies(PolicyKind::Session)
        })?
        .unwrap_or_default(),
        of_caller: party(&called, &fields)?,
        role: option(all.get(&root, "role"), assumed)?,
        name: option(passed("name"), Field::text)?,
        policies: option(passed("policies"), |f| f.policies(PolicyKind::Session))?.unwrap_or_default(),
        duration: option(passed("duration"), Field::seconds)?,
        mfa: option(passed("mfa"), Field::boolean)?.unwrap_or_default(),
        context: option(passed("context"), context)?.unwrap_or_default(),
        management_account: option(all.get(&root, "managementAccount"), Field::text)?,
        asked: requests.iter().map(asked).collect::<Result<_, _>>()?,
    })
}

fn option<'f, T>(
    field: Option<Field<'f>>,
    read: impl FnOnce(&Field<'f>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    field.as_ref().map(read).transpose()
}

fn text<'f>(of: &Field<'f>, fields: &Fields<'f>, name: &str) -> Result<Option<String>, Failure> {
    option(fields.get(of, name), Field::text)
}

fn arn<'f, T>(
    of: &Field<'f>,
    fields: &Fields<'f>,
    read: impl FnOnce(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let arn = text(of, fields, "arn")?.ok_or_else(|| of.wrong("it needs arn"))?;
    read(&arn)
}

fn party<'f>(of: &Field<'f>, fields: &Fields<'f>) -> Result<Party, Failure> {
    Ok(Party {
        identity: option(fields.get(of, "policies"), |f| f.policies(PolicyKind::Identity))?
            .unwrap_or_default(),
        boundary: option(fields.get(of, "boundary"), |f| f.policy(PolicyKind::Boundary))?
            .into_iter()
            .collect(),
        scps: option(fields.get(of, "scps"), |f| f.levels(PolicyKind::ServiceControl))?.unwrap_or_default(),
    })
}

fn assumed(of: &Field<'_>) -> Result<AssumedRole, Failure> {
    let fields = of.fields(&[ROLE, PARTY].concat())?;
    Ok(AssumedRole {
        principal: arn(of, &fields, |arn| role(arn).map_err(|why| of.wrong(why)))?,
        unique_id: text(of, &fields, "uniqueID")?,
        max_duration: option(fields.get(of, "maxSessionDuration"), Field::seconds)?,
        trust: option(fields.get(of, "trust"), |f| f.policy(PolicyKind::Trust))?,
        party: party(of, &fields)?,
    })
}

fn context(of: &Field<'_>) -> Result<Context, Failure> {
    let mut context = Context::new();
    for (key, values) in of.pairs()? {
        request::key(key).map_err(|why| values.wrong(why))?;
        if context.get(key).is_some() {
            return Err(values.wrong("the key is there more than once (case does not matter)"));
        }
        context.set(key, values.values()?);
    }
    Ok(context)
}

fn asked(of: &Field<'_>) -> Result<AskedAction, Failure> {
    let fields = of.fields(REQUEST)?;
    let needed = |name: &str| text(of, &fields, name)?.ok_or_else(|| of.wrong(format!("it needs {name}")));
    let request =
        request::read(&needed("action")?, &needed("resource")?, None).map_err(|why| of.wrong(why))?;
    let kind = request::resource_kind(&request);
    Ok(AskedAction {
        policy: option(fields.get(of, "policy"), |f| f.policy(kind))?,
        action: request.action,
        resource: request.resource,
        context: option(fields.get(of, "context"), context)?.unwrap_or_default(),
        account: text(of, &fields, "account")?,
        rcps: option(fields.get(of, "rcps"), |f| f.levels(PolicyKind::ResourceControl))?.unwrap_or_default(),
    })
}
