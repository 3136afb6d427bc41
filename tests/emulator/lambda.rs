//! AWS Lambda around the real binary: one `Sandbox` is one process with a Runtime API of its own.
//! It may be killed at any moment, and an asynchronous invocation is tried three times under the
//! same request id.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hyper::Method;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::cloud::lock;
use super::http::{self, Request, Reset, Response};

/// The longest that a Lambda may take here, as in the template.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What Lambda calls a function error.
#[derive(Debug, Clone)]
pub(crate) struct FunctionError {
    pub(crate) message: String,
    /// The process is gone: it was killed, it died, or it took too long.
    pub(crate) died: bool,
}

type Outcome = Result<Value, FunctionError>;

pub(crate) struct Sandbox {
    process: Option<u32>,
    invocations: mpsc::UnboundedSender<Invocation>,
    kill: Arc<Notify>,
    gone: watch::Receiver<bool>,
    timeout: Duration,
}

struct Invocation {
    request_id: String,
    event: Vec<u8>,
    reply: oneshot::Sender<Outcome>,
}

/// The Runtime API's side of one process.
struct Runtime {
    arn: String,
    timeout: Duration,
    said: Logs,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
}

impl Sandbox {
    /// Starts the process with nothing in its environment but what Lambda and the template put
    /// there.
    pub(crate) async fn start(
        arn: &str,
        environment: &[(&str, String)],
        timeout: Option<Duration>,
        kill: Arc<Notify>,
        logs: &Logs,
    ) -> Sandbox {
        let timeout = timeout.unwrap_or(TIMEOUT);
        let (invocations, waiting) = mpsc::unbounded_channel();
        let running = Mutex::default();
        let runtime = Arc::new(Runtime {
            arn: arn.to_owned(),
            timeout,
            said: logs.clone(),
            waiting: tokio::sync::Mutex::new(waiting),
            running,
        });
        let api = {
            let runtime = Arc::clone(&runtime);
            http::serve(move |request| Arc::clone(&runtime).answer(request)).await
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_ecr-promoter"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "ecr-promoter")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        logs.follow(child.stdout.take());
        logs.follow(child.stderr.take());
        let (went, gone) = watch::channel(false);
        let process = child.id();
        tokio::spawn(supervise(child, Arc::clone(&kill), went));
        Sandbox { process, invocations, kill, gone, timeout }
    }

    pub(crate) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// The most memory that the process has had, in bytes, where the system says so.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process?)).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(peak.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    }

    pub(crate) async fn invoke(&self, event: &[u8], request_id: &str) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let invocation =
            Invocation { request_id: request_id.to_owned(), event: event.to_vec(), reply };
        self.invocations.send(invocation).expect("the Runtime API is up");
        let message = tokio::select! {
            biased;
            Ok(outcome) = answer => return outcome,
            () = self.went() => "Runtime.ExitError: the process is gone",
            () = tokio::time::sleep(self.timeout) => {
                self.kill.notify_one();
                self.went().await;
                "Sandbox.Timedout: the function took longer than it may"
            }
        };
        Err(FunctionError { message: message.to_owned(), died: true })
    }

    async fn went(&self) {
        let _ = self.gone.clone().wait_for(|gone| *gone).await;
    }
}

async fn supervise(mut child: Child, kill: Arc<Notify>, went: watch::Sender<bool>) {
    tokio::select! {
        _ = child.wait() => {}
        () = kill.notified() => {
            let _ = child.kill().await;
        }
    }
    went.send_replace(true);
}

impl Runtime {
    async fn answer(self: Arc<Runtime>, request: Request) -> Result<Response, Reset> {
        let path = request.path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
        if request.method == Method::GET && path == "invocation/next" {
            let Some(invocation) = self.waiting.lock().await.recv().await else {
                return Err(Reset);
            };
            let deadline =
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970")
                    + self.timeout;
            let mut next = Response::new(200, "application/json", invocation.event);
            next.headers.extend([
                ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
                ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
                ("lambda-runtime-invoked-function-arn", self.arn.clone()),
                ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
            ]);
            *lock(&self.running) = Some((invocation.request_id, invocation.reply));
            return Ok(next);
        }
        self.said.add(&String::from_utf8_lossy(&request.body));
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let (request_id, outcome) = match path.split('/').collect::<Vec<_>>()[..] {
            ["invocation", id, "response"] => (Some(id), Ok(body)),
            ["invocation", id, "error"] => (Some(id), Err(function_error(&body))),
            ["init", "error"] => (None, Err(function_error(&body))),
            _ => return Ok(Response::new(404, "text/plain", "not a path of the Runtime API")),
        };
        let running = lock(&self.running).take();
        match running {
            Some((id, reply)) if request_id.is_none_or(|answered| answered == id) => {
                let _ = reply.send(outcome);
                Ok(Response::new(202, "application/json", r#"{"status":"OK"}"#))
            }
            _ => Ok(Response::new(400, "application/json", r#"{"errorType":"InvalidRequestID"}"#)),
        }
    }
}

fn function_error(body: &Value) -> FunctionError {
    FunctionError {
        message: body["errorMessage"].as_str().unwrap_or_default().to_owned(),
        died: false,
    }
}

/// What all processes of a test printed and answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<String>>, watch::Sender<()>);

impl Logs {
    pub(crate) fn text(&self) -> String {
        lock(&self.0).clone()
    }

    /// Waits for a line with these words: what a process prints arrives a little after its answer.
    pub(crate) async fn wait_for(&self, words: &str) {
        let mut changed = self.1.subscribe();
        while !self.text().contains(words) {
            changed.changed().await.expect("the sender lives as long as the logs");
        }
    }

    fn follow(&self, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let logs = self.clone();
        let mut lines = BufReader::new(stream.expect("piped")).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                logs.add(&line);
            }
        });
    }

    fn add(&self, line: &str) {
        let mut text = lock(&self.0);
        text.push_str(line);
        text.push('\n');
        drop(text);
        self.1.send_replace(());
    }
}
