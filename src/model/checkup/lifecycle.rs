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
}

/// Finds the worst that a policy does to images with tags of this prefix. Such an image also has
/// the source tag, or had it.
pub(super) fn danger(
    policy: &str,
    prefix: &str,
    source_tag: &str,
) -> Result<Option<Danger>, String> {
    let policy: Policy = serde_json::from_str(policy).map_err(|error| error.to_string())?;
    let of = |rule: &Rule| {
        let words = rule.words();
        let selection = &rule.selection;
        match selection.tag_status.as_str() {
            "untagged" => None,
            "any" => Some(Danger::Production(words)),
            _ if selection.takes(prefix, source_tag) => Some(Danger::Production(words)),
            _ => Some(Danger::Beside(words)),
        }
    };
    let mut all: Vec<Danger> = policy.rules.iter().filter_map(of).collect();
    all.sort_by_key(|danger| matches!(danger, Danger::Beside(_)));
    Ok(all.into_iter().next())
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
        assert!(danger("{", "production_", "latest").is_err());
    }
}
