//! The services behind the ports of [`crate::world`]: AWS and Slack. Each service has a file of its
//! own, with narrow methods that speak the model's types; what they send and how they read answers
//! is shown by recorded wire tests. Nothing else calls a service.

mod blob;
mod bounded;
mod cache;
mod change_set;
pub mod clients;
mod cloudformation;
mod dynamodb;
mod ecr;
mod failure;
mod nonce;
mod patience;
mod port;
mod secrets;
mod slack;
pub mod slack_api;
mod sns;
mod ssm;

#[cfg(test)]
mod wire;
