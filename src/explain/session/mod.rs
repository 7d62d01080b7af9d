//! `deputy explain session`

mod answer;
mod arguments;
mod fields;
mod file;
mod flags;
mod scenario;

pub use arguments::SessionArguments;

use crate::exit::{CommandResult, Failure};

pub fn run(arguments: &SessionArguments) -> CommandResult {
    let scenario = match (&arguments.scenario, arguments.way) {
        (Some(path), _) => file::scenario(path)?,
        (None, Some(way)) => flags::scenario(way.into(), arguments)?,
        (None, None) => return Err(Failure::input("needs a scenario, or --way")),
    };
    answer::answer(&scenario, arguments.explain, arguments.output)
}
