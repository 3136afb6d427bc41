//! After CloudFormation: whether ECS runs the image, and the alarms that are watched afterwards.
//! Over the AWS in memory, with an ECS that does what each story says.

mod support;

mod verification {
    mod steps;

    mod bake;
    mod changes;
    mod crashes;
    mod ends;
    mod failures;
    mod meanwhile;
    mod unreadable;
    mod unwatched;
}
