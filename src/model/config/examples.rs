//! Correct values, which errors show beside the wrong ones.

/// A correct configuration, for errors about the whole.
pub(super) const EXAMPLE: &str = r#"{"stack": "web"}"#;

/// A correct value of each key, for errors about that key.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("repository", r#""web""#),
    ("stack", r#""web""#),
    ("parameter", r#""ProductionTag""#),
    ("capabilities", r#"["CAPABILITY_AUTO_EXPAND"]"#),
    ("source_tag", r#""latest""#),
    ("tag_prefix", r#""production_""#),
    ("mode", r#""approval""#),
    ("commit_from", r#"["tag", "label"]"#),
    ("approval", r#"{"required": 1}"#),
    ("approval.slack_channel", r#""C024BE91L""#),
    ("approval.approvers", r#"["U024BE7LH"]"#),
    ("approval.required", "1"),
    ("approval.expires_hours", "72"),
    ("approval.links", "false"),
    ("guard", r#"{"allowed_changes": ["AWS::ECS::Service"]}"#),
    ("guard.allowed_changes", r#"["AWS::ECS::TaskDefinition:Replacement", "AWS::ECS::Service"]"#),
    ("rollback", r#"{"monitor_minutes": 10}"#),
    ("rollback.alarms", r#"["arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-errors"]"#),
    ("rollback.monitor_minutes", "10"),
    ("verify", r#"{"minutes": 30}"#),
    ("verify.minutes", "30"),
    ("bake", r#"{"minutes": 60, "alarms": ["web-5xx"]}"#),
    ("bake.minutes", "60"),
    ("bake.alarms", r#"["web-5xx"]"#),
    ("bake.on_alarm", r#""rollback""#),
    ("after", r#"{"app": "web-staging", "soak_minutes": 60}"#),
    ("after.app", r#""web-staging""#),
    ("after.soak_minutes", "60"),
    ("target", r#"{"role": "arn:aws:iam::222222222222:role/ecr-promoter-target"}"#),
    ("target.role", r#""arn:aws:iam::222222222222:role/ecr-promoter-target""#),
    ("target.external_id", r#""acme-7f3a""#),
    ("target.region", r#""eu-west-1""#),
    ("target.registry", r#""111111111111.dkr.ecr.eu-west-1.amazonaws.com""#),
    ("repository_url", r#""https://github.com/acme/web""#),
];

/// Returns the example for a key; for an item of a list (`approvers[0]`), the list's.
pub(super) fn example_of(key: &str) -> Option<String> {
    let key = key.split('[').next().unwrap_or_default();
    let (_, value) = EXAMPLES.iter().find(|(known, _)| *known == key)?;
    Some(format!("\"{}\": {value}", key.rsplit('.').next().unwrap_or_default()))
}
