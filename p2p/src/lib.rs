//! The wire: authenticated bytes between peers over libp2p.
