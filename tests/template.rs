//! `template.yaml` agrees with the code: the environment that the code reads, the events that the
//! rule lets through, the permissions of the calls, and what the state relies on.
//! `examples/target-role.yaml`, for other accounts, agrees with `template.yaml`.

mod template {
    mod patterns;
    mod reading;
    mod rights;

    mod address;
    mod environment;
    mod events;
    mod function;
    mod limits;
    mod operations;
    mod permissions;
    mod targets;
}
