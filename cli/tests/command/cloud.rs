//! AWS as far as the command uses it, on 127.0.0.1, and the command itself.

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

/// What the Lambda answers.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// The function's answer.
    Json(Value),
    /// The function's answer, as bytes.
    Bytes(Vec<u8>),
    /// The function failed: its error's type and message.
    Failed(&'static str, String),
    /// Lambda refuses the call: the status, the error's code and its message.
    Refused(u16, &'static str, String),
    /// The connection is closed without an answer.
    Lost,
}

/// What STS and CloudFormation answer; `None` denies the call.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    pub(crate) caller: Option<&'static str>,
    /// The outputs of the stack.
    pub(crate) outputs: Result<Vec<(&'static str, &'static str)>, (&'static str, &'static str)>,
}

/// The ARN of whoever runs the command.
pub(crate) const CALLER: &str = "arn:aws:sts::012345678912:assumed-role/Admin/alice";

impl Default for Around {
    fn default() -> Self {
        Self { caller: Some(CALLER), outputs: Ok(vec![("FunctionName", "promoter")]) }
    }
}

type Answers = dyn Fn(&Value) -> Said + Send + Sync;

/// The AWS, which remembers the commands that its function got.
pub(crate) struct Cloud {
    address: String,
    commands: Arc<Mutex<Vec<Value>>>,
    functions: Arc<Mutex<Vec<String>>>,
}

impl Cloud {
    /// A function that answers so.
    pub(crate) async fn new(answers: impl Fn(&Value) -> Said + Send + Sync + 'static) -> Self {
        Self::with(Around::default(), answers).await
    }

    pub(crate) async fn with(
        around: Around,
        answers: impl Fn(&Value) -> Said + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let commands = Arc::new(Mutex::new(Vec::new()));
        let functions = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Answers> = Arc::new(answers);
        let cloud = Self { address, commands: commands.clone(), functions: functions.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (commands, functions) = (commands.clone(), functions.clone());
                let (answers, around) = (answers.clone(), around.clone());
                let service = service_fn(move |request| {
                    let (commands, functions) = (commands.clone(), functions.clone());
                    let (answers, around) = (answers.clone(), around.clone());
                    async move { serve(request, &commands, &functions, &*answers, &around).await }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        cloud
    }

    /// The commands so far, without their version, ids and names.
    pub(crate) fn commands(&self) -> Vec<Value> {
        let mut commands = self.whole_commands();
        for command in &mut commands {
            let keys = command.as_object_mut().expect("an object");
            for key in ["version", "id", "by"] {
                keys.remove(key);
            }
        }
        commands
    }

    /// The commands so far.
    pub(crate) fn whole_commands(&self) -> Vec<Value> {
        self.commands.lock().expect("no panic").clone()
    }

    /// The functions that were invoked.
    pub(crate) fn functions(&self) -> Vec<String> {
        self.functions.lock().expect("no panic").clone()
    }

    /// The command with these words, in an environment that has nothing else.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promote"));
        command
            .args(words)
            .env_clear()
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the command to its end.
    pub(crate) async fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().await.expect("the command runs"))
    }
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code();
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    /// Checks the exit code; the message shows what was printed.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Checks the whole of stdout.
    #[track_caller]
    pub(crate) fn prints(&self, stdout: &str) -> &Self {
        assert_eq!(self.stdout, stdout, "{self:#?}");
        self
    }

    /// Checks a part of stderr.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "{words:?} is missing: {self:#?}");
        self
    }
}

async fn serve(
    request: Request<Incoming>,
    commands: &Mutex<Vec<Value>>,
    functions: &Mutex<Vec<String>>,
    answers: &Answers,
    around: &Around,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    if let Some(rest) = path.strip_prefix("/2015-03-31/functions/") {
        let name = rest.strip_suffix("/invocations").expect("an invocation");
        functions.lock().expect("no panic").push(name.to_owned());
        let command: Value = serde_json::from_slice(&body).expect("JSON");
        commands.lock().expect("no panic").push(command.clone());
        return Ok(lambda(answers(&command)));
    }
    let form = String::from_utf8_lossy(&body).into_owned();
    if form.contains("Action=GetCallerIdentity") {
        return Ok(match around.caller {
            Some(arn) => xml(
                200,
                format!(
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
                ),
            ),
            None => denied("AccessDenied", "no"),
        });
    }
    assert!(form.contains("Action=DescribeStacks"), "{path} {form}");
    Ok(match &around.outputs {
        Err((code, message)) => denied(code, message),
        Ok(outputs) => {
            let outputs: String = outputs
                .iter()
                .map(|(key, value)| {
                    format!(
                        "<member><OutputKey>{key}</OutputKey>\
                         <OutputValue>{value}</OutputValue></member>"
                    )
                })
                .collect();
            xml(
                200,
                format!(
                    "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>\
                 <StackName>ecr-promoter</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
                 <CreationTime>2026-10-01T00:00:00Z</CreationTime>\
                 <Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult>\
                 </DescribeStacksResponse>"
                ),
            )
        }
    })
}

fn lambda(said: Said) -> Response<Full<Bytes>> {
    let answer = Response::builder();
    let full = |value: Value| Full::from(value.to_string());
    let answer = match said {
        Said::Json(value) => answer.body(full(value)),
        Said::Bytes(bytes) => answer.body(Full::from(bytes)),
        Said::Failed(kind, message) => answer
            .header("X-Amz-Function-Error", "Unhandled")
            .body(full(json!({"errorType": kind, "errorMessage": message}))),
        Said::Refused(status, code, message) => answer
            .status(status)
            .header("x-amzn-ErrorType", code)
            .body(full(json!({"Message": message}))),
        Said::Lost => panic!("the connection is lost"),
    };
    answer.expect("an answer")
}

fn denied(code: &str, message: &str) -> Response<Full<Bytes>> {
    let error = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error></ErrorResponse>"
    );
    xml(400, error)
}

fn xml(status: u16, text: String) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header("content-type", "text/xml");
    answer.body(Full::from(text)).expect("an answer")
}
