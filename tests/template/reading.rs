//! The template and the files of `events/`, as they are deployed and delivered.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::LoadableYamlNode;
use saphyr::{Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The template as JSON; a short tag is its long form without `Fn::`: `!GetAtt Queue.Arn` is
/// `{"GetAtt": "Queue.Arn"}`.
pub(super) fn template() -> Value {
    read("template.yaml")
}

/// Another template of this repository, likewise.
fn read(file: &str) -> Value {
    let text = fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let documents = Yaml::load_from_str(&text).expect("YAML");
    to_json(&documents[0])
}

fn to_json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(boolean)) => json!(boolean),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(members) => members
            .iter()
            .map(|(key, value)| (key.as_str().expect("a text key").to_owned(), to_json(value)))
            .collect(),
        Yaml::Tagged(tag, tagged) => Map::from_iter([(tag.suffix.clone(), to_json(tagged))]).into(),
        other @ (Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue) => {
            panic!("not in a template: {other:?}")
        }
    }
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

pub(super) fn resource(name: &str) -> Value {
    let resource = template()["Resources"][name].take();
    assert!(resource.is_object(), "the template has no {name}");
    resource
}

pub(super) fn property(name: &str, property: &str) -> Value {
    resource(name)["Properties"][property].take()
}

pub(super) fn function() -> Value {
    resource("EcrPromoterFunction")["Properties"].take()
}

/// A template as it is deployed with these parameters; all others have their defaults.
pub(super) struct Deployment {
    pub(super) template: Value,
    parameters: BTreeMap<String, String>,
}

/// template.yaml, deployed.
pub(super) fn deployed<const N: usize>(parameters: [(&str, &str); N]) -> Deployment {
    Deployment::of("template.yaml", &parameters)
}

impl Deployment {
    pub(super) fn of(file: &str, parameters: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { template: read(file), parameters: parameters.iter().map(owned).collect() }
    }

    /// A parameter's value, as text.
    pub(super) fn parameter(&self, name: &str) -> String {
        let default = || {
            let default = &self.template["Parameters"][name]["Default"];
            if default.is_number() { json!(default.to_string()) } else { default.clone() }
        };
        match (name, self.parameters.get(name)) {
            (_, Some(value)) => value.clone(),
            ("AWS::StackName", _) => "ecr-promoter".to_owned(),
            ("AWS::Partition", _) => "aws".to_owned(),
            ("AWS::Region", _) => "us-east-1".to_owned(),
            ("AWS::AccountId", _) => "012345678912".to_owned(),
            _ => default()
                .as_str()
                .unwrap_or_else(|| panic!("{name} is no parameter with a text default"))
                .to_owned(),
        }
    }

