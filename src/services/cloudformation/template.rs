//! The template of a stack, for a check of the parameter that gets the tag. Reads only.

use aws_sdk_cloudformation::types::ParameterDeclaration;
use futures_util::future::join;

use crate::error::Error;
use crate::model::checkup::template::{Declared, Limits, Template};
use crate::services::failure::failed;
use crate::services::site::Site;

impl Site<'_> {
    /// Reads what the stack's template says about its parameters. The text of the template is read
    /// too, since only that has AllowedPattern.
    pub(in crate::services) async fn template(
        &self,
        stack: &str,
        parameter: &str,
    ) -> Result<Template, Error> {
        let (summary, limits) = join(self.summary(stack), self.limits(stack, parameter)).await;
        let summary = summary?;
        let declared = summary.parameters.unwrap_or_default();
        let is_ssm = |it: &&ParameterDeclaration| kind(it).starts_with("AWS::SSM::Parameter");
        let ssm_typed = declared.iter().filter(is_ssm);
        let own = declared.iter().find(|it| it.parameter_key() == Some(parameter));
        let capabilities = summary.capabilities.unwrap_or_default();
        Ok(Template {
            capabilities: capabilities.iter().map(|it| it.as_str().to_owned()).collect(),
            transforms: summary.declared_transforms.unwrap_or_default(),
            parameter: own.map(declaration),
            ssm_typed: ssm_typed.filter_map(|it| it.parameter_key.clone()).collect(),
            limits,
        })
    }

    async fn summary(
        &self,
        stack: &str,
    ) -> Result<
        aws_sdk_cloudformation::operation::get_template_summary::GetTemplateSummaryOutput,
        Error,
    > {
        const ACTION: &str = "cloudformation:GetTemplateSummary";
        let request = self.cloudformation.get_template_summary().stack_name(stack);
        let answer = self.clients.patiently(ACTION, || request.clone().send()).await;
        answer.map_err(|error| failed(ACTION, format!("stack `{stack}`"), &error))
    }

    async fn limits(&self, stack: &str, parameter: &str) -> Result<Limits, String> {
        const ACTION: &str = "cloudformation:GetTemplate";
        let request = self.cloudformation.get_template().stack_name(stack);
        let answer = self.clients.patiently(ACTION, || request.clone().send()).await;
        let answer = answer
            .map_err(|error| failed(ACTION, format!("stack `{stack}`"), &error).to_string())?;
        Limits::of(answer.template_body().unwrap_or_default(), parameter)
    }
}

fn kind(declared: &ParameterDeclaration) -> &str {
    declared.parameter_type().unwrap_or_default()
}

fn declaration(declared: &ParameterDeclaration) -> Declared {
    let constraints = declared.parameter_constraints();
    Declared {
        kind: kind(declared).to_owned(),
        no_echo: declared.no_echo() == Some(true),
        allowed_values: constraints.map(|it| it.allowed_values().to_vec()).unwrap_or_default(),
    }
}
