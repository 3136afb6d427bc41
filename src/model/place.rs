//! Where something is in AWS: an account and a region. No I/O here.

/// An account and a region. What is not known is `None`: a tool that runs the function locally may
/// not say where it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The account's id.
    pub account: Option<String>,
    /// The region's name.
    pub region: Option<String>,
}

impl Place {
    /// Reads the place from an ARN, `arn:<partition>:<service>:<region>:<account>:…`.
    pub fn of_arn(arn: &str) -> Self {
        let parts: Vec<&str> = arn.split(':').collect();
        let part = |at: usize| parts.get(at).filter(|part| !part.is_empty()).map(|&it| it.into());
        Self { account: part(4), region: part(3) }
    }

    /// Says in which account or region something is that should be here; `None` if it is here. What
    /// is not known of this place is not compared.
    pub fn is_not_at(&self, there: &Place) -> Option<String> {
        let differs = |own: &Option<String>, its: &Option<String>| own.is_some() && own != its;
        let other = |name: &str, its: &Option<String>| {
            let its = its.as_deref().unwrap_or("none");
            format!("it comes from another {name}: {}", crate::text::brief(its))
        };
        if differs(&self.account, &there.account) {
            return Some(other("account", &there.account));
        }
        differs(&self.region, &there.region).then(|| other("region", &there.region))
    }

    /// Whether something there is here.
    pub fn is_at(&self, there: &Place) -> bool {
        self.is_not_at(there).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::STACK_ID;

    #[test]
    fn a_place_is_compared_as_far_as_it_is_known() {
        let stack = Place::of_arn(STACK_ID);
        assert_eq!(stack.account.as_deref(), Some("012345678912"));
        assert_eq!(stack.region.as_deref(), Some("us-east-1"));
        let unknown = Place::default();
        assert!(unknown.is_at(&stack) && stack.is_at(&stack) && !stack.is_at(&unknown));
        let other = Place { region: Some("eu-west-1".to_owned()), ..stack.clone() };
        let words = stack.is_not_at(&other).expect("elsewhere");
        assert_eq!(words, "it comes from another region: eu-west-1");
        assert_eq!(Place::of_arn("web"), unknown);
    }
}
