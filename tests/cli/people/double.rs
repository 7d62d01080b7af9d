//! An API server as far as a person's credentials go: plain HTTP on loopback, which answers what the test says and records what it was asked.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method and path.
    pub line: String,
    /// In small letters.
    pub headers: String,
    pub body: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Say {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    next: VecDeque<Say>,
    is_shut: bool,
}

/// The server. The last answer that it was given is given again and again; without one it gives sessions, each another one.
#[derive(Clone)]
pub struct ApiDouble {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl ApiDouble {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let double = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        let serving = double.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let double = serving.clone();
                thread::spawn(move || double.serve(&stream.unwrap()));
            }
        });
        double
    }

    /// What is answered from now on.
    pub fn says(&self, answers: impl IntoIterator<Item = Say>) {
        self.state.0.lock().unwrap().next = answers.into_iter().collect();
    }

    /// Answers nobody until it is opened.
    pub fn shut(&self, is_shut: bool) {
        self.state.0.lock().unwrap().is_shut = is_shut;
        self.state.1.notify_all();
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.0.lock().unwrap().seen.clone()
    }

    /// Waits until it was asked so often.
    pub fn wait_for(&self, requests: usize) {
        let (state, changed) = &*self.state;
        let waited = changed.wait_timeout_while(state.lock().unwrap(), Duration::from_secs(60), |s| {
            s.seen.len() < requests
        });
        assert!(!waited.unwrap().1.timed_out());
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let headers = lines[1..].join("\n").to_lowercase();
        let length = headers
            .lines()
            .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        state.seen.push(Seen {
            line: lines[0].trim_end_matches(" HTTP/1.1").to_owned(),
            headers,
            body: String::from_utf8(body).unwrap(),
        });
        let number = state.seen.len();
        changed.notify_all();
        let mut state = changed.wait_while(state, |s| s.is_shut).unwrap();
        let answer = match state.next.len() {
            0 => session(number, Duration::from_secs(3600)),
            1 => state.next[0].clone(),
            _ => state.next.pop_front().unwrap(),
        };
        drop(state);
        let Say {
            status,
            headers,
            body,
        } = answer;
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        let mut stream = stream;
        drop(stream.write_all(text.as_bytes()));
    }
}

/// A session of its own, which lives so long.
pub fn session(number: usize, life: Duration) -> Say {
    let until = jiff::Timestamp::now() + life;
    let status = serde_json::json!({
        "accessKeyID": format!("ASIASESSION{number}"), "secretAccessKey": "hunter2-key", "sessionToken": "hunter2-session",
        "expirationTimestamp": until, "accountID": "111122223333", "region": "eu-west-1",
        "roleARN": "arn:aws:iam::111122223333:role/r", "sessionName": "alice",
    });
    let body = serde_json::json!({
        "apiVersion": "credentials.deputy.dev/v1alpha1", "kind": "CredentialRequest",
        "metadata": {"name": "reports", "namespace": "payments"}, "spec": {"durationSeconds": 3600}, "status": status,
    });
    Say {
        status: 201,
        headers: "Content-Type: application/json\r\n".into(),
        body: body.to_string(),
    }
}

/// A `Status`; `cause` is empty where the API server itself refuses.
pub fn failure(status: u16, cause: &str, message: &str) -> Say {
    let cause = (!cause.is_empty()).then(|| serde_json::json!({"reason": cause, "message": message}));
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": message,
        "details": {"group": "credentials.deputy.dev", "kind": "awsrolebindings", "name": "reports",
                    "causes": cause.into_iter().collect::<Vec<_>>()},
    });
    Say {
        status,
        headers: "Content-Type: application/json\r\n".into(),
        body: body.to_string(),
    }
}
