//! AWS Lambda around one process: the Runtime API on a loopback port, and the invocations.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::aws::{ACCOUNT, REGION};
use crate::processor::{Limit, Share};

/// The longest that an invocation may take. The slowest variant needs some seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What one invocation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// When the event was handed over.
    pub(crate) started: Instant,
    pub(crate) took: Duration,
    /// The answer, or the message of a function error.
    pub(crate) answer: Result<Value, String>,
}

struct Invocation {
    event: Bytes,
    request_id: String,
    reply: oneshot::Sender<Outcome>,
}

struct Running {
    started: Instant,
    reply: oneshot::Sender<Outcome>,
}

struct Runtime {
    ready: watch::Sender<Option<Instant>>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<Option<Running>>,
}

/// A process that takes one invocation at a time.
pub(crate) struct Sandbox {
    pub(crate) child: Child,
    pub(crate) pid: u32,
    /// The time from the start of the process until it asked for its first event.
    pub(crate) ready: Duration,
    invocations: mpsc::UnboundedSender<Invocation>,
    api: AbortHandle,
    _limit: Option<Limit>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.api.abort();
    }
}

impl Sandbox {
    /// Starts the command and waits until it asks for an event. It has the whole processor until
    /// then, as on Lambda, and only its share from then on.
    pub(crate) async fn start(command: &mut Command, share: Option<&Share>) -> io::Result<Sandbox> {
        let (invocations, waiting) = mpsc::unbounded_channel();
        let (ready, mut is_ready) = watch::channel(None);
        let waiting = tokio::sync::Mutex::new(waiting);
        let runtime = Arc::new(Runtime { ready, waiting, running: Mutex::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        command
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "ecr-promoter")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let api = tokio::spawn(accept(listener, runtime)).abort_handle();
        let start = Instant::now();
        let mut child = command.spawn()?;
        let first = tokio::select! {
            asked = is_ready.wait_for(Option::is_some) => asked.ok().and_then(|at| *at),
            status = child.wait() => {
                let words = format!("it ended before its first event: {status:?}");
                return Err(io::Error::other(words));
            }
            () = tokio::time::sleep(TIMEOUT) => None,
        };
        let late = || io::Error::other("it did not ask for an event within a minute");
        let ready = first.ok_or_else(late)?.saturating_duration_since(start);
        let pid = child.id().unwrap_or_default();
        let limit = share.map(|share| share.limit(pid)).transpose()?;
        Ok(Sandbox { child, pid, ready, invocations, api, _limit: limit })
    }

    /// Hands over an event and waits for the answer.
    pub(crate) async fn invoke(&mut self, event: &Value, request_id: &str) -> io::Result<Outcome> {
        let (reply, answer) = oneshot::channel();
        let event = Bytes::from(event.to_string());
        let invocation = Invocation { event, request_id: request_id.to_owned(), reply };
        let gone = || io::Error::other("the process is gone");
        self.invocations.send(invocation).map_err(|_| gone())?;
        tokio::select! {
            answer = answer => answer.map_err(|_| gone()),
            status = self.child.wait() => {
                Err(io::Error::other(format!("it ended during an invocation: {status:?}")))
            }
            () = tokio::time::sleep(TIMEOUT) => {
                Err(io::Error::other("the invocation took more than a minute"))
            }
        }
    }
}

async fn accept(listener: TcpListener, runtime: Arc<Runtime>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let runtime = Arc::clone(&runtime);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let runtime = Arc::clone(&runtime);
                async move { runtime.answer(request).await }
            });
            // The process may go away at any moment.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Response = hyper::Response<Full<Bytes>>;

impl Runtime {
    async fn answer(&self, request: hyper::Request<Incoming>) -> Result<Response, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path().strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
        if head.method == Method::GET && path == "invocation/next" {
            return Ok(self.next().await);
        }
        let read = || serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let answer = match path.split('/').collect::<Vec<_>>()[..] {
            ["invocation", _, "response"] => Ok(read()),
            ["invocation", _, "error"] | ["init", "error"] => {
                Err(read()["errorMessage"].as_str().unwrap_or("no message").to_owned())
            }
            _ => return Ok(respond(404, Bytes::new())),
        };
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { started, reply }) = running {
            // Nobody waits any longer where the invocation took too long.
            let _ = reply.send(Outcome { started, took: started.elapsed(), answer });
        }
        Ok(respond(202, Bytes::from_static(br#"{"status":"OK"}"#)))
    }

    async fn next(&self) -> Response {
        if self.ready.borrow().is_none() {
            self.ready.send_replace(Some(Instant::now()));
        }
        let invocation = self.waiting.lock().await.recv().await;
        let Some(Invocation { event, request_id, reply }) = invocation else {
            return respond(410, Bytes::new());
        };
        let deadline = SystemTime::now() + TIMEOUT;
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut response = respond(200, event);
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:ecr-promoter");
        for (name, value) in [
            ("lambda-runtime-aws-request-id", request_id),
            ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
            ("lambda-runtime-invoked-function-arn", arn),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        let running = Running { started: Instant::now(), reply };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        response
    }
}

fn respond(status: u16, body: Bytes) -> Response {
    let mut response = hyper::Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}
