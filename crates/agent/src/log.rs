//! Log lines: one small JSON object a line, for changes of state only. Callers pass no secret; an access key
//! id is none.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value};

/// Where log lines go. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    out: Arc<Mutex<dyn Write + Send>>,
    /// What all lines say.
    context: Arc<[(&'static str, String)]>,
}

impl Log {
    /// Logs to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self {
            out: Arc::new(Mutex::new(out)),
            context: Arc::new([]),
        }
    }

    /// The same, whose lines say this first.
    #[must_use]
    pub fn with(&self, context: Vec<(&'static str, String)>) -> Self {
        Self {
            out: Arc::clone(&self.out),
            context: context.into(),
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
        let mut object = Map::new();
        object.insert("time".to_owned(), Value::from(jiff::Timestamp::now().to_string()));
        object.insert("level".to_owned(), Value::from(level));
        object.insert("event".to_owned(), Value::from(event));
        for (name, value) in self.context.iter() {
            object.insert((*name).to_owned(), Value::from(value.as_str()));
        }
        for (name, value) in fields {
            object.insert((*name).to_owned(), Value::from(*value));
        }
        let line = format!("{}\n", Value::Object(object));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads the log any more: no reason to stop serving credentials.
        out.write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .unwrap_or_default();
    }
}
