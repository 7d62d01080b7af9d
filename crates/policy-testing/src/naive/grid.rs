//! Many requests at once: all that can be made of some actions, resources, callers, contexts and worlds.
//!
//! What a statement says of an action does not depend on who asks, and so on, so it is asked once for every action,
//! resource, caller and context, and put together with bit operations. The questions are those of the second evaluator; the
//! long run compares samples of the results with its plain answers.

use serde_json::Value;

use super::{
    Keys, KnownCaller, Readings, actions_match, conditions_hold, has_variables, principals_match,
    resources_match, statements,
};

/// So many actions, and so many resources, at most.
pub const SIDE: usize = 8;

/// Statements of documents in layers.
pub struct GridSide<'a> {
    layers: Vec<Vec<Row<'a>>>,
}

/// One statement and what it says of actions and, when it has no variables, of resources.
struct Row<'a> {
    statement: &'a Value,
    deny: bool,
    variables: bool,
    actions: u64,
    resources: Option<u64>,
}

/// What is asked: everything but contexts and worlds.
pub struct GridQuestions<'a> {
    pub actions: &'a [String],
    pub resources: &'a [String],
    pub callers: &'a [Option<KnownCaller>],
}

fn bits(texts: &[String], matches: impl Fn(&str) -> bool) -> u64 {
    let each = texts.iter().take(SIDE).enumerate();
    each.fold(0, |bits, (i, text)| bits | u64::from(matches(text)) << i)
}

/// Bit `8 * resource + action` for each pair.
fn product(actions: u64, resources: u64) -> u64 {
    (0..SIDE).fold(0, |sum, i| {
        if resources >> i & 1 == 1 {
            sum | actions << (SIDE * i)
        } else {
            sum
        }
    })
}

impl<'a> GridSide<'a> {
    pub fn new(layers: &[Vec<&'a Value>], questions: &GridQuestions<'_>) -> Self {
        let row = |document: &Value, statement: &'a Value| {
            // A variable only stands between braces.
            let expands = |name: &str| {
                statement
                    .get(name)
                    .is_some_and(|list| list.to_string().contains("${"))
            };
            let variables = has_variables(document);
            let resource =
                |text: &str| resources_match(statement, variables, text, &Keys::new(), &Readings::EVALUATOR);
            // Nor is it known before whether a statement without Resource is about anything.
            let some = statement
                .get("Resource")
                .or(statement.get("NotResource"))
                .is_some();
            let constant = some && (!variables || !(expands("Resource") || expands("NotResource")));
            let actions = bits(questions.actions, |text| actions_match(statement, text));
            Row {
                statement,
                deny: statement["Effect"] == "Deny",
                variables,
                actions,
                resources: (constant && actions != 0).then(|| bits(questions.resources, resource)),
            }
        };
        let rows = |layer: &Vec<&'a Value>| {
            let of_document = |document: &&'a Value| {
                let statements = statements(document);
                statements
                    .into_iter()
                    .map(|s| row(document, s))
                    .collect::<Vec<_>>()
            };
            layer.iter().flat_map(of_document).collect()
        };
        Self {
            layers: layers.iter().map(rows).collect(),
        }
    }

    /// For each caller the pairs of action and resource that are allowed in this context and world.
    pub fn allowed(&self, questions: &GridQuestions<'_>, context: &Keys, readings: &Readings) -> Vec<u64> {
        let mut all = vec![u64::MAX; questions.callers.len()];
        let mut denied = vec![0; questions.callers.len()];
        for layer in &self.layers {
            let mut granted = vec![0; questions.callers.len()];
            for row in layer {
                let sum = if row.deny { &mut denied } else { &mut granted };
                row.add(questions, context, readings, sum);
            }
            all.iter_mut()
                .zip(granted)
                .for_each(|(all, granted)| *all &= granted);
        }
        all.iter_mut()
            .zip(denied)
            .for_each(|(all, denied)| *all &= !denied);
        all
    }
}

impl Row<'_> {
    /// Adds the pairs that the statement is about, for each caller.
    fn add(&self, questions: &GridQuestions<'_>, context: &Keys, readings: &Readings, sum: &mut [u64]) {
        if self.actions == 0 || !conditions_hold(self.statement, self.variables, context, readings) {
            return;
        }
        let resource = |text: &str| resources_match(self.statement, self.variables, text, context, readings);
        let resources = self
            .resources
            .unwrap_or_else(|| bits(questions.resources, resource));
        let pairs = product(self.actions, resources);
        if pairs == 0 {
            return;
        }
        for (sum, caller) in sum.iter_mut().zip(questions.callers) {
            // Asked only where the answer changes something.
            if pairs & !*sum != 0 && principals_match(self.statement, caller.as_ref(), readings) {
                *sum |= pairs;
            }
        }
    }
}

/// Action and resource of a bit.
pub fn pair_at(bit: u32) -> (usize, usize) {
    let bit = bit as usize;
    (bit % SIDE, bit / SIDE)
}

/// The bit of an action and a resource.
pub fn bit_of(action: usize, resource: usize) -> u32 {
    u32::try_from(resource * SIDE + action).unwrap()
}

/// How many bits of a result stand for a request.
pub fn size(questions: &GridQuestions<'_>) -> u64 {
    let count = |n: usize| n.min(SIDE) as u64;
    count(questions.actions.len()) * count(questions.resources.len())
}
