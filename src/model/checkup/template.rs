//! The part of a stack's template that a promotion depends on.

use saphyr_parser::{Event, Parser};

/// What a template says about the stack's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The capabilities that an update must acknowledge.
    pub capabilities: Vec<String>,
    /// The transforms.
    pub transforms: Vec<String>,
    /// The parameter that gets the tag, where the template has it.
    pub parameter: Option<Declared>,
    /// The names of the SSM-typed parameters.
    pub ssm_typed: Vec<String>,
    /// What the parameter allows, which only the template's text says; the error says why that is
    /// not known.
    pub limits: Result<Limits, String>,
}

/// The declaration of a parameter, as `GetTemplateSummary` answers it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// Its type.
    pub kind: String,
    /// Whether its value is hidden.
    pub no_echo: bool,
    /// The only values that it takes; empty for any.
    pub allowed_values: Vec<String>,
}

/// What a parameter's value must look like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// `AllowedPattern`: a regular expression for the whole value.
    pub pattern: Option<String>,
    /// `MaxLength`, in characters.
    pub longest: Option<usize>,
}

/// The deepest level that is looked at: a key of a parameter.
const DEEPEST: usize = 3;

impl Limits {
    /// Reads the limits of one parameter from a template's text, YAML or JSON.
    pub fn of(template: &str, parameter: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        // The keys on the way to where the reader is; a sequence has none.
        let mut path: Vec<String> = Vec::new();
        // For each open collection: whether it is a mapping, and whether a key comes next in it.
        let mut open: Vec<(bool, bool)> = Vec::new();
        for event in Parser::new_from_str(template) {
            let (event, _) = event.map_err(|error| format!("it cannot be read: {error}"))?;
            match event {
                Event::Scalar(text, ..) => match open.last_mut() {
                    Some((true, is_key @ true)) => {
                        *is_key = false;
                        path.truncate(open.len() - 1);
                        path.push(text.into_owned());
                    }
                    Some((true, is_key)) => {
                        *is_key = true;
                        if open.len() == DEEPEST && path[..2] == ["Parameters", parameter] {
                            limits.note(&path[2], &text);
                        }
                    }
                    Some((false, _)) | None => {}
                },
                Event::MappingStart(..) | Event::SequenceStart(..) => {
                    if let Some((true, is_key)) = open.last_mut() {
                        *is_key = true;
                    }
                    let is_mapping = matches!(event, Event::MappingStart(..));
                    open.push((is_mapping, is_mapping));
                    path.resize(open.len() - 1, String::new());
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    open.pop();
                    path.truncate(open.len());
                }
                Event::Alias(_) => {
                    if let Some((true, is_key)) = open.last_mut() {
                        *is_key = !*is_key;
                    }
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
            }
        }
        Ok(limits)
    }

    fn note(&mut self, key: &str, value: &str) {
        match key {
            "AllowedPattern" => self.pattern = Some(value.to_owned()),
            "MaxLength" => self.longest = value.parse().ok(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "
AWSTemplateFormatVersion: '2010-09-09'
Mappings:
  Parameters: { ProductionTag: { AllowedPattern: wrong } }
Parameters:
  Other:
    Type: String
    AllowedPattern: other
  ProductionTag:
    Type: String
    AllowedPattern: '[0-9a-f]{7,40}'
    MaxLength: 50
    Description: !Sub 'x: ${y}'
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Parameters: { ProductionTag: { AllowedPattern: wrong } }
      List: [Parameters, ProductionTag, { AllowedPattern: wrong }]
";

    #[test]
    fn a_parameters_limits_are_read_from_yaml_and_json() {
        let expected = Limits { pattern: Some("[0-9a-f]{7,40}".to_owned()), longest: Some(50) };
        assert_eq!(Limits::of(YAML, "ProductionTag"), Ok(expected.clone()));
        let json = "{\n\t\"Parameters\": {\"A\": {\"Type\": \"String\"}, \"ProductionTag\": \
                    {\"MaxLength\": \"50\", \"AllowedPattern\": \"[0-9a-f]{7,40}\"}}}";
        assert_eq!(Limits::of(json, "ProductionTag"), Ok(expected));
        assert_eq!(Limits::of(YAML, "Task"), Ok(Limits::default()));
        assert!(Limits::of("Parameters: [", "x").is_err());
    }
}
