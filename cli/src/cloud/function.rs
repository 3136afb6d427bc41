//! The function: how it is found, and how it is asked.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::primitives::Blob;
use serde::Deserialize;

use crate::args::Connection;
use crate::cloud::aws::Aws;
use crate::command::Command;
use crate::exit::failure::Failure;
use crate::mismatch;

/// The output of the stack that names the function.
const OUTPUT: &str = "FunctionName";
/// How long one attempt may take: the function's 60 seconds, and some for the way.
const ONE_ATTEMPT: Duration = Duration::from_secs(75);
/// How long all attempts may take.
const ALL_ATTEMPTS: Duration = Duration::from_secs(180);

/// The function.
pub struct Function<'a> {
    aws: &'a Aws,
    client: aws_sdk_lambda::Client,
    name: String,
}

/// What Lambda returns where the function failed.
#[derive(Debug, Deserialize)]
struct FunctionError {
    #[serde(rename = "errorType", default)]
    kind: String,
    #[serde(rename = "errorMessage", default)]
    message: String,
}

impl<'a> Function<'a> {
    /// Finds the function: by its name, or in the stack's outputs.
    pub async fn find(aws: &'a Aws, connection: &Connection) -> Result<Self, Failure> {
        let own = connection.function.clone().filter(|name| !name.is_empty());
        let name = match own {
            Some(name) => name,
            None => name_in_stack(aws, &connection.stack).await?,
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(ONE_ATTEMPT)
            .operation_attempt_timeout(ONE_ATTEMPT)
            .operation_timeout(ALL_ATTEMPTS)
            .build();
        let config = aws_sdk_lambda::config::Builder::from(&aws.config).timeout_config(timeouts);
        let client = aws_sdk_lambda::Client::from_conf(config.build());
        Ok(Self { aws, client, name })
    }

    /// Invokes the function, and returns its answer. The SDK may repeat the call: a command that
    /// changes something carries its own id, so it acts once.
    pub async fn invoke(&self, command: &Command) -> Result<Vec<u8>, Failure> {
        let payload = Blob::new(command.payload());
        let call = self.client.invoke().function_name(&self.name).payload(payload);
        let answer = call.send().await.map_err(|error| self.explain(&error))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_none() {
            return Ok(payload);
        }
        let error: FunctionError = serde_json::from_slice(&payload).unwrap_or_else(|_| {
            let message = String::from_utf8_lossy(&payload).into_owned();
            FunctionError { kind: "Unknown".to_owned(), message }
        });
        Err(mismatch::function_error(&error.kind, &error.message, command.action))
    }

    fn explain(&self, error: &SdkError<aws_sdk_lambda::operation::invoke::InvokeError>) -> Failure {
        let name = &self.name;
        let code = error.as_service_error().and_then(|answer| answer.code());
        if code == Some("ResourceNotFoundException") {
            let region = self.aws.config.region().map(ToString::to_string).unwrap_or_default();
            return Failure::failed(format!(
                "There is no function `{name}` in {region}: check --function, --region and \
                 --profile"
            ));
        }
        self.aws.explain(error, "lambda:InvokeFunction", &format!("`{name}`"))
    }
}

/// Reads the function's name in the outputs of the stack.
async fn name_in_stack(aws: &Aws, stack: &str) -> Result<String, Failure> {
    let client = aws_sdk_cloudformation::Client::new(&aws.config);
    let region = aws.config.region().map(ToString::to_string).unwrap_or_default();
    let answer = client.describe_stacks().stack_name(stack).send().await.map_err(|error| {
        let service = error.as_service_error();
        if service.and_then(|its| its.message()).is_some_and(|its| its.contains("does not exist")) {
            return Failure::failed(format!(
                "There is no stack `{stack}` in {region}. Give --stack, --region or --profile, or \
                 name the function with --function"
            ));
        }
        let mut failure =
            aws.explain(&error, "cloudformation:DescribeStacks", &format!("stack `{stack}`"));
        failure.words.push_str(". With --function or ECR_PROMOTER_FUNCTION the stack is not read");
        failure
    })?;
    let outputs = answer.stacks().iter().flat_map(|stack| stack.outputs());
    let mut names = outputs.filter(|output| output.output_key() == Some(OUTPUT));
    let name = names.find_map(|output| output.output_value()).map(str::to_owned);
    name.ok_or_else(|| {
        Failure::failed(format!(
            "The stack `{stack}` in {region} has no output `{OUTPUT}`: it is not ecr-promoter's. \
             Give --stack or --function"
        ))
    })
}
