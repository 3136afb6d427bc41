//! Parameter Store: the configuration. Its reads may be stale, so the state is not stored there.

use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::link::{NotPublic, PublicUrl};
use crate::model::config::ConfigError;

impl Clients {
    /// Reads a parameter's value; `None` if there is no such parameter.
    pub(super) async fn parameter(&self, name: &str) -> Result<Option<String>, Error> {
        let request = self.ssm.get_parameter().name(name);
        match self.patiently("ssm:GetParameter", || request.clone().send()).await {
            Ok(output) => Ok(output.parameter.and_then(|parameter| parameter.value)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => {
                Ok(None)
            }
            Err(error) => Err(failed("ssm:GetParameter", format!("parameter `{name}`"), &error)),
        }
    }

    /// Reads the function's own address; `None` if it is not set.
    pub(super) async fn read_public_url(&self) -> Result<Option<PublicUrl>, Error> {
        let name = self.settings.public_url_parameter();
        let Some(text) = self.parameter(&name).await?.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let place = format!("Parameter Store {name}");
        let wrong = |e: NotPublic| ConfigError {
            place,
            key: None,
            problem: format!("{e}; template.yaml writes it"),
        };
        Ok(Some(text.parse().map_err(wrong)?))
    }

    /// Calls `take` with the name and value of each parameter under a path. The service returns at
    /// most 10 a page.
    pub(super) async fn parameters(
        &self,
        path: &str,
        mut take: impl FnMut(String, String),
    ) -> Result<(), Error> {
        let mut request = self.ssm.get_parameters_by_path().path(path).recursive(true);
        loop {
            let page = self.patiently("ssm:GetParametersByPath", || request.clone().send()).await;
            let page = page.map_err(|error| {
                failed("ssm:GetParametersByPath", format!("path `{path}`"), &error)
            })?;
            for parameter in page.parameters.unwrap_or_default() {
                if let Some((name, value)) = parameter.name.zip(parameter.value) {
                    take(name, value);
                }
            }
            match page.next_token.filter(|token| !token.is_empty()) {
                Some(token) => request = request.next_token(token),
                None => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
