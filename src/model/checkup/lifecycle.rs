//! ECR's lifecycle policies: whether a rule takes images that production needs.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>

use serde::Deserialize;
use wildmatch::WildMatch;

/// What a policy does to production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Danger {
    /// A rule selects images by tags that production tags match.
    Production(String),
    /// A rule selects tagged images by another tag, which an image in production may have too.
    Beside(String),
    /// A rule selects production's images too, and keeps this many of the newest.
    Old(String, u64),
}

#[derive(Deserialize)]
struct Policy {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    rule_priority: u64,
    #[serde(default)]
    description: String,
    selection: Selection,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    tag_status: String,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    #[serde(default)]
    count_type: String,
    #[serde(default)]
    count_number: u64,
}

/// How many of production's newest images a rule must keep, so that it takes only what nobody goes
/// back to: as many as a page of the history has.
const ENOUGH: u64 = 100;

/// Finds the worst that a policy does to images with tags of this prefix. Such an image also has
/// the source tag, or had it. Rules count in the order of their priorities: an image that one rule
/// selects is not taken by a later one.
pub(super) fn danger(
    policy: &str,
    prefix: &str,
    source_tag: &str,
) -> Result<Option<Danger>, String> {
    let mut policy: Policy = serde_json::from_str(policy).map_err(|error| error.to_string())?;
    policy.rules.sort_by_key(|rule| rule.rule_priority);
    let mut beside = None;
    for rule in &policy.rules {
        let (words, selection) = (rule.words(), &rule.selection);
        match selection.tag_status.as_str() {
            "untagged" => {}
            "any" => return Ok(Some(Danger::Production(words))),
            _ if selection.is_of_production_alone(prefix) => {
                return Ok(match selection.keeps_many() {
                    true => beside.or(Some(Danger::Old(words, selection.count_number))),
                    false => Some(Danger::Production(words)),
                });
            }
            _ if selection.takes(prefix, source_tag) => {
                return Ok(Some(Danger::Production(words)));
            }
            _ => beside = beside.or(Some(Danger::Beside(words))),
        }
    }
    Ok(beside)
}

impl Rule {
    fn words(&self) -> String {
        let Self { rule_priority, description, .. } = self;
        if description.is_empty() {
            format!("rule {rule_priority} of the lifecycle policy")
        } else {
            format!("rule {rule_priority} of the lifecycle policy (`{description}`)")
        }
    }
}

impl Selection {
    /// Whether it selects each image with a production tag, and counts no other.
    fn is_of_production_alone(&self, prefix: &str) -> bool {
        let mut entries = self
            .tag_prefix_list
            .iter()
            .map(String::as_str)
            .chain(self.tag_pattern_list.iter().map(|pattern| pattern.trim_end_matches('*')));
        entries.all(|entry| entry == prefix)
    }

    fn keeps_many(&self) -> bool {
        self.count_type == "imageCountMoreThan" && self.count_number >= ENOUGH
    }

    /// Whether it takes an image that has a production tag, perhaps the source tag, and no other.
    /// A rule takes an image that matches each entry of its list.
    fn takes(&self, prefix: &str, source_tag: &str) -> bool {
        let production = |start: &str| prefix.starts_with(start) || start.starts_with(prefix);
        let by_prefix =
            |start: &String| production(start) || source_tag.starts_with(start.as_str());
        let sample = format!("{prefix}9fceb02d0ae598e95dc970b74767f19372d61af8");
        let by_pattern = |pattern: &String| {
            let pattern = WildMatch::new(pattern);
            pattern.matches(&sample) || pattern.matches(source_tag)
        };
        self.tag_prefix_list.iter().all(by_prefix) && self.tag_pattern_list.iter().all(by_pattern)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(selection: serde_json::Value) -> Option<Danger> {
        let count = json!({ "countType": "imageCountMoreThan", "countNumber": 10 });
        let mut whole = selection;
        whole.as_object_mut().expect("an object").extend(count.as_object().expect("one").clone());
        let rule = json!({ "rulePriority": 7, "selection": whole, "action": { "type": "expire" } });
        danger(&json!({ "rules": [rule] }).to_string(), "production_", "latest").expect("readable")
    }

    #[test]
    fn rules_that_take_production_tags_are_found() {
        let rule = "rule 7 of the lifecycle policy".to_owned();
        for selection in [
            json!({ "tagStatus": "any" }),
            json!({ "tagStatus": "tagged", "tagPrefixList": ["prod"] }),
            json!({ "tagStatus": "tagged", "tagPrefixList": ["production_9f"] }),
            json!({ "tagStatus": "tagged", "tagPatternList": ["*"] }),
            json!({ "tagStatus": "tagged", "tagPatternList": ["prod*"] }),
            json!({ "tagStatus": "tagged", "tagPrefixList": ["latest"] }),
            json!({ "tagStatus": "tagged", "tagPatternList": ["prod*", "latest"] }),
        ] {
            assert_eq!(
                judged(selection.clone()),
                Some(Danger::Production(rule.clone())),
                "{selection}"
            );
        }
        for selection in [
            json!({ "tagStatus": "tagged", "tagPrefixList": ["staging_"] }),
            json!({ "tagStatus": "tagged", "tagPatternList": ["prod*", "v?"] }),
        ] {
            assert_eq!(
                judged(selection.clone()),
                Some(Danger::Beside(rule.clone())),
                "{selection}"
            );
        }
        assert_eq!(judged(json!({ "tagStatus": "untagged" })), None);
        // As in examples/repository.yaml.
        let many = r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "tagged",
            "tagPrefixList": ["production_"], "countType": "imageCountMoreThan",
            "countNumber": 500}}]}"#;
        let old = Danger::Old("rule 1 of the lifecycle policy".to_owned(), 500);
        assert_eq!(danger(many, "production_", "latest"), Ok(Some(old)));
        // Such a rule keeps its images from later ones; a count of all images keeps nothing.
        let shielded = r#"{"rules": [
            {"rulePriority": 9, "selection": {"tagStatus": "any", "countType": "sinceImagePushed",
                "countUnit": "days", "countNumber": 30}},
            {"rulePriority": 1, "selection": {"tagStatus": "tagged",
                "tagPatternList": ["production_*"], "countType": "imageCountMoreThan",
                "countNumber": 9999}}]}"#;
        let old = Danger::Old("rule 1 of the lifecycle policy".to_owned(), 9_999);
        assert_eq!(danger(shielded, "production_", "latest"), Ok(Some(old)));
        for selection in
            [r#""tagStatus": "any""#, r#""tagStatus": "tagged", "tagPatternList": ["*"]"#]
        {
            let all = format!(
                r#"{{"rules": [{{"rulePriority": 1, "selection": {{{selection},
                    "countType": "imageCountMoreThan", "countNumber": 500}}}}]}}"#
            );
            let found = danger(&all, "production_", "latest");
            assert!(matches!(found, Ok(Some(Danger::Production(_)))), "{selection}: {found:?}");
        }
        assert!(danger("{", "production_", "latest").is_err());
    }
}
