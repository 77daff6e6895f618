//! The interface as its callers meet it: over a socket.

mod addresses;
mod bad_input;
mod bounds;
mod http;
mod odd_http;
mod read;
mod replica;
mod slow;
mod stream;
mod submit;
mod world;
