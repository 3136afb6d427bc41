//! Parameter Store: configuration. Reads may be stale, which is why no state is kept there.

use super::{Aws, failed};
use crate::error::Error;

impl Aws {
    /// A parameter's value; `None` if there is no such parameter.
    pub(super) async fn parameter(&self, name: &str) -> Result<Option<String>, Error> {
        match self.ssm.get_parameter().name(name).send().await {
            Ok(output) => Ok(output.parameter.and_then(|parameter| parameter.value)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => Ok(None),
            Err(error) => Err(failed("ssm:GetParameter", format!("parameter `{name}`"), &error)),
        }
    }

    /// All parameters under a path, by name: 10 a page, which is all that the service gives.
    pub(super) async fn parameters(&self, path: &str) -> Result<Vec<(String, String)>, Error> {
        let mut pages = self.ssm.get_parameters_by_path().path(path).recursive(true).into_paginator().send();
        let mut parameters = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("ssm:GetParametersByPath", format!("path `{path}`"), &error))?;
            parameters.extend(page.parameters.unwrap_or_default().into_iter().filter_map(|parameter| parameter.name.zip(parameter.value)));
        }
        Ok(parameters)
    }
}
