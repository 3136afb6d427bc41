//! `template.yaml` agrees with the code: the environment that the code reads, the events that the
//! rule lets through, the permissions of the calls, and what the state relies on.

mod template {
    mod reading;

    mod address;
    mod environment;
    mod events;
    mod function;
    mod permissions;
}
