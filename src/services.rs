//! The services behind the ports of [`crate::world`]: AWS and Slack. Each service has its own file,
//! with methods that take and return the types of the model. Tests with recorded answers show what
//! is sent and how answers are read. No other module calls a service.

mod blob;
mod bounded;
mod cache;
mod change_set;
mod checkup;
pub mod clients;
mod cloudformation;
mod cloudwatch;
mod dynamodb;
mod ecr;
mod ecs;
mod failure;
mod git_host;
mod measure;
mod nonce;
mod patience;
mod port;
mod resources;
mod secrets;
mod session;
mod site;
mod slack;
pub mod slack_api;
mod sns;
mod ssm;
mod written;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod wire;
