//! The real executable against a Lambda, an STS and a CloudFormation on 127.0.0.1: exit codes, what
//! is printed, following, paging, questions on a terminal.

mod command {
    pub(crate) mod answers;
    pub(crate) mod changes;
    pub(crate) mod cloud;
    pub(crate) mod finding;
    pub(crate) mod following;
    pub(crate) mod pages;
    pub(crate) mod samples;
    #[cfg(unix)]
    pub(crate) mod terminal;
    pub(crate) mod versions;
}
