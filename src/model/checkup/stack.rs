//! The stack, its service role, its template and the parameter that gets the tag.

use regex_lite::Regex;

use super::facts::{Facts, Read};
use super::finding::Finding;
use super::template::{Declared, Limits, Template};
use crate::model::config::App;
use crate::model::stack::{Phase, Stack};

/// A commit, as a production tag has it.
const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
/// The first digits of a digest, as a production tag has them.
const DIGEST: &str = "d47965fdf4d8";

pub(super) fn judge(app: &App, facts: &Facts) -> Vec<Finding> {
    let name = &app.config.stack;
    let stack = match &facts.stack {
        Ok(Some(stack)) => stack,
        Ok(None) => {
            let place = app.place(&facts.home);
            let known =
                |part: &Option<String>| part.clone().unwrap_or_else(|| "unknown".to_owned());
            let (account, region) = (known(&place.account), known(&place.region));
            let says = format!("there is no stack `{name}` in account {account}, region {region}");
            let mend = "correct the key `stack`, or `target` if the stack is elsewhere";
            return vec![Finding::problem("stack", says, mend)];
        }
        Err(error) => {
            let says = format!("the stack `{name}` cannot be read: {}", error.words);
            let mend = "without it nothing is promoted: the message says what is missing";
            return vec![Finding::problem("stack", says, mend)];
        }
    };
    let mut findings = vec![of_status(stack), of_role(stack)];
    findings.extend(of_parent(stack));
    match &facts.template {
        Some(Ok(template)) => {
            findings.push(of_capabilities(app, stack, template));
            findings.extend(of_transforms(template));
        }
        Some(Err(error)) => {
            findings.push(Finding::unread("template", "the stack's template", error));
        }
        None => {}
    }
    findings.extend(of_parameter(app, stack, facts.template.as_ref()));
    findings
}

fn of_status(stack: &Stack) -> Finding {
    let Stack { name, status, .. } = stack;
    match stack.phase() {
        Phase::AtRest => Finding::ok("stack", format!("`{name}` is {status}")),
        Phase::Busy => {
            Finding::ok("stack", format!("`{name}` is {status}: a promotion waits until that ends"))
        }
        Phase::Broken | Phase::Leaving | Phase::Gone => Finding::problem(
            "stack",
            format!("`{name}` is {status}: CloudFormation takes no update"),
            "repair the stack in CloudFormation's console (continue its rollback, or make it anew)",
        ),
    }
}

fn of_parent(stack: &Stack) -> Option<Finding> {
    let parent = stack.parent.as_ref()?;
    let says = format!(
        "`{}` is nested in {parent}: its parent's next update would undo a \
                        promotion",
        stack.name
    );
    let mend = "name the root stack in the key `stack`, and hand the parameter down from there";
    Some(Finding::problem("stack", says, mend))
}

fn of_role(stack: &Stack) -> Finding {
    match &stack.role {
        Some(role) => Finding::ok("service-role", format!("updates run as {role}")),
        None => Finding::warning(
            "service-role",
            "the stack has no service role: CloudFormation updates it with this function's own \
             permissions, which include none for ECS",
            "give it one, once (`aws cloudformation update-stack --role-arn …`; \
             examples/service-role.yaml makes such a role), or attach what the update needs by the \
             template's parameter ManagedPolicyArns",
        ),
    }
}

fn of_capabilities(app: &App, stack: &Stack, template: &Template) -> Finding {
    let sent: Vec<&str> = app
        .config
        .capabilities
        .iter()
        .map(|capability| capability.as_str())
        .chain(stack.capabilities.iter().map(String::as_str))
        .collect();
    let mut needed: Vec<&str> = template.capabilities.iter().map(String::as_str).collect();
    if !template.transforms.is_empty() {
        needed.push("CAPABILITY_AUTO_EXPAND");
    }
    let is_sent = |name: &str| {
        sent.contains(&name) || name == "CAPABILITY_IAM" && sent.contains(&"CAPABILITY_NAMED_IAM")
    };
    needed.retain(|name| !is_sent(name));
    needed.dedup();
    if needed.is_empty() {
        return Finding::ok("capabilities", "the stack's template needs none that is not sent");
    }
    let list = needed.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    Finding::problem(
        "capabilities",
        format!("the template needs {}, and the stack reports none of it", needed.join(" and ")),
        format!("add \"capabilities\": [{list}] to the app's configuration"),
    )
}

fn of_transforms(template: &Template) -> Option<Finding> {
    let blind = "AWS::LanguageExtensions";
    template.transforms.iter().any(|transform| transform == blind).then(|| {
        Finding::problem(
            "transforms",
            format!(
                "the template uses {blind}, which does not see a new value of a parameter while \
                 the template stays the same: the promotion would change nothing"
            ),
            "deploy the stack without that transform, or keep the tag in a nested stack's template \
             that does not use it",
        )
    })
}

