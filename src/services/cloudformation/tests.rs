mod cancel;
mod events;
mod stack;
mod update;