    /// What CloudFormation makes of a value, as far as the values that are looked at here go. What
    /// refers to a resource stays as it is.
    pub(super) fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) => match members
                .iter()
                .next()
                .map(|(key, argument)| (key.as_str(), argument))
            {
                Some(("Ref", name)) if self.is_resource(name) || *name == "AWS::NoValue" => {
                    value.clone()
                }
                Some(("Ref", name)) => self.parameter(name.as_str().expect("a name")).into(),
                Some(("Sub", Value::Array(parts))) => self.substitute_with(parts).into(),
                Some(("Sub", text)) => self.substitute(text.as_str().expect("a text")).into(),
                Some(("FindInMap", path)) => {
                    let keys = self.resolve(path);
                    let key = |at: usize| keys[at].as_str().expect("a key");
                    self.template["Mappings"][key(0)][key(1)][key(2)].clone()
                }
                Some(("If", branches)) => {
                    let name = branches[0].as_str().expect("a condition");
                    self.resolve(
                        &branches
                            [if self.holds(&self.template["Conditions"][name]) { 1 } else { 2 }],
                    )
                }
                Some(("Split", arguments)) => {
                    let text = self.resolve(&arguments[1]);
                    let separator = arguments[0].as_str().expect("a separator");
                    text.as_str().expect("a text").split(separator).collect()
                }
                Some(("Join", arguments)) if self.is_list(&arguments[1]) => {
                    let separator = arguments[0].as_str().expect("a separator");
                    let parts = self.resolve(&arguments[1]);
                    let parts = parts.as_array().expect("a list").iter();
                    let parts: Vec<_> = parts.map(|it| it.as_str().expect("a text")).collect();
                    parts.join(separator).into()
                }
                _ => {
                    let resolved =
                        members.iter().map(|(key, value)| (key.clone(), self.resolve(value)));
                    resolved.filter(|(_, value)| !is_no_value(value)).collect()
                }
            },
            Value::Array(items) => {
                items.iter().map(|item| self.resolve(item)).filter(|it| !is_no_value(it)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    /// Not so for a reference to a parameter that is a list.
    fn is_list(&self, value: &Value) -> bool {
        value.is_array() || value["Split"].is_array()
    }

    fn is_resource(&self, name: &Value) -> bool {
        name.as_str().is_some_and(|name| self.template["Resources"].get(name).is_some())
    }

    pub(super) fn holds(&self, condition: &Value) -> bool {
        let (kind, argument) =
            condition.as_object().and_then(|it| it.iter().next()).expect("a condition");
        match (kind.as_str(), argument) {
            ("Equals", Value::Array(pair)) => self.resolve(&pair[0]) == self.resolve(&pair[1]),
            ("Not", Value::Array(negated)) => !self.holds(&negated[0]),
            ("Or", Value::Array(some)) => some.iter().any(|it| self.holds(it)),
            ("And", Value::Array(all)) => all.iter().all(|it| self.holds(it)),
            ("Condition", Value::String(name)) => self.holds(&self.template["Conditions"][name]),
            _ => panic!("this test does not know the condition {condition}"),
        }
    }

    /// The items of a list that are there in this deployment: an `If` in it is one of its branches,
    /// and `AWS::NoValue` is nothing.
    pub(super) fn chosen(&self, list: &Value) -> Vec<Value> {
        let branch = |item: &Value| match item["If"].as_array().map(Vec::as_slice) {
            Some([condition, yes, no]) => {
                let name = condition.as_str().expect("a condition");
                let is_so = self.holds(&self.template["Conditions"][name]);
                if is_so { yes.clone() } else { no.clone() }
            }
            _ => item.clone(),
        };
        let items = list.as_array().expect("a list").iter().map(branch);
        items.filter(|item| item["Ref"] != "AWS::NoValue").collect()
    }

    /// The resources of a kind that are there in this deployment, by their names.
    pub(super) fn resources(&self, kind: &str) -> BTreeMap<String, Value> {
        let all = self.template["Resources"].as_object().expect("resources");
        let is_there = |resource: &Value| match resource["Condition"].as_str() {
            Some(name) => self.holds(&self.template["Conditions"][name]),
            None => true,
        };
        let of_kind = all.iter().filter(|(_, it)| it["Type"] == kind && is_there(it));
        of_kind.map(|(name, resource)| (name.clone(), resource["Properties"].clone())).collect()
    }

    /// A text with values that stand beside it.
    fn substitute_with(&self, parts: &[Value]) -> String {
        let values = parts[1].as_object().expect("values").iter();
        let text =
            values.fold(parts[0].as_str().expect("a text").to_owned(), |text, (name, value)| {
                let value = self.resolve(value);
                text.replace(&format!("${{{name}}}"), value.as_str().expect("a text"))
            });
        self.substitute(&text)
    }

    fn substitute(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |done, part| {
            let (name, rest) = part.split_once('}').expect("a closing brace");
            done + &self.parameter(name) + rest
        })
    }
}

fn is_no_value(value: &Value) -> bool {
    value["Ref"] == "AWS::NoValue"
}

pub(super) fn events() -> BTreeMap<String, Value> {
    let files = fs::read_dir(root().join("events"))
        .expect("events/")
        .map(|file| file.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}
