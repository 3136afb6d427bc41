//! What others do, in the console and in the registry, while promotions are under way: every input
//! that once ended in the wrong place. Over the AWS in memory.

mod support;

mod strangers {
    mod notices;
    mod operations;
    mod tags;
    mod who_decides;
}
