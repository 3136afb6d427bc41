mod create;
mod execute;
mod read;

use aws_smithy_types::body::SdkBody;
use http::Response;

use crate::services::samples::TOKEN;
use crate::services::wire::form_error;

/// The ARN of the promotion's change set.
const CHANGE_SET_ID: &str = "arn:aws:cloudformation:us-east-1:012345678912:\
                             changeSet/ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386/1";

fn not_found() -> Response<SdkBody> {
    form_error(404, "ChangeSetNotFound", &format!("ChangeSet [{TOKEN}] does not exist"))
}
