//! The board, as a person uses it: by its address in a browser, over an AWS in memory.

mod support;

mod board {
    mod steps;

    mod acts;
    mod addresses;
    mod at_once;
    mod groups;
    mod link;
    mod list;
    mod rollback;
    mod shown;
}
