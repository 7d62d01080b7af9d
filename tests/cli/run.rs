//! Running `deputy`.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

/// What a run left behind.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `deputy` with `arguments` and `input`, in the root of the repository and with no environment.
pub fn deputy(arguments: &[&str], input: &str) -> Done {
    deputy_on(arguments, input.as_bytes().to_vec())
}

/// The same with input that need not be text.
pub fn deputy_on(arguments: &[&str], input: Vec<u8>) -> Done {
    let mut child = Command::new(env!("CARGO_BIN_EXE_deputy"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A child that does not read to the end closes the pipe.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Done {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A file with `text`, for the length of a test.
pub struct File(std::path::PathBuf);

impl File {
    pub fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = std::env::temp_dir().join(format!("deputy-cli-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// A folder, for the length of a test.
pub struct Folder(std::path::PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("deputy-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    pub fn add(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
