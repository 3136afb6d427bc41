//! A state as this sandbox wrote it last.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::model::AppName;

/// A state as this sandbox wrote it last.
#[derive(Debug)]
pub(super) struct Written {
    /// The app.
    pub(super) app: AppName,
    /// Its item, with its nonce.
    pub(super) item: HashMap<String, AttributeValue>,
}