fn of_parameter(app: &App, stack: &Stack, template: Option<&Read<Template>>) -> Vec<Finding> {
    const ABOUT: &str = "parameter";
    let key = &app.config.parameter;
    let Some(value) = stack.value(key) else {
        let known: Vec<&str> = stack.parameters.iter().map(|own| own.key.as_str()).collect();
        let says = format!("the stack `{}` has no parameter `{key}`", stack.name);
        let mend = format!(
            "add it to the stack's template, or name one of its own in the key `parameter`: {}",
            known.join(", ")
        );
        return vec![Finding::problem(ABOUT, says, mend)];
    };
    let Some(Ok(template)) = template else { return Vec::new() };
    let declared = template.parameter.clone().unwrap_or_default();
    let limits = template.limits.as_ref();
    let mut findings: Vec<Finding> = [of_echo(key, &declared), of_values(app, &declared)]
        .into_iter()
        .chain([of_kind(key, &declared)])
        .chain(limits.iter().map(|limits| of_pattern(app, limits)))
        .chain(limits.iter().map(|limits| of_length(app, limits)))
        .flatten()
        .collect();
    if let Err(problem) = limits {
        let says = format!("what `{key}` allows is not known: {problem}");
        let mend = "give the function's role cloudformation:GetTemplate for the stack, or compare \
                    AllowedPattern and MaxLength with the tags yourself";
        findings.push(Finding::warning(ABOUT, says, mend));
    }
    if findings.is_empty() {
        let says = format!("`{key}` takes production tags; it is `{value}`");
        findings.push(Finding::ok(ABOUT, says));
    }
    let others: Vec<&str> =
        template.ssm_typed.iter().filter(|name| *name != key).map(String::as_str).collect();
    if !others.is_empty() {
        let says =
            format!("{} are SSM-typed: each update goes through a change set", others.join(", "));
        findings.push(Finding::ok("ssm-parameters", says));
    }
    findings
}

fn of_echo(key: &str, declared: &Declared) -> Option<Finding> {
    declared.no_echo.then(|| {
        Finding::problem(
            "parameter",
            format!("`{key}` is NoEcho: CloudFormation hides its value, so nobody knows what runs"),
            "take NoEcho off it: a tag is no secret",
        )
    })
}

fn of_kind(key: &str, declared: &Declared) -> Option<Finding> {
    let kind = &declared.kind;
    let is_text = kind.is_empty() || kind == "String";
    (!is_text).then(|| {
        Finding::problem(
            "parameter",
            format!("`{key}` has the type {kind}, which takes no tag"),
            "give it the type String",
        )
    })
}

fn of_values(app: &App, declared: &Declared) -> Option<Finding> {
    let config = &app.config;
    let values = &declared.allowed_values;
    (!values.is_empty()).then(|| {
        Finding::problem(
            "parameter",
            format!(
                "`{}` takes only {}: no tag `{}<commit>` is among them",
                config.parameter,
                values.join(", "),
                config.tag_prefix
            ),
            "take AllowedValues off it; an AllowedPattern can do",
        )
    })
}

/// The tags that the app may give, with what each is for.
fn tags(app: &App) -> [(String, &'static str); 3] {
    let prefix = &app.config.tag_prefix;
    [
        (format!("{prefix}{COMMIT}"), "the tag of a commit"),
        (format!("{prefix}{COMMIT}-{DIGEST}"), "the tag of a second image of one commit"),
        (format!("{prefix}{DIGEST}"), "the tag of an image that names no commit"),
    ]
}

fn of_pattern(app: &App, limits: &Limits) -> Option<Finding> {
    const ABOUT: &str = "parameter";
    let (key, pattern) = (&app.config.parameter, limits.pattern.as_ref()?);
    // CloudFormation compares the whole value.
    let Ok(regex) = Regex::new(&format!("^(?:{pattern})$")) else {
        let says = format!("the AllowedPattern of `{key}` cannot be judged here: {pattern}");
        let mend = format!("compare it with `{}` yourself", tags(app)[0].0);
        return Some(Finding::warning(ABOUT, says, mend));
    };
    let refused = tags(app).into_iter().find(|(tag, _)| !regex.is_match(tag));
    refused.map(|(tag, what)| {
        let says = format!("the AllowedPattern of `{key}`, {pattern}, refuses `{tag}`, {what}");
        let mend = format!(
            "let it be {}[0-9a-f]{{7,40}}(-[0-9a-f]{{12}})?",
            regex_lite::escape(&app.config.tag_prefix)
        );
        let is_usual = tag == tags(app)[0].0;
        if is_usual {
            Finding::problem(ABOUT, says, mend)
        } else {
            Finding::warning(ABOUT, says, mend)
        }
    })
}

fn of_length(app: &App, limits: &Limits) -> Option<Finding> {
    let longest = limits.longest?;
    let too_long = tags(app).into_iter().find(|(tag, _)| tag.len() > longest);
    too_long.map(|(tag, what)| {
        let says = format!(
            "`{}` takes at most {longest} characters, and {what} has {}",
            app.config.parameter,
            tag.len()
        );
        Finding::problem("parameter", says, "raise its MaxLength to 128, the longest tag")
    })
}
