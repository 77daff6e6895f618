//! Real load: signed EIP-1559 transactions, offered at a constant rate whatever the network
//! answers. [`account`] signs, [`supply`] keeps signed ones in stock, [`pace`] says what is due,
//! [`submit`] carries it to a node and [`run`] ties them together with the followers.

pub mod account;
pub mod pace;
pub mod run;
pub mod submit;
pub mod supply;
