//! Other programs: started, listened to, ended with the test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{PATIENCE, eventually};

/// Lines that nobody has asked for yet; a program that writes more waits.
const LINES_MAX: usize = 4096;

/// A program that runs beside the test. Killed when dropped; what it wrote to standard error is shown if the test failed.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    stderr: File,
}

impl Process {
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let stderr = tempfile::tempfile().expect("a temporary file");
        let handle = stderr.try_clone().expect("a second handle");
        Self::start(name, command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(handle), stderr)
    }

    /// Two programs, as in `first 2>&1 | second`.
    pub fn pipe(first: (&str, Command), second: (&str, Command)) -> [Self; 2] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let also = writer.try_clone().expect("a second handle");
        let stderr = tempfile::tempfile().expect("a temporary file");
        let handle = stderr.try_clone().expect("a second handle");
        let ((name, mut command), nothing) = (first, tempfile::tempfile().expect("a temporary file"));
        let first = Self::start(name, command.stdin(Stdio::null()).stdout(writer).stderr(also), nothing);
        let (name, mut command) = second;
        [first, Self::start(name, command.stdin(reader).stdout(Stdio::piped()).stderr(handle), stderr)]
    }

    fn start(name: &str, command: &mut Command, stderr: File) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("`{name}` cannot be started: {error}"));
        let (sender, lines) = mpsc::channel(LINES_MAX);
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, lines, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line on its standard output; `None` when it has closed it.
    pub async fn line(&mut self) -> Option<String> {
        let line = timeout(PATIENCE, self.lines.recv()).await;
        line.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for `{}` to say something", self.name))
    }

    /// Writes to its standard input.
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("not closed yet");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap_or_else(|error| panic!("`{}` does not read: {error}", self.name));
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        // The shell has it built in; not every machine has a program `kill`.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().expect("a shell");
        assert!(sent.success(), "`{}` has ended already\n{}", self.name, self.errors());
    }

    /// Ends it at once, without a chance to clean up.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    pub async fn finished(&mut self) -> ExitStatus {
        self.close_stdin();
        let what = format!("the end of `{}`", self.name);
        eventually(&what, async || self.child.try_wait().expect("a child")).await
    }

    /// What it has written to standard error so far.
    pub fn errors(&self) -> String {
        let mut text = Vec::new();
        let mut file = self.stderr.try_clone().expect("a second handle");
        file.rewind().and_then(|()| file.read_to_end(&mut text)).expect("a readable file");
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- standard error of `{}`:\n{}", self.name, self.errors());
        }
    }
}

/// The program under test, with nothing of this process's environment that could steer it.
pub fn overrun(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overrun"));
    command.args(arguments).env_remove("DATABASE_URL");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OVERRUN__") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
}

/// What became of a program that ran to its end.
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program under test to its end, with `stdin` as its standard input.
pub fn run(command: &mut Command, stdin: &[u8]) -> Finished {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary was built");
    let mut pipe = child.stdin.take().expect("piped");
    let bytes = stdin.to_vec();
    let writer = std::thread::spawn(move || {
        // It may end without having read everything.
        let _ = pipe.write_all(&bytes);
    });
    let output = child.wait_with_output().expect("a child");
    writer.join().expect("no panic");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Finished {
        code: output.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", output.status)),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The most memory that a process has had in use, in MiB.
pub fn peak_memory_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}
