//! The interface as its callers meet it: over a socket.

mod addresses;
mod bad_input;
mod bounds;
mod http;
mod read;
mod replica;
mod stream;
mod submit;
mod world;
