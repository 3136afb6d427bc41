//! Several apps of one repository: stages that come after each other, over the AWS in memory.

mod support;

#[path = "stages/configuration.rs"]
mod configuration;
#[path = "stages/pushes.rs"]
mod pushes;
#[path = "stages/replica.rs"]
mod replica;
#[path = "stages/soaking.rs"]
mod soaking;
#[path = "stages/steps.rs"]
mod steps;
#[path = "stages/trouble.rs"]
mod trouble;
#[path = "stages/whereabouts.rs"]
mod whereabouts;
