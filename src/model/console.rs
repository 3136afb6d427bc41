//! Addresses of the AWS console. No I/O here.

/// The address of a stack's page, from its ARN.
pub fn stack_page(arn: &str) -> Option<String> {
    let (region, host) = place(arn)?;
    let id = encoded(arn);
    Some(format!(
        "https://{region}.{host}/cloudformation/home?region={region}#/stacks/stackinfo?stackId={id}"
    ))
}

/// The address of an alarm's page, from its ARN and its name.
pub fn alarm_page(arn: &str, name: &str) -> Option<String> {
    let (region, host) = place(arn)?;
    let name = encoded(name);
    Some(format!("https://{region}.{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"))
}

/// The region of an ARN, and the console's host in its partition.
fn place(arn: &str) -> Option<(&str, &'static str)> {
    let mut parts = arn.split(':').skip(1);
    let (partition, region) = (parts.next()?, parts.nth(1).filter(|region| !region.is_empty())?);
    let host = match partition {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    Some((region, host))
}

fn encoded(text: &str) -> String {
    let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    text.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::STACK_ID;

    #[test]
    fn a_page_is_in_the_console_of_its_region_and_partition() {
        let page = stack_page(STACK_ID).expect("a page");
        let start = "https://us-east-1.console.aws.amazon.com/cloudformation/home?region=us-east-1\
                     #/stacks/stackinfo?stackId=arn%3Aaws%3Acloudformation%3A";
        assert!(page.starts_with(start), "{page}");
        let arn = "arn:aws:cloudwatch:us-east-1:012345678912:alarm:web 5xx/rate";
        let page = alarm_page(arn, "web 5xx/rate").expect("a page");
        assert_eq!(
            page,
            "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1\
             #alarmsV2:alarm/web%205xx%2Frate"
        );
        let china = alarm_page(&arn.replace("arn:aws:", "arn:aws-cn:"), "x").expect("a page");
        assert!(china.starts_with("https://us-east-1.console.amazonaws.cn/"), "{china}");
        assert_eq!(stack_page("web"), None);
    }
}
