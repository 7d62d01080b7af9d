//! Log lines: one small JSON object a line, for changes of state only. Callers pass no secret; an access key
//! id is none.

mod bounds;
mod queue;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};

use self::{bounds::LineBounds, queue::WriterQueue};

/// Where log lines go. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    out: Arc<Mutex<dyn Write + Send>>,
    /// The same, when lines go through a queue.
    queue: Option<WriterQueue>,
    /// What all lines say.
    context: Arc<[(&'static str, String)]>,
    /// Who causes the lines, when that is one of many.
    who: Option<Arc<str>>,
    bounds: Arc<LineBounds>,
}

impl Log {
    /// Logs to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self {
            out: Arc::new(Mutex::new(out)),
            queue: None,
            context: Arc::new([]),
            who: None,
            bounds: Arc::default(),
        }
    }

    /// Logs to `out` by a thread of its own: nobody waits for it, and what finds no room is counted in a line `LinesLeftOut`.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn queued(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = WriterQueue::start(out, |number| {
            let number = number.to_string();
            text("warn", "LinesLeftOut", [("number", number.as_str())])
        })?;
        Ok(Self {
            queue: Some(queue.clone()),
            ..Self::new(queue)
        })
    }

    /// Waits until lines that are on their way are written, for so long at most. Before the process ends.
    pub fn flush(&self, patience: Duration) {
        if let Some(queue) = &self.queue {
            queue.flush(patience);
        }
    }

    /// The same for `who`, one of many, whose lines say this first: of one event and code, only some in a minute are written. The next one
    /// says how many were not (`left_out`). All that come of one log count together.
    #[must_use]
    pub fn bounded(&self, who: &str, context: Vec<(&'static str, String)>) -> Self {
        Self {
            context: context.into(),
            who: Some(who.into()),
            ..self.clone()
        }
    }

    /// Logs to standard output.
    pub fn stdout() -> Self {
        Self::new(std::io::stdout())
    }

    /// Something went as it should.
    pub fn info(&self, event: &str, fields: &[(&str, &str)]) {
        self.line("info", event, fields);
    }

    /// Something an operator may have to look at.
    pub fn warn(&self, event: &str, fields: &[(&str, &str)]) {
        self.line("warn", event, fields);
    }

    fn line(&self, level: &str, event: &str, fields: &[(&str, &str)]) {
        let mut left_out = 0;
        if let Some(who) = &self.who {
            let code = fields.iter().find(|(name, _)| *name == "code");
            let code = code.map_or("", |(_, code)| code);
            match self.bounds.pass(format!("{who} {event} {code}")) {
                Some(number) => left_out = number,
                None => return,
            }
        }
        let number = (left_out > 0).then(|| left_out.to_string());
        let context = self.context.iter().map(|(name, value)| (*name, value.as_str()));
        let number = number.iter().map(|number| ("left_out", number.as_str()));
        let line = text(level, event, context.chain(fields.iter().copied()).chain(number));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads the log any more: no reason to stop serving credentials.
        out.write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .unwrap_or_default();
    }
}

/// A line of these `fields`.
fn text<'a>(level: &str, event: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), Value::from(jiff::Timestamp::now().to_string()));
    object.insert("level".to_owned(), Value::from(level));
    object.insert("event".to_owned(), Value::from(event));
    for (name, value) in fields {
        object.insert(name.to_owned(), Value::from(value));
    }
    format!("{}\n", Value::Object(object))
}
