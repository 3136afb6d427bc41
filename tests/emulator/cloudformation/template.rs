//! The template of a stack, as a check reads it.

use std::fmt::Write;

use super::Stack;
use crate::emulator::fault::escape;

/// What the template says besides the parameters that the stack has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template {
    /// YAML or JSON.
    pub(crate) text: String,
    pub(crate) transforms: Vec<&'static str>,
    pub(crate) capabilities: Vec<&'static str>,
    /// The AllowedValues of `ProductionTag`.
    pub(crate) allowed_values: Vec<&'static str>,
}

pub(super) fn summary(stack: &Stack) -> String {
    let Template { transforms, capabilities, allowed_values, .. } = &stack.template;
    let mut parameters = String::new();
    for parameter in &stack.parameters {
        let kind = match parameter.resolved {
            Some(_) => "AWS::SSM::Parameter::Value&lt;String&gt;",
            None => "String",
        };
        let constraints = match parameter.key.as_str() {
            "ProductionTag" => format!(
                "<ParameterConstraints><AllowedValues>{}</AllowedValues></ParameterConstraints>",
                members(allowed_values)
            ),
            _ => String::new(),
        };
        let (key, hidden) = (&parameter.key, parameter.no_echo);
        write!(
            parameters,
            "<member><ParameterKey>{key}</ParameterKey><ParameterType>{kind}</ParameterType>\
             <NoEcho>{hidden}</NoEcho>{constraints}</member>"
        )
        .expect("a String takes it");
    }
    format!(
        "<Parameters>{parameters}</Parameters><Capabilities>{}</Capabilities>\
         <DeclaredTransforms>{}</DeclaredTransforms>",
        members(capabilities),
        members(transforms)
    )
}

pub(super) fn text(stack: &Stack) -> String {
    format!("<TemplateBody>{}</TemplateBody>", escape(&stack.template.text))
}

fn members(list: &[&str]) -> String {
    list.iter().map(|one| format!("<member>{one}</member>")).collect()
}
